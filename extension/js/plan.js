/**
 * Which plan holds, and its rules in the browser's own engine.
 *
 * @import { Envelope, Plan, RuleSet } from "./types.js"
 */

import { isForced, managed, ownUrl, rules } from "./browser.js";
import { checkNotOlder, openPlan, PlanError } from "./envelope.js";
import { currentPlan, hold, local, setLocal } from "./state.js";
import { spanAt } from "./timeline.js";

/**
 * The key that plans must be signed with: managed configuration, else the one kept, else the first one offered, which
 * is then kept. An extension that a browser policy installed keeps none before its configuration has come: it can
 * arrive seconds later, and empty means "not yet". Throws PlanError when `offered` is another key, or too early.
 * @param {string} offered base64 of 32 bytes
 * @returns {Promise<string>}
 */
export async function pinKey(offered) {
  const { device_key, trust_first_agent } = await managed();
  const known = device_key || (await local("pinned"));
  if (!known && !trust_first_agent && (await isForced())) throw new PlanError("wait", "no key is configured yet");
  const pinned = known || offered;
  if (offered !== pinned) throw new PlanError("key", "the agent shows another device key than the one kept here");
  await setLocal({ pinned });
  return pinned;
}

/**
 * Verify a plan and keep it as the one in force. Throws PlanError; whatever is held stays then.
 * @param {Envelope} envelope
 * @param {string} key base64, from {@link pinKey}
 * @returns {Promise<Plan>}
 */
export async function take(envelope, key) {
  const plan = await openPlan(envelope, key);
  const held = await local("held");
  checkNotOlder(plan, held?.key === key ? await currentPlan().catch(() => null) : null);
  await hold({ envelope, key }, plan);
  return plan;
}

/**
 * Make the browser's engine hold the rules for `now`; does nothing when it already does, unless `again`.
 * @param {Plan} plan
 * @param {number} now ms
 * @param {boolean} again
 * @returns {Promise<boolean>} whether the rules were changed
 */
export async function apply(plan, now, again) {
  const { policy_version, compiled_at } = plan;
  const { set } = spanAt(plan, now);
  const done = await local("applied");
  const same = done?.policy_version === policy_version && done.compiled_at === compiled_at && done.set === set;
  if (same && !again) return false;
  const refused = await replaceRules(resolve(/** @type {RuleSet} */ (plan.sets[set])));
  await setLocal({ applied: { policy_version, compiled_at, set, refused } });
  return true;
}

/**
 * Swap all dynamic rules in one step. When the browser refuses the lot because of single rules, the rest is applied;
 * the second layer (every navigation is judged) covers what is missing.
 * @param {chrome.declarativeNetRequest.Rule[]} addRules
 * @returns {Promise<number>} how many were refused
 */
async function replaceRules(addRules) {
  const removeRuleIds = (await rules.getDynamicRules()).map((rule) => rule.id);
  try {
    await rules.updateDynamicRules({ removeRuleIds, addRules });
    return 0;
  } catch {
    const taken = await Promise.all(addRules.map(supported));
    const usable = addRules.filter((_, at) => taken[at]);
    await rules.updateDynamicRules({ removeRuleIds, addRules: usable });
    return addRules.length - usable.length;
  }
}

/** @param {chrome.declarativeNetRequest.Rule} rule */
async function supported({ action, condition }) {
  if (!condition.regexFilter) return true;
  const isCaseSensitive = condition.isUrlFilterCaseSensitive ?? false;
  const requireCapturing = action.type === "redirect";
  return (await rules.isRegexSupported({ regex: condition.regexFilter, isCaseSensitive, requireCapturing })).isSupported;
}

/**
 * Put our pages' addresses where the plan says `abide:block` or `abide:warn`; `\0` is the original URL.
 * @param {RuleSet} set
 * @returns {chrome.declarativeNetRequest.Rule[]}
 */
function resolve({ dnr }) {
  return dnr.map((rule) => {
    const page = /^abide:(block|warn)$/.exec(rule.action.redirect?.regexSubstitution ?? "");
    if (!page) return rule;
    const regexSubstitution = `${ownUrl(`pages/${page[1]}.html`)}#\\0`;
    return { ...rule, action: { ...rule.action, redirect: { regexSubstitution } } };
  });
}
