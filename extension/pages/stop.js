/**
 * The page in the way of a visit: says what happened, why, until when, and what instead. It reads the held plan itself,
 * so that it needs neither agent nor network, and follows every change of it.
 *
 * @import { Judgement, Plan } from "../js/types.js"
 * @import { Stop } from "../js/address.js"
 */

import { frameUrl, parseStop } from "../js/address.js";
import { ownUrl, runtime, storage, tabs, text, translated } from "../js/browser.js";
import { follow, now as clockNow } from "../js/clock.js";
import { judge, pageFor } from "../js/judge.js";
import { currentPlan } from "../js/state.js";
import { clock, relative } from "../js/when.js";
import { at, row, say, translatePage } from "./dom.js";

const REFRESH_MS = 30_000;
const LOOP_MS = 10_000;
const TELL_AFTER_MS = [0, 100, 1_000, 5_000, 30_000];
const UNJUDGED = "?unjudged";

const page = document.body.dataset.page === "warn" ? "warn" : "block";
const framed = window.top !== window;

if (framed) location.replace(frameUrl(parseStop(location.href)?.original ?? "")); // A frame has its own small page.
translatePage();
follow();
at("back").addEventListener("click", () => void goBack());
at("copy").addEventListener("click", () => void copy());
at("continue").addEventListener("click", (event) => void goOn(event));
at("retry").addEventListener("click", () => location.replace(parseStop(location.href)?.original ?? "about:blank"));
storage.onChanged.addListener((changes, area) => {
  if (area === "local" && changes.applied) void render(false);
});
setInterval(() => void render(true), REFRESH_MS);
await render(true);
at("heading").focus();
if (!framed) await tellShown();

/**
 * Have the visit recorded. The worker can be stopped at any moment, so it is told until it says that it has it; the same
 * page loaded again, or come back to, is the same visit.
 */
async function tellShown() {
  const { visit: id = crypto.randomUUID() } = history.state ?? {};
  history.replaceState({ visit: id }, "");
  for (const pause of TELL_AFTER_MS) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (await runtime.sendMessage({ type: "shown", id }).catch(() => null)) return;
  }
}

/** @param {boolean} mayLeave false while the worker is judging every tab anyway: it takes this one where it belongs */
async function render(mayLeave) {
  const stop = parseStop(location.href);
  const plan = await currentPlan().catch(() => null);
  if (!stop || !plan) return renderUnknown(stop);
  const judgement = judge(plan, stop.original, await clockNow());
  if (pageFor(judgement.verdict) !== page) return mayLeave ? leave(judgement, stop) : undefined;
  renderJudgement(plan, judgement, stop);
}

/**
 * @param {Plan} plan
 * @param {Judgement} judgement
 * @param {Stop} stop
 */
function renderJudgement(plan, judgement, stop) {
  const { outcome, name, period, until, url, at: now } = judgement;
  const timed = period === "working" && until !== null;
  document.title = text(`${page}_${timed ? "working" : "always"}`, name);
  say("heading", document.title);
  say("lead", text(page === "warn" ? "warn_lead" : stop.open ? "block_lead_open" : "block_lead"));
  say("policy", text("policy_line", translated(plan.title), String(plan.policy_version)));
  say("address", url);
  row("reason", translated(outcome?.reason));
  row("instead", translated(outcome?.instead));
  row("until", until === null ? text("until_changed") : text("time_relative", clock(until, now), relative(until, now)));
  row("clause", outcome ? text("clause_rule", outcome.clause, outcome.rule) : "");
  say("about-recorded", text(outcome?.record ? "about_recorded" : "about_nothing", judgement.host));
  renderContinue(judgement);
}

/** @param {Judgement} judgement */
function renderContinue({ outcome, host }) {
  const offered = page === "warn" && !framed && outcome !== null;
  const minutes = String(outcome?.continue_minutes ?? 0);
  say("continue", offered ? text("continue_for", minutes) : "");
  const note = [text("continue_note", host, minutes), outcome?.record ? text("continue_recorded") : ""];
  say("continue-note", offered ? note.join(" ").trim() : "");
  at("continue").setAttribute("aria-describedby", "continue-note");
}

/**
 * No plan can be read, or the address names no visit: say the little that is known, and never open anything.
 * @param {Stop | null} stop
 */
function renderUnknown(stop) {
  document.title = text("unknown_title");
  say("heading", document.title);
  say("lead", text("unknown_lead"));
  say("address", stop?.original ?? "");
  if (location.search === UNJUDGED) renderUnjudged();
  for (const id of ["reason", "instead", "until", "clause"]) row(id, "");
  at("copy").hidden = !stop;
}

/** The second layer had no answer in time: trying again is all there is to do. */
function renderUnjudged() {
  document.title = text("unjudged_title");
  say("heading", document.title);
  say("lead", text("unjudged_lead"));
  say("retry", text("retry"));
}

/**
 * The policy or the hour has changed: go where the visit belongs now. Going there twice within seconds would be a
 * circle with the browser's engine, so then the person decides when to try again.
 * @param {Judgement} judgement
 * @param {Stop} stop
 */
function leave(judgement, stop) {
  const wanted = pageFor(judgement.verdict);
  if (wanted) return location.replace(`${ownUrl(`pages/${wanted}.html`)}${location.search}#${stop.original}`);
  const tried = Number(sessionStorage.getItem(stop.original) ?? 0);
  sessionStorage.setItem(stop.original, String(judgement.at));
  if (judgement.at - tried > LOOP_MS && !framed) return location.replace(stop.original);
  renderUnknown(stop);
  say("heading", text("allowed_title", judgement.name || judgement.host));
  say("lead", text("allowed_lead"));
  say("retry", text("try_again"));
}

/** @param {MouseEvent} event */
async function goOn(event) {
  if (!event.isTrusted || framed) return;
  const original = parseStop(location.href)?.original;
  const answer = await runtime.sendMessage({ type: "continue" }).catch(() => null);
  if (answer && original) location.replace(original);
  else say("live", text("continue_failed"));
}

async function goBack() {
  const steps = parseStop(location.href)?.back ?? 1;
  if (history.length > steps) return history.go(-steps);
  const tab = await tabs.getCurrent();
  await tabs.create({});
  if (tab?.id !== undefined) await tabs.remove(tab.id);
}

async function copy() {
  await navigator.clipboard.writeText(at("address").textContent ?? "");
  say("live", text("copied"));
}
