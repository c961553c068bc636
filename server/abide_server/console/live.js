// Keeps the page up to date: replaces each section when the server says that it changed, and shows times in the
// reader's own zone. Everything works without this script, only not by itself.

const { lang, live: liveText, lost: lostText } = document.body.dataset;
const state = document.getElementById("live");
const format = new Intl.DateTimeFormat(lang === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** @param {ParentNode} root */
function localTimes(root) {
  for (const time of root.querySelectorAll("time")) {
    time.title = time.dateTime;
    time.textContent = format.format(new Date(time.dateTime));
  }
}

/** @param {string} text @param {boolean} good */
function show(text, good) {
  if (state.textContent !== text) state.textContent = text;
  state.className = good ? "good" : "bad";
}

/** @param {string} id @param {string} html already escaped by the server's templates */
function replace(id, html) {
  const section = document.getElementById(id);
  const scrolled = section.querySelector(".scroll");
  const left = scrolled ? scrolled.scrollLeft : 0;
  const hadFocus = scrolled !== null && scrolled === document.activeElement;
  const parsed = new DOMParser().parseFromString(html, "text/html");
  section.replaceChildren(...parsed.body.childNodes);
  localTimes(section);
  const fresh = section.querySelector(".scroll");
  if (fresh) {
    fresh.scrollLeft = left;
    if (hadFocus) fresh.focus({ preventScroll: true });
  }
}

localTimes(document);
const feed = new EventSource(`/live?lang=${encodeURIComponent(lang)}`);
feed.addEventListener("open", () => show(liveText, true));
feed.addEventListener("error", () => show(lostText, false));
feed.addEventListener("message", (event) => {
  for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
});
