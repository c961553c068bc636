import assert from "node:assert/strict";
import { test } from "node:test";

import { parted, resumed, timeAt, told } from "../../extension/js/time.js";
import { HOUR, START } from "./plans.js";

const MINUTE = 60_000;
/** A laptop whose clock is wrong by `wrong` ms at the moment `at`, in a worker that began `mono` ms ago. */
const reading = (at, wrong = 0, mono = 0) => ({ wall: at + wrong, mono });
const atNine = told(START + 9 * HOUR, reading(START + 9 * HOUR, 5 * MINUTE, 1_000));
const kept = { offset: atNine.offset, known: START + 9 * HOUR };
const again = (at, wrong, known = kept.known) => timeAt(resumed({ ...kept, known }, reading(at, wrong)), 0);

/** [sentence, the time that is believed, the time that it is] in hours after the start */
const TABLE = [
  ["the agent's word counts, not the laptop's clock", timeAt(atNine, 1_000), 9],
  ["time goes on by the monotonic clock, however the laptop's clock is set", timeAt(atNine, 1_000 + HOUR), 10],
  ["a later word moves it forward", timeAt(told(START + 12 * HOUR, reading(START + 10 * HOUR)), 0), 12],
  ["a later word moves it back", timeAt(told(START + 8 * HOUR, reading(START + 10 * HOUR)), 0), 8],
  ["a new worker goes on from the laptop's clock, corrected", again(START + 11 * HOUR, 5 * MINUTE), 11],
  ["set back while no worker lived: not before the last time known", again(START + 11 * HOUR, -6 * HOUR), 9],
  ["and from there it goes on", timeAt(resumed(kept, reading(START, 0, 500)), 500 + HOUR), 10],
  ["set forward while no worker lived and the agent is gone: believed (a stated limit)", again(START + 11 * HOUR, 9 * HOUR + 5 * MINUTE), 20],
  ["after that lie a word is still the truth", timeAt(told(START + 11 * HOUR, reading(START + 20 * HOUR)), 0), 11],
  ["slept without the agent: a worker that lived on is late until a word or its end", timeAt(atNine, 1_000 + MINUTE), 9 + 1 / 60],
  ["slept with the agent: its word at waking counts", timeAt(told(START + 17 * HOUR, reading(START + 17 * HOUR, 0, 1_000 + MINUTE)), 1_000 + MINUTE), 17],
  ["slept without the agent: the next worker knows", again(START + 17 * HOUR, 5 * MINUTE, START + 9 * HOUR + MINUTE), 17],
];

for (const [sentence, found, hours] of TABLE) {
  test(sentence, () => assert.equal(found, Math.round(START + hours * HOUR)));
}

/** [sentence, change of the laptop's clock, of the monotonic one, whether that is a jump] */
const JUMPS = [
  ["both clocks went on alike", MINUTE, MINUTE, false],
  ["a correction by the network is none", MINUTE + 900, MINUTE, false],
  ["the clock was set forward", 8 * HOUR, MINUTE, true],
  ["the clock was set back", -8 * HOUR, MINUTE, true],
  ["the laptop slept", 9 * HOUR, 1_000, true],
];

for (const [sentence, wall, mono, isJump] of JUMPS) {
  test(`${sentence}: ${isJump ? "a jump" : "no jump"}`, () => {
    assert.equal(parted(reading(START), { wall: START + wall, mono }), isJump);
  });
}
