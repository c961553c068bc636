import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.chrome = { runtime: { getURL: (path) => `chrome-extension://abide/${path}` } };
const { decideRequest } = await import("../../extension/js/guard.js");

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
    assert.deepEqual(await decideRequest(judging(), DEADLINE_MS, OTHERWISE), answer);
  });
}
