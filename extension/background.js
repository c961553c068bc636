/**
 * The worker: every listener is registered synchronously here, first, so that the browser can wake it for each. What
 * they do lives in js/; what they know lives in storage.
 *
 * @import { Envelope } from "./js/types.js"
 */

import { parseStop } from "./js/address.js";
import { checkAgent, connect, flush, records, refuse, report } from "./js/agent.js";
import { bannerClosed } from "./js/banner.js";
import { alarms, runtime, storage, tabs, webNavigation } from "./js/browser.js";
import { enforce, judgeVisit, setPasses } from "./js/enforce.js";
import { PlanError } from "./js/envelope.js";
import { judge, pageFor } from "./js/judge.js";
import { grant } from "./js/passes.js";
import { take } from "./js/plan.js";
import { forgetStop, recordNotice, recordVisit } from "./js/record.js";
import { currentPlan, exclusive, session, setLocal, setSession } from "./js/state.js";

const TICK_ALARM = "tick";
const WEB = { url: [{ schemes: ["http", "https"] }] };
const hooks = { plan: obey, refused };

runtime.onInstalled.addListener(() => void start());
runtime.onStartup.addListener(() => void start());
alarms.onAlarm.addListener(({ name }) => void wake(name));
webNavigation.onBeforeNavigate.addListener((details) => void visit(details, "before"), WEB);
webNavigation.onCommitted.addListener((details) => void visit(details, "after"), WEB);
webNavigation.onHistoryStateUpdated.addListener((details) => void visit(details, "after"), WEB);
webNavigation.onReferenceFragmentUpdated.addListener((details) => void visit(details, "after"), WEB);
tabs.onRemoved.addListener((tab) => void exclusive(() => forgetTab(tab)));
runtime.onMessage.addListener((message, sender, respond) => {
  if (sender.id !== runtime.id) return false;
  void answer(message, sender).then(respond, () => respond(null));
  return true;
});
storage.onChanged.addListener((_changes, area) => {
  if (area === "managed") void checkAgent(hooks);
});

void alarms.create(TICK_ALARM, { periodInMinutes: 1 });
void exclusive(() => enforce());
void connect(hooks);

/** After an installation, an update or a start of the browser: nothing is taken for granted. */
async function start() {
  await exclusive(() => enforce({ again: true }));
  await flush();
}

/** @param {string} alarm */
async function wake(alarm) {
  await exclusive(() => enforce());
  await flush();
  if (alarm === TICK_ALARM) await checkAgent(hooks);
}

/**
 * @param {{ tabId: number, frameId: number, url: string }} details
 * @param {"before" | "after"} when
 */
async function visit({ tabId, frameId, url }, when) {
  if (frameId !== 0 || tabId < 0) return;
  await exclusive(async () => {
    if (when === "before") await forgetStop(tabId);
    await judgeVisit(tabId, url, when);
  });
  if (when === "after") await flush();
}

/**
 * A plan came: verify, keep, apply, judge every tab, then say so.
 * @param {Envelope} envelope
 * @param {string} key
 */
async function obey(envelope, key) {
  try {
    await exclusive(() => take(envelope, key));
  } catch (error) {
    return refused(error);
  }
  report(await exclusive(() => enforce()));
  await flush();
}

/** @param {unknown} error why a key or a plan was not taken; the popup shows it */
async function refused(error) {
  if (!(error instanceof PlanError)) throw error;
  const refusal = { why: error.why, detail: error.message, at: Date.now() };
  await exclusive(() => setLocal({ refusal }));
  refuse(error.why);
}

/** @param {number} tab */
async function forgetTab(tab) {
  const { [tab]: _gone, ...shown } = await session("shown");
  await setSession({ shown });
  await setPasses((await session("passes")).filter((pass) => pass.tab !== tab));
}

/**
 * Answer our own pages, and the banner's one message. What a page stops is read from its address, not from what it says.
 * @param {any} message
 * @param {chrome.runtime.MessageSender} sender
 */
async function answer(message, { url = "", tab, frameId }) {
  if (message?.type === "records" && url.startsWith(runtime.getURL("pages/"))) return records(5);
  if (tab?.id === undefined || frameId !== 0) return null;
  const who = { id: tab.id, incognito: tab.incognito };
  if (message?.type === "banner-closed") return exclusive(() => bannerClosed(who.id, String(message.about)));
  const stop = parseStop(url) ?? parseStop(tab.url ?? "");
  return stop ? exclusive(() => answerStop(message, who, stop)).finally(flush) : null;
}

/**
 * @param {any} message
 * @param {{ id: number, incognito: boolean }} tab
 * @param {import("./js/address.js").Stop} stop
 */
async function answerStop(message, tab, stop) {
  if (message?.type === "shown") return shown(tab, stop);
  return message?.type === "continue" ? pass(tab, stop) : null;
}

/**
 * @param {{ id: number, incognito: boolean }} tab
 * @param {import("./js/address.js").Stop} stop
 */
async function shown(tab, { page, original }) {
  const judgement = judge(await currentPlan(), original, Date.now());
  if (pageFor(judgement.verdict) === page) await recordVisit(tab, judgement, original);
}

/**
 * @param {{ id: number, incognito: boolean }} tab
 * @param {import("./js/address.js").Stop} stop
 */
async function pass(tab, { page, original }) {
  if (page !== "warn") return null;
  const now = Date.now();
  const judgement = judge(await currentPlan(), original, now);
  const passes = await session("passes");
  const granted = grant(judgement, tab.id, now, passes);
  await setPasses([...passes, granted]);
  await recordNotice(tab, judgement);
  return { until: granted.until };
}
