/**
 * The banner of `inform`: put into the page only when it is needed, so that other sites cost nothing.
 *
 * @import { Judgement } from "./types.js"
 */

import { drawBanner, removeBanner } from "../guards/banner.js";
import { inject, language, text, translated } from "./browser.js";
import { session, setSession } from "./state.js";

/**
 * Show the banner in a tab, unless the person has closed it for this service. Says whether it stands there now.
 * @param {number} tabId
 * @param {Judgement} judgement
 */
export async function showBanner(tabId, { name, service, outcome, policy_version }) {
  const before = (await session("shown"))[tabId];
  const about = `${service} ${outcome?.rule} ${policy_version}`;
  if (before?.closed === about) return true;
  const texts = {
    lang: language() === "zh" ? "zh-CN" : "en",
    label: text("banner_label"),
    title: text("banner_title", name),
    reason: translated(outcome?.reason),
    instead: translated(outcome?.instead),
    clause: outcome ? text("clause_short", outcome.clause) : "",
    close: text("close"),
    about,
  };
  const drawn = await inject({ target: { tabId }, func: drawBanner, args: [texts], injectImmediately: true });
  if (drawn) await note(tabId, { banner: true });
  return drawn;
}

/**
 * Take the banner away, if this tab has one.
 * @param {number} tabId
 */
export async function hideBanner(tabId) {
  if (!(await session("shown"))[tabId]?.banner) return;
  await inject({ target: { tabId }, func: removeBanner });
  await note(tabId, { banner: false, key: "" });
}

/**
 * The person closed the banner: it stays away from this service in this tab until the policy changes.
 * @param {number} tabId
 * @param {string} about
 */
export async function bannerClosed(tabId, about) {
  await note(tabId, { closed: about });
}

/**
 * @param {number} tabId
 * @param {Partial<import("./types.js").Shown>} change
 */
async function note(tabId, change) {
  const shown = await session("shown");
  const entry = { key: "", banner: false, closed: "", ...shown[tabId], ...change };
  await setSession({ shown: { ...shown, [tabId]: entry } });
}
