/**
 * Passes: what *Continue* on a warning grants. A pass holds for one tab, one host with its sub-hosts, one service, and
 * the minutes that the policy gives; a stricter policy ends it at once. The functions here are pure.
 *
 * @import { Judgement, Pass, Verdict } from "./types.js"
 */

import { VERDICTS } from "./timeline.js";

export const PASS_PRIORITY = 100;

/** @type {chrome.declarativeNetRequest.Rule["condition"]["resourceTypes"]} */
const EVERYTHING = [
  "main_frame", "sub_frame", "stylesheet", "script", "image", "font", "object", "xmlhttprequest", "ping",
  "csp_report", "media", "websocket", "other",
];

/**
 * The pass that *Continue* gives on this judgement. Throws RangeError when it is not a warning.
 * @param {Judgement} judgement
 * @param {number} tab
 * @param {number} now ms
 * @param {Pass[]} held passes so far; the new one gets a number that is free
 * @returns {Pass}
 */
export function grant(judgement, tab, now, held) {
  const { outcome, host, service, verdict, policy_version } = judgement;
  if (!outcome || verdict !== "warn") throw new RangeError(`no pass through "${verdict}"`);
  const id = Math.max(0, ...held.map((pass) => pass.id)) + 1;
  const until = now + Math.max(1, outcome.continue_minutes) * 60_000;
  return { id, tab, host, service, verdict, until, policy_version };
}

/**
 * Whether a pass lets this tab make this visit now.
 * @param {Pass} pass
 * @param {Judgement} judgement
 * @param {number} tab
 * @param {number} now ms
 * @param {boolean} [inFrame]
 */
export function covers(pass, judgement, tab, now, inFrame = false) {
  const here = inFrame || judgement.host === pass.host || judgement.host.endsWith(`.${pass.host}`);
  return pass.tab === tab && here && judgement.service === pass.service && holds(pass, judgement.verdict, now);
}

/**
 * Whether a pass still holds against what the policy now says about its service.
 * @param {Pass} pass
 * @param {Verdict} verdict
 * @param {number} now ms
 */
export function holds(pass, verdict, now) {
  return now < pass.until && VERDICTS.indexOf(verdict) <= VERDICTS.indexOf(pass.verdict);
}

/**
 * The session rules that let the pass's tab through the browser's own engine: everything of the host, and, for a page
 * to work entirely, what it loads from the service's other hosts.
 * @param {Pass} pass
 * @param {string[]} hosts of its service
 * @returns {chrome.declarativeNetRequest.Rule[]}
 */
export function passRules({ id, tab, host }, hosts) {
  const [here, inside] = ruleIds(id);
  const [priority, action] = [PASS_PRIORITY, { type: /** @type {const} */ ("allow") }];
  const own = { requestDomains: [host], tabIds: [tab], resourceTypes: EVERYTHING };
  const other = { requestDomains: [host, ...hosts], tabIds: [tab], resourceTypes: EVERYTHING?.slice(1) };
  return [{ id: here, priority, action, condition: own }, { id: inside, priority, action, condition: other }];
}

/**
 * The numbers of a pass's rules.
 * @param {number} id
 * @returns {[number, number]}
 */
export function ruleIds(id) {
  return [2 * id - 1, 2 * id];
}
