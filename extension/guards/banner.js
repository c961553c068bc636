/**
 * Runs inside the page (isolated world): each function is injected by itself, so it uses nothing from outside it.
 * The banner lives in a closed shadow root, which the page's styles and scripts cannot reach.
 *
 * @typedef {{ lang: string, label: string, title: string, reason: string, instead: string, clause: string,
 *   close: string, about: string }} BannerTexts
 */

/**
 * Draw the banner, or renew it.
 * @param {BannerTexts} texts
 */
export function drawBanner(texts) {
  const world = /** @type {any} */ (globalThis);
  if (world.abideBanner?.about === texts.about) return;
  world.abideBanner?.();
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "closed" });
  const make = (/** @type {string} */ tag, /** @type {string} */ text, /** @type {Element} */ parent) => {
    const element = parent.appendChild(document.createElement(tag));
    element.textContent = text;
    return element;
  };
  const css = `
    :host { all: initial !important; position: fixed !important; z-index: 2147483647 !important;
      inset: auto 16px 16px auto !important; display: block !important; }
    section { box-sizing: border-box; width: min(380px, calc(100vw - 32px)); max-height: 60vh; overflow: auto;
      padding: 16px 48px 16px 18px; border-radius: 14px; border: 1px solid #c9d4d8; border-inline-start: 5px solid #2a6f7f;
      background: #fbfcfc; color: #1d2b30; box-shadow: 0 8px 28px rgb(16 40 48 / 18%);
      font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; overflow-wrap: anywhere; }
    h2 { margin: 0 0 4px; font-size: 15px; font-weight: 650; }
    p { margin: 4px 0 0; } small { display: block; margin-top: 8px; font-size: 13px; color: #4b5d64; }
    button { position: absolute; top: 8px; right: 8px; width: 32px; height: 32px; border: 0; border-radius: 8px;
      background: none; color: inherit; font: 20px/1 system-ui, sans-serif; cursor: pointer; }
    button:hover { background: rgb(42 111 127 / 14%); } button:focus-visible { outline: 3px solid #2a6f7f; }
    @media (prefers-color-scheme: dark) {
      section { background: #1b262a; color: #e6eef0; border-color: #3a4c53; border-inline-start-color: #6fb9c9; }
      small { color: #a9bcc2; } button:focus-visible { outline-color: #6fb9c9; } }`;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  const box = root.appendChild(document.createElement("section"));
  box.lang = texts.lang;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", texts.label);
  const live = box.appendChild(document.createElement("div"));
  live.setAttribute("role", "status");
  make("h2", texts.title, live);
  make("p", texts.reason, live);
  if (texts.instead) make("p", texts.instead, live);
  make("small", texts.clause, live);
  const close = make("button", "×", box);
  close.setAttribute("aria-label", texts.close);
  const stay = new MutationObserver(() => host.isConnected || document.documentElement.append(host));
  world.abideBanner = () => {
    stay.disconnect();
    host.remove();
    delete world.abideBanner;
  };
  world.abideBanner.about = texts.about;
  close.addEventListener("click", (event) => {
    if (!event.isTrusted) return;
    world.abideBanner?.();
    (world.browser ?? world.chrome).runtime.sendMessage({ type: "banner-closed", about: texts.about });
  });
  document.documentElement.append(host);
  stay.observe(document.documentElement, { childList: true });
}

/** Take the banner away. */
export function removeBanner() {
  /** @type {any} */ (globalThis).abideBanner?.();
}
