/**
 * Obeying the plan in the browser: its rules in the engine, and every open tab judged. This is the second layer, which
 * also sees what the engine cannot: same-page navigation, percent-encoded paths, tabs that were open before.
 *
 * @import { InForce, Judgement, Pass, Plan } from "./types.js"
 * @typedef {{ id: number, url: string, incognito: boolean }} Tab
 */

import { parseStop, stopUrl } from "./address.js";
import { hideBanner, showBanner } from "./banner.js";
import { alarms, rules, sendTab, tabs } from "./browser.js";
import { now as clockNow, toWall } from "./clock.js";
import { judgeFrames } from "./frames.js";
import { judge, stopFor } from "./judge.js";
import { hostsOf } from "./match.js";
import { holds, passRules, ruleIds } from "./passes.js";
import { apply } from "./plan.js";
import { recordCount, recordVisit } from "./record.js";
import { currentPlan, local, session, setLocal, setSession } from "./state.js";
import { nextBoundary, outcomeIn, spanAt } from "./timeline.js";

export const BOUNDARY_ALARM = "boundary";
export const PASSES_ALARM = "passes";

/**
 * Bring the rules up to now and judge every open tab. `again` sets the rules even if they seem to be there.
 * Returns what is in force, or null when no plan has come yet.
 * @param {{ again?: boolean }} [how]
 * @returns {Promise<InForce | null>}
 */
export async function enforce({ again = false } = {}) {
  const plan = await currentPlan();
  if (!plan) return null;
  const now = await clockNow();
  const passes = await keepValidPasses(plan, now);
  await apply(plan, now, again);
  const boundary = nextBoundary(plan, now);
  if (boundary) alarms.create(BOUNDARY_ALARM, { when: toWall(boundary) });
  const open = await openTabs();
  await Promise.all(open.map((tab) => judgeTab(plan, tab, passes, now)));
  await Promise.all(open.map((tab) => judgeFrames(plan, tab.id, passes, now)));
  return noteInForce(plan);
}

/**
 * Judge one tab after it went to `url`, or before, when the engine will not see that it must be stopped.
 * @param {number} id
 * @param {string} url
 * @param {"before" | "after"} when
 */
export async function judgeVisit(id, url, when) {
  const plan = await currentPlan();
  if (!plan) return;
  const now = await clockNow();
  await apply(plan, now, false);
  if (when === "before" && !url.includes("%")) return;
  const tab = await tabs.get(id).catch(() => null);
  if (tab) await judgeTab(plan, { id, url, incognito: tab.incognito }, await session("passes"), now);
}

/**
 * End the passes that time or a stricter policy has ended, in the engine too.
 * @param {Plan} plan
 * @param {number} now ms
 * @returns {Promise<Pass[]>} those that remain
 */
async function keepValidPasses(plan, now) {
  const before = await session("passes");
  const span = spanAt(plan, now);
  const passes = before.filter((pass) => holds(pass, outcomeIn(plan, span, pass.service)?.verdict ?? "allow", now));
  await setPasses(passes);
  return passes;
}

/**
 * Keep these passes and no others: in storage, in the engine, and with an alarm for the first to end.
 * @param {Pass[]} passes
 */
export async function setPasses(passes) {
  const old = await rules.getSessionRules();
  const keep = new Set(passes.flatMap((pass) => ruleIds(pass.id)));
  const have = new Set(old.map((rule) => rule.id));
  const removeRuleIds = old.map((rule) => rule.id).filter((id) => !keep.has(id));
  const fresh = passes.filter((pass) => !have.has(ruleIds(pass.id)[0]));
  const index = fresh.length ? (await currentPlan())?.index : null;
  const addRules = fresh.flatMap((pass) => passRules(pass, index ? hostsOf(index, pass.service) : []));
  if (removeRuleIds.length + addRules.length) await rules.updateSessionRules({ removeRuleIds, addRules });
  await setSession({ passes });
  if (passes.length) alarms.create(PASSES_ALARM, { when: toWall(Math.min(...passes.map((pass) => pass.until))) });
}

/** @returns {Promise<Tab[]>} */
async function openTabs() {
  const all = await tabs.query({});
  return all.flatMap(({ id, url, incognito }) => (id === undefined || !url ? [] : [{ id, url, incognito }]));
}

/**
 * @param {Plan} plan
 * @param {Tab} tab
 * @param {Pass[]} passes
 * @param {number} now ms
 */
async function judgeTab(plan, tab, passes, now) {
  const ours = parseStop(tab.url);
  const judgement = judge(plan, ours?.original ?? tab.url, now);
  const stop = stopFor(judgement, passes, tab.id, now);
  if (ours?.page === stop) return; // It follows changes of the texts by itself.
  if (stop) return sendTab(tab.id, stopUrl(stop, judgement.url, ours));
  if (ours) return sendTab(tab.id, ours.original);
  await letThrough(tab, judgement);
}

/**
 * @param {Tab} tab
 * @param {Judgement} judgement
 */
async function letThrough(tab, judgement) {
  if (judgement.verdict !== "inform") await hideBanner(tab.id);
  if (judgement.verdict === "count" && !tab.incognito) await recordCount(judgement);
  if (judgement.verdict !== "inform") return;
  if (await showBanner(tab.id, judgement)) await recordVisit(tab, judgement, judgement.service);
}

/**
 * @param {Plan} plan
 * @returns {Promise<InForce>}
 */
async function noteInForce({ policy_version }) {
  const before = await local("in_force");
  if (before?.policy_version === policy_version) return before;
  const in_force = { policy_version, at: await clockNow() };
  await setLocal({ in_force });
  return in_force;
}
