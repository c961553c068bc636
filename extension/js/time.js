/**
 * The reckoning of time, pure: two clocks and the agent's last word in, the time out. `clock.js` reads them.
 *
 * @import { Kept } from "./types.js"
 * @typedef {{ wall: number, mono: number }} Reading  the laptop's clock and this worker's monotonic clock (ms), read at one moment
 * @typedef {Reading & { time: number, offset: number }} Anchor  the time at a reading; `offset` as in {@link Kept}
 */

/** Two clocks that part by more than this were parted by somebody: the laptop's clock was set, or the laptop slept. */
export const JUMP_MS = 2_000;

/**
 * The time (whole ms) at `mono`.
 * @param {Anchor} anchor
 * @param {number} mono
 */
export function timeAt(anchor, mono) {
  return Math.round(anchor.time + mono - anchor.mono);
}

/**
 * Where a new worker goes on from.
 * @param {Kept} kept
 * @param {Reading} reading
 * @returns {Anchor}
 */
export function resumed({ offset, known }, reading) {
  return { ...reading, offset, time: Math.max(reading.wall + offset, known) };
}

/**
 * The agent's word counts, also against what was believed before.
 * @param {number} word ms
 * @param {Reading} reading
 * @returns {Anchor}
 */
export function told(word, reading) {
  return { ...reading, offset: word - reading.wall, time: word };
}

/**
 * Whether the laptop's clock moved otherwise than the monotonic one.
 * @param {Reading} before
 * @param {Reading} after
 */
export function parted(before, after) {
  return Math.abs(after.wall - before.wall - (after.mono - before.mono)) > JUMP_MS;
}
