/**
 * The popup: what is in force, why, and what was recorded. Read from storage, so that it is right without the agent.
 *
 * @import { AgentStatus, Judgement, Observation, Plan, Problem, Recorded } from "../js/types.js"
 */

import { parseStop } from "../js/address.js";
import { isForced, managed, runtime, storage, tabs, text, translated } from "../js/browser.js";
import { follow, now as clockNow } from "../js/clock.js";
import { judge, stopFor } from "../js/judge.js";
import { currentPlan, local, session } from "../js/state.js";
import { nextBoundary, spanAt } from "../js/timeline.js";
import { clock, relative } from "../js/when.js";
import { at, say, translatePage } from "./dom.js";

const SHOWN = 5;

translatePage();
follow();
storage.onChanged.addListener(() => void render());
await render();

async function render() {
  const plan = await currentPlan().catch(() => null);
  const now = await clockNow();
  await Promise.all([renderPlan(plan, now), renderTab(plan, now), renderAgent(now), renderRecords(plan, now)]);
}

/**
 * @param {Plan | null} plan
 * @param {number} now
 */
async function renderPlan(plan, now) {
  const boundary = plan ? nextBoundary(plan, now) : null;
  say("period", text(plan ? `period_${spanAt(plan, now).period}` : "no_plan"));
  say("period-until", boundary ? text("until_time", clock(boundary, now), relative(boundary, now)) : plan ? "" : text("no_plan_more"));
  say("policy", plan ? text("policy_line", translated(plan.title), String(plan.policy_version)) : text("no_policy"));
  const in_force = await local("in_force");
  const since = in_force && in_force.policy_version === plan?.policy_version ? in_force.at : 0;
  say("policy-since", since ? text("in_force_since", clock(since, now), relative(since, now)) : "");
  const missing = (await local("applied"))?.refused ?? 0;
  say("engine", missing ? text("engine_refused", String(missing)) : "");
  const refusal = await local("refusal");
  say("refusal", refusal ? text(`refusal_${refusal.why}`, clock(refusal.at, now)) : "");
}

/**
 * @param {Plan | null} plan
 * @param {number} now
 */
async function renderTab(plan, now) {
  const [tab] = await tabs.query({ active: true, currentWindow: true });
  const url = parseStop(tab?.url ?? "")?.original ?? tab?.url ?? "";
  const judgement = judge(plan, url, now);
  const passes = await session("passes");
  const pass = passes.find((held) => held.tab === tab?.id && held.service === judgement.service);
  const passed = judgement.verdict !== "allow" && pass && !stopFor(judgement, passes, tab?.id ?? -1, now);
  say("tab", tabLine(judgement));
  say("tab-more", passed ? text("tab_pass", clock(pass.until, now)) : translated(judgement.outcome?.reason));
}

/** @param {Judgement} judgement */
function tabLine({ service, vendor, name, verdict }) {
  if (service) return text("tab_service", name, text(`verdict_${verdict}`));
  return text(vendor ? "tab_vendor" : "tab_none");
}

/** @param {number} now */
async function renderAgent(now) {
  const agent = await session("agent");
  say("agent", text(agent.port ? "agent_on" : "agent_off"));
  at("agent").dataset.state = agent.port ? "good" : "care";
  say("agent-more", text(agentMore(agent), agent.server, clock(agent.since, now)));
  renderProblem(agent.problems ?? [], now);
  say("managed", text(await trust()));
}

/** Which agent this browser believes, and who decided that. */
async function trust() {
  const { device_key, trust_first_agent } = await managed();
  if (device_key) return "managed_yes";
  if (trust_first_agent) return "managed_first";
  return (await isForced()) && !(await local("pinned")) ? "managed_wait" : "managed_no";
}

/**
 * The most urgent problem that the agent names, and what to do about it.
 * @param {Problem[]} problems
 * @param {number} now ms
 */
function renderProblem([problem, ...others], now) {
  at("problem-box").hidden = !problem;
  say("problem", translated(problem?.what));
  say("problem-step", translated(problem?.step));
  const since = problem?.since ? text("problem_since", clock(problem.since, now), relative(problem.since, now)) : "";
  say("problem-since", others.length ? text("problem_more", since, String(others.length)).trim() : since);
}

/** @param {AgentStatus} agent */
function agentMore(agent) {
  if (!agent.port) return "agent_off_more";
  if (agent.stale) return "agent_stale";
  return agent.connected ? "agent_server_on" : "agent_server_off";
}

/**
 * @param {Plan | null} plan
 * @param {number} now
 */
async function renderRecords(plan, now) {
  const queue = await local("queue");
  const lost = await local("lost");
  say("queue", queue.length ? text("queue", String(queue.length)) : "");
  say("lost", lost ? text("lost", String(lost)) : "");
  /** @type {Recorded[] | null} */
  const known = await runtime.sendMessage({ type: "records" }).catch(() => null);
  const shown = known ?? queue.slice(-SHOWN).reverse();
  say("records-none", shown.length ? "" : text(known ? "records_none" : "records_unknown"));
  at("records").replaceChildren(...shown.slice(0, SHOWN).map((entry) => item(entry, plan, now)));
}

/**
 * @param {Recorded | Observation} entry
 * @param {Plan | null} plan
 * @param {number} now
 */
function item(entry, plan, now) {
  const line = document.createElement("li");
  const time = line.appendChild(document.createElement("time"));
  time.dateTime = new Date(entry.at).toISOString();
  time.textContent = clock(entry.at, now);
  if (entry.kind === "policy_in_force") {
    line.append(text("kind_policy_in_force"));
    return line;
  }
  const name = plan?.services[entry.service]?.name ?? (entry.service || text("kind_other"));
  const what = text(entry.kind === "notice" ? "kind_notice" : `verdict_${entry.verdict}`);
  line.append(text("record_line", name, what, entry.clause));
  return line;
}
