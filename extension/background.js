/**
 * The worker: every listener is registered synchronously here, first, so that the browser can wake it for each. What
 * they do lives in js/; what they know lives in storage.
 *
 * @import { Envelope } from "./js/types.js"
 */

import { parseStop } from "./js/address.js";
import { checkAgent, connect, flush, reconnect, records, refuse, report } from "./js/agent.js";
import { bannerClosed } from "./js/banner.js";
import { alarms, askForUpdate, runtime, sendTab, storage, tabs, wasReplaced, webNavigation, webRequest } from "./js/browser.js";
import * as clock from "./js/clock.js";
import { judgeFrame } from "./js/frames.js";
import { guard } from "./js/guard.js";
import { enforce, judgeVisit, setPasses } from "./js/enforce.js";
import { PlanError } from "./js/envelope.js";
import { judge, pageFor } from "./js/judge.js";
import { grant } from "./js/passes.js";
import { take } from "./js/plan.js";
import { forgetStop, recordNotice, recordVisit } from "./js/record.js";
import { currentPlan, exclusive, session, setLocal, setSession } from "./js/state.js";

const TICK_ALARM = "tick";
const UPDATE_ALARM = "update";
const CLOCK_CHECK_MS = 15_000;
/** @type {chrome.webRequest.RequestFilter} */
const PAGES = { urls: ["http://*/*", "https://*/*"], types: ["main_frame", "sub_frame"] };
const WEB = { url: [{ schemes: ["http", "https"] }] };
const OURS = { url: [{ urlPrefix: runtime.getURL("pages/") }] };
const hooks = { plan: obey, refused, turned };

runtime.onInstalled.addListener(() => void start());
runtime.onStartup.addListener(() => void start());
runtime.onUpdateAvailable.addListener(() => runtime.reload());
alarms.onAlarm.addListener(({ name }) => void wake(name));
webNavigation.onBeforeNavigate.addListener((details) => void visit(details, "before"), WEB);
webNavigation.onCommitted.addListener((details) => void visit(details, "after"), WEB);
webNavigation.onHistoryStateUpdated.addListener((details) => void visit(details, "after"), WEB);
webNavigation.onReferenceFragmentUpdated.addListener((details) => void visit(details, "after"), WEB);
webNavigation.onErrorOccurred.addListener((details) => void stopAgain(details), OURS);
webRequest.onBeforeRequest.addListener(/** @type {any} */ (guard), PAGES, ["blocking"]);
tabs.onRemoved.addListener((tab) => void exclusive(() => forgetTab(tab)));
runtime.onMessage.addListener((message, sender, respond) => {
  if (sender.id !== runtime.id) return false;
  void answer(message, sender).then(respond, () => respond(null));
  return true;
});
storage.onChanged.addListener((_changes, area) => {
  if (area === "managed") void reconnect(hooks);
});

void alarms.get(UPDATE_ALARM).then((set) => void (set ?? alarms.create(UPDATE_ALARM, { periodInMinutes: 60 })));
setInterval(() => void (clock.hasJumped() && wake(TICK_ALARM)), CLOCK_CHECK_MS);
void setAlarm();
void exclusive(() => enforce());
void connect(hooks);

/** After an installation, an update or a start of the browser: nothing is taken for granted. */
async function start() {
  await exclusive(() => enforce({ again: true }));
  await flush();
}

/** @param {string} alarm */
async function wake(alarm) {
  await turned();
  if (alarm === TICK_ALARM) await checkAgent(hooks);
  if (alarm === UPDATE_ALARM) await askForUpdate();
}

/** A period may have ended, or a clock was set: every alarm is set again, every tab judged again. */
async function turned() {
  await setAlarm();
  await exclusive(() => enforce());
  await clock.keep();
  await flush();
}

async function setAlarm() {
  await alarms.create(TICK_ALARM, { periodInMinutes: 1 });
}

/**
 * @param {{ tabId: number, frameId: number, url: string }} details
 * @param {"before" | "after"} when
 */
async function visit({ tabId, frameId, url }, when) {
  if (tabId < 0) return;
  if (frameId !== 0) return when === "after" ? exclusive(() => judgeFrame(tabId, frameId, url)) : undefined;
  await exclusive(async () => {
    if (when === "before") await forgetStop(tabId);
    await judgeVisit(tabId, url, when);
  });
  if (when === "after") await flush();
}

/**
 * Pages without an origin (data:, sandboxed) may not be redirected to ours; the tab then goes there by our hand. Not when
 * another visit took this one's place: two stops of one tab would end each other for ever.
 * @param {{ tabId: number, frameId: number, url: string, error?: string }} details
 */
async function stopAgain({ tabId, frameId, url, error = "" }) {
  if (frameId === 0 && parseStop(url) && !wasReplaced(error)) await sendTab(tabId, url);
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
  const refusal = { why: error.why, detail: error.message, at: await clock.now() };
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
  if (message?.type === "shown") return shown(tab, stop, String(message.id));
  return message?.type === "continue" ? pass(tab, stop) : null;
}

/**
 * @param {{ id: number, incognito: boolean }} tab
 * @param {import("./js/address.js").Stop} stop
 * @param {string} id
 */
async function shown(tab, { page, original }, id) {
  const judgement = judge(await currentPlan(), original, await clock.now());
  if (pageFor(judgement.verdict) === page) await recordVisit(tab, judgement, original, id);
  return true;
}

/**
 * @param {{ id: number, incognito: boolean }} tab
 * @param {import("./js/address.js").Stop} stop
 */
async function pass(tab, { page, original }) {
  if (page !== "warn") return null;
  const now = await clock.now();
  const judgement = judge(await currentPlan(), original, now);
  const passes = await session("passes");
  const granted = grant(judgement, tab.id, now, passes);
  await setPasses([...passes, granted]);
  await recordNotice(tab, judgement);
  return { until: granted.until };
}
