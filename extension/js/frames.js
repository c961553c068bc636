/**
 * Frames of services in other sites: the engine stops those that load; here are those that were open before, or that
 * went on inside the frame. What is stopped in a frame is not recorded: the site embedded it, the person did not ask.
 *
 * @import { Pass, Plan } from "./types.js"
 */

import { frameUrl } from "./address.js";
import { inject, webNavigation } from "./browser.js";
import { now } from "./clock.js";
import { judge, stopFor } from "./judge.js";
import { currentPlan, session } from "./state.js";

/**
 * Judge a frame that went to `url`.
 * @param {number} tab
 * @param {number} frame
 * @param {string} url
 */
export async function judgeFrame(tab, frame, url) {
  const plan = await currentPlan();
  if (plan) await stopFrame(plan, { tab, frame, url }, await session("passes"), await now());
}

/**
 * Judge every frame of a tab.
 * @param {Plan} plan
 * @param {number} tab
 * @param {Pass[]} passes
 * @param {number} at ms
 */
export async function judgeFrames(plan, tab, passes, at) {
  const frames = (await webNavigation.getAllFrames({ tabId: tab }).catch(() => null)) ?? [];
  const inner = frames.filter(({ frameId }) => frameId !== 0);
  await Promise.all(inner.map(({ frameId, url }) => stopFrame(plan, { tab, frame: frameId, url }, passes, at)));
}

/**
 * @param {Plan} plan
 * @param {{ tab: number, frame: number, url: string }} where
 * @param {Pass[]} passes
 * @param {number} at ms
 */
async function stopFrame(plan, { tab, frame, url }, passes, at) {
  if (!stopFor(judge(plan, url, at), passes, tab, at, true)) return;
  const target = { tabId: tab, frameIds: [frame] };
  await inject({ target, func: leaveFor, args: [frameUrl(url)], injectImmediately: true });
}

/**
 * Runs in the frame.
 * @param {string} address
 */
function leaveFor(address) {
  location.replace(address);
}
