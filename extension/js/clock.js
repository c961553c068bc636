/**
 * What time it is, by the agent's word: server time as the agent knows it. Between two words the time goes on by this
 * worker's monotonic clock, so that setting the laptop's clock changes nothing; a new worker goes on from the laptop's
 * clock corrected by the last word, and never goes back. Until the agent has ever spoken, the laptop's clock counts.
 *
 * @import { Anchor, Reading } from "./time.js"
 * @import { Kept } from "./types.js"
 */

import { storage } from "./browser.js";
import { local, setLocal } from "./state.js";
import { JUMP_MS, parted, resumed, timeAt, told } from "./time.js";

/** @type {Anchor | null} */
let anchor = null;
/** @type {Promise<void> | null} */
let loading = null;
let isLoaded = false;
let seen = read();

/** The time (ms). Rejects when storage cannot be read; the next call tries again. */
export async function now() {
  await (loading ??= load());
  return /** @type {number} */ (peek());
}

/** The time if it is known at once, else null. */
export function peek() {
  if (!isLoaded) return null;
  return anchor ? timeAt(anchor, performance.now()) : Date.now();
}

/**
 * What the laptop's clock will show at `time`: alarms, and the agent's reckoning of observations, go by that clock.
 * @param {number} time ms
 */
export function toWall(time) {
  return time - (peek() ?? Date.now()) + Date.now();
}

/**
 * The agent says what time it is. Resolves to whether everything that depends on time must be done again.
 * @param {unknown} word
 */
export async function hear(word) {
  if (typeof word !== "number" || !Number.isFinite(word)) return false;
  const before = await now();
  anchor = told(word, read());
  await keep();
  const moved = Math.abs(word - before) > JUMP_MS;
  return hasJumped() || moved;
}

/** Remember how far time has come; a worker that starts later does not begin before it. */
export async function keep() {
  if (anchor) await setLocal({ clock: { offset: anchor.offset, known: timeAt(anchor, performance.now()) } });
}

/** Whether the laptop's clock jumped since this was last asked. Nothing follows for the time; alarms must be set again. */
export function hasJumped() {
  const before = seen;
  seen = read();
  return parted(before, seen);
}

/** In a page: go by what the worker writes down, for as long as the page is open. */
export function follow() {
  storage.onChanged.addListener((changes, area) => {
    const kept = /** @type {Kept | undefined} */ (area === "local" ? changes.clock?.newValue : undefined);
    if (kept) anchor = { ...read(), offset: kept.offset, time: kept.known };
  });
}

async function load() {
  try {
    const kept = await local("clock");
    anchor ??= kept && resumed(kept, read());
    isLoaded = true;
  } catch (error) {
    loading = null;
    throw error;
  }
}

/** @returns {Reading} */
function read() {
  return { wall: Date.now(), mono: performance.now() };
}
