/**
 * Which span of a plan is in force at a time, and when that changes. After its `until` a plan repeats its last 7 days;
 * a clock that stands before its start sees its first 7 days, so that no clock setting finds a plan without rules.
 *
 * @import { Outcome, Plan, Span } from "./types.js"
 */

export const WEEK_MS = 7 * 24 * 3600 * 1000;

/** @type {readonly import("./types.js").Verdict[]} */
export const VERDICTS = ["allow", "count", "inform", "warn", "justify", "block"];

/**
 * The span in force at `t`; its `start` is in real time (it may lie in a repeated week).
 * @param {Plan} plan
 * @param {number} t ms
 * @returns {Span}
 */
export function spanAt(plan, t) {
  const [first] = spansFrom(plan, t);
  return /** @type {Span} */ (first);
}

/**
 * When the next period begins (ms), or null when nothing changes for a week.
 * @param {Plan} plan
 * @param {number} t ms
 */
export function nextBoundary(plan, t) {
  const now = spanAt(plan, t);
  return firstStart(plan, t, (span) => span.set !== now.set || span.period !== now.period);
}

/**
 * When the verdict on `service` becomes milder (ms), or null when not within the next week.
 * @param {Plan} plan
 * @param {string} service
 * @param {number} t ms
 */
export function milderAt(plan, service, t) {
  const now = rank(outcomeIn(plan, spanAt(plan, t), service));
  return firstStart(plan, t, (span) => rank(outcomeIn(plan, span, service)) < now);
}

/**
 * What a span says about a service; null: allowed.
 * @param {Plan} plan
 * @param {Span} span
 * @param {string} service
 * @returns {Outcome | null}
 */
export function outcomeIn(plan, span, service) {
  const outcomes = plan.sets[span.set]?.outcomes ?? {};
  const at = Object.hasOwn(outcomes, service) ? outcomes[service] : undefined;
  return at === undefined ? null : (plan.outcomes[at] ?? null);
}

/** @param {Outcome | null} outcome */
function rank(outcome) {
  return outcome ? VERDICTS.indexOf(outcome.verdict) : 0;
}

/**
 * @param {Plan} plan
 * @param {number} t
 * @param {(span: Span) => boolean} wanted
 */
function firstStart(plan, t, wanted) {
  for (const span of spansFrom(plan, t)) {
    if (span.start > t + WEEK_MS) return null;
    if (span.start > t && wanted(span)) return span.start;
  }
  return null;
}

/**
 * The span in force at `t` and those after it, for ever, in real time.
 * @param {Plan} plan
 * @param {number} t
 * @returns {Generator<Span>}
 */
function* spansFrom(plan, t) {
  let shift = shiftOf(plan, t);
  let from = t - shift;
  let wrapped = -Infinity;
  for (;;) {
    const index = plan.timeline.findLastIndex((span) => span.start <= from);
    for (const span of plan.timeline.slice(Math.max(index, 0))) {
      yield { ...span, start: Math.max(span.start, wrapped) + shift };
    }
    shift += WEEK_MS;
    from = wrapped = plan.until - WEEK_MS;
  }
}

/**
 * How far `t` lies from the week of the plan that speaks for it (a multiple of 7 days).
 * @param {Plan} plan
 * @param {number} t
 */
function shiftOf(plan, t) {
  const first = plan.timeline[0]?.start ?? 0;
  if (t >= plan.until) return (Math.floor((t - plan.until) / WEEK_MS) + 1) * WEEK_MS;
  return t < first ? Math.floor((t - first) / WEEK_MS) * WEEK_MS : 0;
}
