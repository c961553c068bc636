/**
 * Everything the extension remembers. The worker may be stopped between any two events, so nothing lives in globals:
 * `local` outlives the browser, `session` ends with it. Writers go through {@link exclusive}.
 *
 * @import { AgentStatus, Applied, HeldPlan, InForce, Kept, Observation, Pass, Plan, Refusal, Shown } from "./types.js"
 * @typedef {{ held: HeldPlan | null, pinned: string, refusal: Refusal | null, queue: Observation[], lost: number,
 *   counted: string[], applied: Applied | null, in_force: InForce | null,
 *   clock: Kept | null }} Local
 *   `lost`: observations that found the queue full; `counted`: what was counted on the current day
 * @typedef {{ passes: Pass[], shown: Record<string, Shown>, agent: AgentStatus }} Session
 */

import { storage } from "./browser.js";
import { within } from "./deadline.js";
import { openPlan } from "./envelope.js";

/** @type {Local} */
const LOCAL = {
  held: null, pinned: "", refusal: null, queue: [], lost: 0, counted: [], applied: null, in_force: null, clock: null,
};
/** @type {Session} */
const SESSION = {
  passes: [],
  shown: {},
  agent: { port: false, connected: false, stale: false, spooled: 0, policy_version: 0, server: "", since: 0, problems: [] },
};

/**
 * @template {keyof Local} K
 * @param {K} key
 * @returns {Promise<Local[K]>}
 */
export async function local(key) {
  return /** @type {any} */ (await storage.local.get({ [key]: LOCAL[key] }))[key];
}

/** @param {Partial<Local>} values */
export async function setLocal(values) {
  await storage.local.set(values);
}

/**
 * @template {keyof Session} K
 * @param {K} key
 * @returns {Promise<Session[K]>}
 */
export async function session(key) {
  return /** @type {any} */ (await storage.session.get({ [key]: SESSION[key] }))[key];
}

/** @param {Partial<Session>} values */
export async function setSession(values) {
  await storage.session.set(values);
}

export const PATIENCE_MS = 10_000;

/** @type {Promise<unknown>} */
let tail = Promise.resolve();

/**
 * Run `work` after everything that was handed in before it: read-change-write never overlaps. Not re-entrant. What takes
 * longer than {@link PATIENCE_MS} is not waited for any more, so that nothing can end enforcement by never ending.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export function exclusive(work) {
  const result = tail.then(work);
  tail = within(result, PATIENCE_MS, undefined);
  return result;
}

/** @type {{ sig: string, plan: Plan } | null} */
let opened = null;

storage.onChanged.addListener(({ held }, area) => {
  if (area !== "local" || !held || !opened) return;
  const now = /** @type {HeldPlan | undefined} */ (held.newValue);
  if (!now || mark(now) !== opened.sig) opened = null;
});

/**
 * The last good plan, its signature verified again when it is read, or null when there is none (yet). It stays in memory
 * until another one is held, so that a page that loads waits for no storage.
 * @returns {Promise<Plan | null>}
 */
export async function currentPlan() {
  if (opened) return opened.plan;
  const held = await local("held");
  if (!held) return null;
  const plan = await openPlan(held.envelope, held.key);
  opened = { sig: mark(held), plan };
  return plan;
}

/** The plan that this worker has in memory, if any: the newest, as only the worker writes it. */
export function peekPlan() {
  return opened?.plan ?? null;
}

/**
 * Keep a plan whose signature was just verified.
 * @param {HeldPlan} held
 * @param {Plan} plan what was read from it
 */
export async function hold(held, plan) {
  await setLocal({ held, refusal: null });
  opened = { sig: mark(held), plan };
}

/** @param {HeldPlan} held */
function mark({ key, envelope }) {
  return JSON.stringify([key, envelope.signatures]);
}
