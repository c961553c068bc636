import assert from "node:assert/strict";
import { test } from "node:test";

import { milderAt, nextBoundary, spanAt } from "../../extension/js/timeline.js";
import { DAY, HOUR, plan, START } from "./plans.js";

/** [sentence, hours after the start, period, hours until the next boundary] */
const TABLE = [
  ["the first night is free", 1, "free", 8],
  ["a period begins on the minute", 9, "working", 8],
  ["and ends on the minute", 17, "free", 16],
  ["a millisecond before, it still holds", 17 - 1 / HOUR, "working", 1 / HOUR],
  ["after the end the last week comes again: night", 8 * 24 + 1, "free", 8],
  ["after the end the last week comes again: day", 8 * 24 + 10, "working", 7],
  ["and again weeks later", 60 * 24 + 10, "working", 7],
  ["the boundary at the plan's end is not lost", 7 * 24 + 18, "free", 15],
  ["a clock before the start sees the first week", -14, "working", 7],
];

for (const [sentence, hours, period, next] of TABLE) {
  test(sentence, () => {
    const t = START + hours * HOUR;
    assert.equal(spanAt(plan(), t).period, period);
    assert.equal(Math.round(((nextBoundary(plan(), t) ?? 0) - t) / 1), Math.round(next * HOUR));
  });
}

test("a plan of one period has no boundary", () => {
  assert.equal(nextBoundary(plan({ timeline: [{ start: START, period: "free", set: 1 }] }), START + DAY), null);
});

test("a block lasts until it becomes milder", () => {
  assert.equal(milderAt(plan(), "chatgpt", START + 10 * HOUR), START + 17 * HOUR);
});

test("what does not become milder has no end", () => {
  assert.equal(milderAt(plan(), "chatgpt", START + 18 * HOUR), null);
  assert.equal(milderAt(plan(), "grok", START + 10 * HOUR), null);
});
