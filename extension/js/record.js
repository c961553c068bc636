/**
 * Observations: made here, kept in storage until the agent says that they are stored. None is made in private windows.
 *
 * @import { Judgement, Observation } from "./types.js"
 */

import { local, session, setLocal, setSession } from "./state.js";

export const MAX_QUEUE = 5_000;
const DAY_MS = 86_400_000;

/**
 * Note that a person met `judgement` in a tab: once for as long as the tab shows the same thing (`what`), and once for
 * an `id`, however often it is told: the agent knows which it has.
 * @param {{ id: number, incognito: boolean }} tab
 * @param {Judgement} judgement
 * @param {string} what
 * @param {string} [id]
 */
export async function recordVisit(tab, judgement, what, id = crypto.randomUUID()) {
  const shown = await session("shown");
  const key = `${judgement.outcome?.rule} ${judgement.verdict} ${what}`;
  if (shown[tab.id]?.key === key) return;
  const entry = { banner: false, closed: "", ...shown[tab.id], key };
  if (judgement.outcome?.record && !tab.incognito) await enqueue({ ...observation("visit", judgement), id });
  await setSession({ shown: { ...shown, [tab.id]: entry } });
}

/**
 * Note that a person continued through a warning.
 * @param {{ incognito: boolean }} tab
 * @param {Judgement} judgement
 */
export async function recordNotice(tab, judgement) {
  if (judgement.outcome?.record && !tab.incognito) await enqueue(observation("notice", judgement));
}

/**
 * Count a use: at most once per service, period and day, and without the host.
 * @param {Judgement} judgement
 */
export async function recordCount(judgement) {
  const day = `${Math.floor(judgement.at / DAY_MS)}`;
  const key = `${day} ${judgement.period} ${judgement.service}`;
  const today = (await local("counted")).filter((entry) => entry.startsWith(`${day} `));
  if (today.includes(key)) return;
  await setLocal({ counted: [...today, key] });
  await enqueue({ ...observation("visit", judgement), at: Number(day) * DAY_MS, host: "", count: true });
}

/**
 * A new visit begins in a tab, so that the same page shown again is a new one.
 * @param {number} tab
 */
export async function forgetStop(tab) {
  const shown = await session("shown");
  if (shown[tab]?.key.includes("://")) await setSession({ shown: { ...shown, [tab]: { ...shown[tab], key: "" } } });
}

/**
 * @param {Observation["kind"]} kind
 * @param {Judgement} judgement
 * @returns {Observation}
 */
function observation(kind, { service, host, verdict, outcome, policy_version, period, at }) {
  const { rule = "", clause = "" } = outcome ?? {};
  const id = crypto.randomUUID();
  return { id, at, kind, service, host, verdict, rule, clause, policy_version, period, count: false };
}

/** @param {Observation} made */
async function enqueue(made) {
  const queue = await local("queue");
  if (queue.some(({ id }) => id === made.id)) return;
  if (queue.length >= MAX_QUEUE) await setLocal({ lost: (await local("lost")) + 1 });
  else await setLocal({ queue: [...queue, made] });
}
