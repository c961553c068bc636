import assert from "node:assert/strict";
import { test } from "node:test";

import { judge, stopFor } from "../../extension/js/judge.js";
import { grant, passRules } from "../../extension/js/passes.js";
import { HOUR, outcome, plan, START } from "./plans.js";

const WORK = START + 10 * HOUR;
const NIGHT = START + 20 * HOUR;
const MINUTE = 60_000;
const CHAT = "https://chatgpt.com/c/1";

/** [sentence, url, time, verdict, page] */
const TABLE = [
  ["blocked at work", CHAT, WORK, "block", "block"],
  ["warned of in free time", CHAT, NIGHT, "warn", "warn"],
  ["informed, and let through", "https://x.com/i/grok", WORK, "inform", ""],
  ["a service without an outcome is allowed", "https://claude.ai/", WORK, "allow", ""],
  ["a vendor's page is allowed", "https://status.chatgpt.com/", WORK, "allow", ""],
  ["the rest of the web is allowed", "https://example.org/", WORK, "allow", ""],
  ["our own pages are no visit", "chrome-extension://abc/pages/block.html#https://chatgpt.com/", WORK, "allow", ""],
];

for (const [sentence, url, now, verdict, page] of TABLE) {
  test(sentence, () => {
    const judgement = judge(plan(), url, now);
    assert.equal(judgement.verdict, verdict);
    assert.equal(stopFor(judgement, [], 1, now), page);
  });
}

test("justify stops like a block, as in the plan's rules", () => {
  const strict = plan({ outcomes: [outcome("justify"), outcome("warn"), outcome("inform")] });
  assert.equal(stopFor(judge(strict, CHAT, WORK), [], 1, WORK), "block");
});

test("a judgement names the service and its end", () => {
  const { name, until, host } = judge(plan(), CHAT, WORK);
  assert.deepEqual([name, until, host], ["ChatGPT", START + 17 * HOUR, "chatgpt.com"]);
});

test("no plan yet judges nothing", () => {
  assert.equal(judge(null, CHAT, WORK).verdict, "allow");
});

const pass = grant(judge(plan(), CHAT, NIGHT), 7, NIGHT, []);

/** [sentence, tab, url, ms after Continue, page] */
const PASSES = [
  ["a pass lets its tab through", 7, CHAT, MINUTE, ""],
  ["and to the hosts below", 7, "https://ab.chatgpt.com/", MINUTE, ""],
  ["but no other tab", 8, CHAT, MINUTE, "warn"],
  ["nor another host of the service", 7, "https://chat.openai.com/", MINUTE, "warn"],
  ["until the minute it ends", 7, CHAT, 15 * MINUTE, "warn"],
  ["and never through a block", 7, CHAT, 13 * HOUR, "block"],
];

for (const [sentence, tab, url, later, page] of PASSES) {
  test(sentence, () => {
    const now = NIGHT + later;
    assert.equal(stopFor(judge(plan(), url, now), [{ ...pass, until: Math.max(pass.until, 0) }], tab, now), page);
  });
}

test("a stricter policy ends a pass at once", () => {
  const strict = plan({ outcomes: [outcome("block"), outcome("block"), outcome("inform")] });
  assert.equal(stopFor(judge(strict, CHAT, NIGHT), [pass], 7, NIGHT + 1), "block");
});

test("there is no pass through a block", () => {
  assert.throws(() => grant(judge(plan(), CHAT, WORK), 7, WORK, []), RangeError);
});

test("a pass opens everything of its host, and of the service's other hosts what is no page of its own", () => {
  const [own, other] = passRules(pass, ["chatgpt.com", "chat.com"]);
  for (const { priority, action, condition } of [own, other]) {
    assert.deepEqual([priority, action.type, condition.tabIds], [100, "allow", [7]]);
  }
  assert.deepEqual([own.condition.requestDomains, other.condition.requestDomains.at(-1)], [["chatgpt.com"], "chat.com"]);
  assert.deepEqual([own, other].map((rule) => rule.condition.resourceTypes.includes("main_frame")), [true, false]);
});

test("a pass lets the frames of its tab use the service's other hosts, and no other service", () => {
  const frame = (url) => stopFor(judge(plan(), url, NIGHT), [pass], 7, NIGHT, true);
  assert.deepEqual([frame("https://chat.openai.com/"), stopFor(judge(plan(), CHAT, NIGHT), [pass], 8, NIGHT, true)], ["", "warn"]);
});
