import assert from "node:assert/strict";
import { test } from "node:test";

import { within } from "../../extension/js/deadline.js";

globalThis.chrome = { runtime: {}, storage: { onChanged: { addListener() {} } } };
const { exclusive, PATIENCE_MS } = await import("../../extension/js/state.js");

const DEADLINE_MS = 50;
const OTHERWISE = { redirectUrl: "ours" };
const never = new Promise(() => undefined);
const late = (answer) => new Promise((resolve) => setTimeout(resolve, 20 * DEADLINE_MS, answer));

/** [sentence, judging, answer] */
const TABLE = [
  ["allowed: goes on", () => Promise.resolve({}), {}],
  ["stopped: goes to the page", () => Promise.resolve({ redirectUrl: "page" }), { redirectUrl: "page" }],
  ["a judge that never answers does not hang the request, and does not let it through", () => never, OTHERWISE],
  ["one that answers too late neither", () => late({}), OTHERWISE],
  ["one that fails does not let it through", () => Promise.reject(new Error("storage")), OTHERWISE],
];

for (const [sentence, judging, answer] of TABLE) {
  test(sentence, { timeout: 10 * DEADLINE_MS }, async () => {
    assert.deepEqual(await within(judging(), DEADLINE_MS, OTHERWISE), answer);
  });
}

test("work that never ends does not keep the work after it from beginning", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const begun = [];
  void exclusive(() => never);
  const next = exclusive(async () => begun.push("next"));
  await Promise.resolve();
  assert.deepEqual(begun, []);
  t.mock.timers.tick(PATIENCE_MS);
  await next;
  assert.deepEqual(begun, ["next"]);
});
