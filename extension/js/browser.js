/**
 * The one place that touches the browser's extension API (`browser.*` in Firefox, `chrome.*` elsewhere).
 * Where the two differ, the difference ends here.
 *
 * @import { Text } from "./types.js"
 */

import { within } from "./deadline.js";

/** @type {typeof chrome} */
const api = /** @type {any} */ (globalThis).browser ?? globalThis.chrome;

export const { runtime, alarms, webNavigation, webRequest, tabs, storage } = api;
export const rules = api.declarativeNetRequest;

const PAGE_PATIENCE_MS = 500;
const NATIVE_HOST = "abide.agent";

/** Open the native-messaging port to the agent; a missing host shows as an immediate disconnect. */
export function connectAgent() {
  return runtime.connectNative(NATIVE_HOST);
}

/** Why the last port closed or call failed, in the browser's words; must be read inside the callback. */
export function lastError() {
  return runtime.lastError?.message ?? "";
}

/**
 * The address of one of the extension's own files.
 * @param {string} path
 */
export function ownUrl(path) {
  return runtime.getURL(path);
}

/**
 * Run a function in a page or frame; says whether it did. A page can be gone, closed to scripts, or not answer.
 * @param {chrome.scripting.ScriptInjection<any, any>} what
 */
export function inject(what) {
  return within(api.scripting.executeScript(what).then(() => true), PAGE_PATIENCE_MS, false);
}

/** Whether {@link sendTab} puts an address in the place of the tab's, so that *Back* does not lead to it. */
export const replacesEntry = "getBrowserInfo" in runtime;

/**
 * Send a tab to an address; one that is gone, or dragged just now, is left alone. Firefox has to replace the history entry:
 * the load of an extension page can hang there while the page before it is kept in memory.
 * @param {number} id
 * @param {string} url
 */
export async function sendTab(id, url) {
  const where = replacesEntry ? { url, loadReplace: true } : { url };
  await tabs.update(id, where).catch(() => undefined);
}

/**
 * Whether a visit that failed with `error` (webNavigation.onErrorOccurred) was given up for another one, or by the person.
 * @param {string} error
 */
export function wasReplaced(error) {
  return error === "net::ERR_ABORTED" || error === "Error code 2152398850"; // NS_BINDING_ABORTED
}

/**
 * A text of the user interface in the browser's language.
 * @param {string} key
 * @param {...string} values for $1, $2 …
 */
export function text(key, ...values) {
  return api.i18n.getMessage(key, values) || key;
}

/** The language of those texts. @returns {"en" | "zh"} */
export function language() {
  return text("language") === "zh" ? "zh" : "en";
}

/**
 * The part of a plan's text that this person reads.
 * @param {Text | undefined} both
 */
export function translated(both) {
  return both?.[language()] ?? "";
}

/** Managed configuration; {} when there is none *or none yet* (it can arrive seconds after a first install). */
export async function managed() {
  try {
    return /** @type {{ device_key?: string, trust_first_agent?: boolean }} */ (await storage.managed.get());
  } catch {
    return {}; // Firefox rejects when no policy names this extension.
  }
}

/** Whether a browser policy installed this extension, so that managed configuration is to be expected. */
export async function isForced() {
  const { installType, mayDisable } = await api.management.getSelf();
  return installType === "admin" || !mayDisable; // Firefox calls it "normal", but takes the switch away.
}

/**
 * Ask for a newer version of this extension (Firefox asks by itself); the answer comes as onUpdateAvailable. Chromium
 * refuses further requests for hours after one, so nothing may ask more often than the hourly alarm.
 */
export async function askForUpdate() {
  await runtime.requestUpdateCheck?.().catch(() => null);
}

/** What to tell the agent about this browser. */
export async function describe() {
  const { version: extension_version } = runtime.getManifest();
  const common = { extension_version, forced: await isForced() };
  const info = await /** @type {any} */ (runtime).getBrowserInfo?.();
  if (info) return { browser: info.name.toLowerCase(), browser_version: info.version, ...common };
  const brand = brands().find(({ brand: name }) => KNOWN.has(name)) ?? { brand: "Chromium", version: "" };
  return { browser: KNOWN.get(brand.brand) ?? "chromium", browser_version: brand.version, ...common };
}

const KNOWN = new Map([
  ["Google Chrome", "chrome"],
  ["Microsoft Edge", "edge"],
  ["Brave", "brave"],
  ["Opera", "opera"],
  ["Vivaldi", "vivaldi"],
  ["Chromium", "chromium"],
]);

/** Most specific first: every such browser also calls itself Chromium. @returns {{ brand: string, version: string }[]} */
function brands() {
  const named = /** @type {any} */ (navigator).userAgentData?.brands ?? [];
  return [...named].sort((a, b) => Number(a.brand === "Chromium") - Number(b.brand === "Chromium"));
}
