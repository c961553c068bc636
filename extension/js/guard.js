/**
 * The layer before a request leaves, where the browser grants it (installed by browser policy, or Firefox): pages and
 * frames are judged with the plan in memory. It sees what the engine cannot: percent-encoded paths, rules it refused.
 *
 * @typedef {{ redirectUrl?: string }} Answer
 * @typedef {{ url: string, tabId: number, type: string }} Request
 */

import { unjudgedUrl, visitUrl } from "./address.js";
import { now, peek } from "./clock.js";
import { within } from "./deadline.js";
import { judge, pageFor, stopFor } from "./judge.js";
import { currentPlan, peekPlan, session } from "./state.js";

/** A request waits no longer than this for a judgement. */
export const DEADLINE_MS = 1_500;

/**
 * What happens to a request: at once when nothing stops it, else when it is judged or the deadline has passed. It never
 * hangs, and is never let through unjudged.
 * @param {Request} request
 * @returns {Answer | Promise<Answer>}
 */
export function guard(request) {
  const [plan, at] = [peekPlan(), peek()];
  if (plan && at !== null && !pageFor(judge(plan, request.url, at).verdict)) return {};
  return within(judged(request), DEADLINE_MS, { redirectUrl: unjudgedUrl(request.url) });
}

/**
 * @param {Request} request
 * @returns {Promise<Answer>}
 */
async function judged({ url, tabId, type }) {
  const plan = await currentPlan();
  if (!plan) return {}; // Nothing is enforced before the first plan.
  const at = await now();
  const stop = stopFor(judge(plan, url, at), await session("passes"), tabId, at, type === "sub_frame");
  return stop ? { redirectUrl: visitUrl(stop, url) } : {};
}
