/** Times for people: local, in the language of the user interface. */

import { language } from "./browser.js";

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]];

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");

/**
 * "17:30" today, else with the day: "Monday, 30 November, 09:00".
 * @param {number} at ms
 * @param {number} now ms
 */
export function clock(at, now) {
  /** @type {Intl.DateTimeFormatOptions} */
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const today = new Date(at).toDateString() === new Date(now).toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const day = { weekday: "long", day: "numeric", month: "long" };
  return new Intl.DateTimeFormat(locale(), today ? time : { ...day, ...time }).format(at);
}

/**
 * "in 3 hours", "5 minutes ago".
 * @param {number} at ms
 * @param {number} now ms
 */
export function relative(at, now) {
  const [unit, size] = UNITS.find(([, ms]) => Math.abs(at - now) >= 2 * ms) ?? ["minute", 60_000];
  const count = size > 60_000 ? Math.round((at - now) / size) : Math.ceil((at - now) / size);
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(count, unit);
}
