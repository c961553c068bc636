import assert from "node:assert/strict";
import { test } from "node:test";

import { checkNotOlder, openPlan, PLAN_TYPE, PlanError } from "../../extension/js/envelope.js";
import { deviceKey, plan, START } from "./plans.js";

const device = await deviceKey();
const other = await deviceKey();
const bytes = (value) => Buffer.from(JSON.stringify(value));
const good = await device.sign(PLAN_TYPE, bytes(plan()));

test("a plan signed by the device's key is opened", async () => {
  assert.deepEqual(await openPlan(good, device.key), plan());
});

/** [sentence, envelope, why] */
const REFUSED = [
  ["another key", await other.sign(PLAN_TYPE, bytes(plan())), "key"],
  ["no signature", { ...good, signatures: [] }, "key"],
  ["another type", await device.sign("application/vnd.abide.batch.v1+json", bytes(plan())), "plan"],
  ["a type changed afterwards", { ...(await device.sign("x", bytes(plan()))), payloadType: PLAN_TYPE }, "plan"],
  ["another payload", { ...good, payload: bytes(plan({ policy_version: 9 })).toString("base64") }, "plan"],
  ["a payload that is not base64", { ...good, payload: "%" }, "plan"],
  ["a payload that is not JSON", await device.sign(PLAN_TYPE, Buffer.from("{")), "plan"],
  ["nothing at all", null, "plan"],
  ["another version of the format", await device.sign(PLAN_TYPE, bytes(plan({ v: 2 }))), "plan"],
  ["no timeline", await device.sign(PLAN_TYPE, bytes(plan({ timeline: [] }))), "plan"],
  ["a set that is not there", await device.sign(PLAN_TYPE, bytes(plan({ timeline: [{ start: START, period: "free", set: 5 }] }))), "plan"],
  ["an outcome that is not there", await device.sign(PLAN_TYPE, bytes(plan({ outcomes: [] }))), "plan"],
  ["no index", await device.sign(PLAN_TYPE, bytes(plan({ index: {} }))), "plan"],
];

for (const [sentence, envelope, why] of REFUSED) {
  test(`refused: ${sentence}`, async () => {
    await assert.rejects(openPlan(envelope, device.key), (error) => error instanceof PlanError && error.why === why);
  });
}

/** [sentence, what comes, whether it is taken over version 3 compiled at START] */
const AGES = [
  ["a newer version", { policy_version: 4, compiled_at: START - 1 }, true],
  ["the same version compiled later", { compiled_at: START + 1 }, true],
  ["the very same plan", {}, true],
  ["the same version compiled earlier", { compiled_at: START - 1 }, false],
  ["an older version, even compiled later", { policy_version: 2, compiled_at: START + 1 }, false],
];

for (const [sentence, change, taken] of AGES) {
  test(`${sentence} is ${taken ? "taken" : "refused"}`, () => {
    const check = () => checkNotOlder(plan(change), plan());
    if (taken) check();
    else assert.throws(check, (error) => error instanceof PlanError && error.why === "version");
  });
}
