/**
 * The judgement of one address at one time. Pure: plan, URL, time and passes in, judgement out. The rules themselves
 * were decided by the engine when the plan was compiled; here they are only looked up.
 *
 * @import { Judgement, Pass, Plan, Verdict } from "./types.js"
 */

import { classify } from "./match.js";
import { covers } from "./passes.js";
import { milderAt, outcomeIn, spanAt } from "./timeline.js";

/**
 * Judge a visit to `url` at `now` (ms). No plan yet, or no service: allowed.
 * @param {Plan | null} plan
 * @param {string} url
 * @param {number} now
 * @returns {Judgement}
 */
export function judge(plan, url, now) {
  if (!plan) return { ...nothing(url), policy_version: 0, at: now };
  const { service, vendor, host } = classify(plan.index, url);
  const span = spanAt(plan, now);
  const outcome = service ? outcomeIn(plan, span, service) : null;
  return {
    url,
    host,
    service,
    vendor,
    name: (Object.hasOwn(plan.services, service) ? plan.services[service]?.name : "") || service,
    verdict: outcome?.verdict ?? "allow",
    outcome,
    period: span.period,
    until: outcome && outcome.verdict !== "allow" ? milderAt(plan, service, now) : null,
    policy_version: plan.policy_version,
    at: now,
  };
}

/**
 * Which of our pages stands in the way of the visit: "" when it may go on (also with a valid pass of this tab).
 * @param {Judgement} judgement
 * @param {Pass[]} passes
 * @param {number} tab
 * @param {number} now ms
 * @param {boolean} [inFrame] a pass opens the whole service to the frames of its tab
 * @returns {"" | "warn" | "block"}
 */
export function stopFor(judgement, passes, tab, now, inFrame = false) {
  const stop = pageFor(judgement.verdict);
  return stop === "warn" && passes.some((pass) => covers(pass, judgement, tab, now, inFrame)) ? "" : stop;
}

/**
 * The page of a verdict, as in the plan's rules: `justify` is a block until a person can justify themselves there.
 * @param {Verdict} verdict
 * @returns {"" | "warn" | "block"}
 */
export function pageFor(verdict) {
  if (verdict === "block" || verdict === "justify") return "block";
  return verdict === "warn" ? "warn" : "";
}

/**
 * @param {string} url
 * @returns {Omit<Judgement, "policy_version" | "at">}
 */
function nothing(url) {
  const verdict = /** @type {const} */ ("allow");
  const period = /** @type {const} */ ("free");
  return { url, host: "", service: "", vendor: "", name: "", verdict, outcome: null, period, until: null };
}
