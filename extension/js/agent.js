/**
 * The agent's side of the extension: one native port, reconnected with growing pauses. The port is the only thing kept
 * in a global: it ends with the worker anyway.
 *
 * @import { AgentStatus, Envelope, InForce, Recorded } from "./types.js"
 * @typedef {{ plan: (envelope: Envelope, key: string) => Promise<unknown>, refused: (error: unknown) => Promise<unknown>,
 *   turned: () => Promise<unknown> }} Hooks  what the background does with news: a plan, a refusal, another time
 */

import { connectAgent, describe, lastError } from "./browser.js";
import { hear, now, toWall } from "./clock.js";
import { pinKey } from "./plan.js";
import { currentPlan, exclusive, local, session, setLocal, setSession } from "./state.js";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const SILENCE_MS = 150_000;
const RECORDS_DEADLINE_MS = 2_000;
const CHUNK = 200;

/** @type {chrome.runtime.Port | null} */
let port = null;
let key = "";
let pause = FIRST_PAUSE_MS;
let heard = 0; // by the monotonic clock
/** @type {Promise<unknown>} */
let inbox = Promise.resolve();
/** @type {((events: Recorded[] | null) => void)[]} */
const asking = [];

/**
 * Connect unless connected. Never throws: without the agent the plan goes on by itself.
 * @param {Hooks} hooks
 */
export async function connect(hooks) {
  if (port) return;
  const opened = connectAgent();
  [port, heard, key] = [opened, performance.now(), ""];
  opened.onMessage.addListener((message) => {
    heard = performance.now();
    inbox = inbox.then(() => receive(message, hooks)).catch((error) => console.warn("agent message:", error));
  });
  opened.onDisconnect.addListener(() => {
    console.info("agent:", /** @type {any} */ (opened).error?.message ?? lastError());
    if (port === opened) closed(hooks);
  });
  const plan = await currentPlan().catch(() => null);
  post({ type: "hello", v: 1, ...(await describe()), policy_version: plan?.policy_version ?? 0 });
}

/**
 * Once a minute: connect if need be, and leave a port on which the agent has gone silent.
 * @param {Hooks} hooks
 */
export async function checkAgent(hooks) {
  if (port && performance.now() - heard > SILENCE_MS) {
    port.disconnect();
    closed(hooks);
  }
  if (port) post({ type: "ping" });
  else await connect(hooks);
}

/**
 * Managed configuration changed, so another key may count: begin anew with the agent.
 * @param {Hooks} hooks
 */
export async function reconnect(hooks) {
  port?.disconnect();
  port = null;
  await connect(hooks);
}

/** Send what waits in the queue; it stays there until the agent has stored it. */
export async function flush() {
  if (!key) return;
  const queue = (await local("queue")).map((made) => ({ ...made, at: toWall(made.at) }));
  for (let at = 0; at < queue.length; at += CHUNK) post({ type: "observed", observations: queue.slice(at, at + CHUNK) });
}

/**
 * Tell the agent what every open tab obeys.
 * @param {InForce | null} in_force
 */
export function report(in_force) {
  if (in_force && key) post({ type: "in_force", ...in_force, at: toWall(in_force.at) });
}

/**
 * Tell the agent that a key or a plan of its was not taken.
 * @param {string} why
 */
export function refuse(why) {
  post({ type: "refused", why });
}

/**
 * What is recorded about this person, newest first; null when the agent does not answer in time.
 * @param {number} limit
 * @returns {Promise<Recorded[] | null>}
 */
export function records(limit) {
  if (!port) return Promise.resolve(null);
  return new Promise((resolve) => {
    asking.push(resolve);
    setTimeout(resolve, RECORDS_DEADLINE_MS, null);
    post({ type: "records", limit });
  });
}

/** @param {object} message */
function post(message) {
  try {
    port?.postMessage(message);
  } catch (error) {
    console.info("agent:", error); // Its disconnect is on the way.
  }
}

/** @param {Hooks} hooks */
function closed(hooks) {
  port = null;
  key = "";
  asking.splice(0).forEach((resolve) => resolve(null));
  void exclusive(() => status({ port: false, connected: false, problems: [] }));
  setTimeout(() => void connect(hooks), pause);
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
}

/**
 * @param {any} message
 * @param {Hooks} hooks
 * @returns {Promise<unknown>}
 */
async function receive(message, hooks) {
  switch (message?.type) {
    case "session":
      return welcome(message.public_key, hooks);
    case "plan":
      return key ? hooks.plan(message.envelope, key) : undefined;
    case "status": {
      const { connected, stale, spooled, policy_version, server, problems = [] } = message;
      return exclusive(() => status({ connected, stale, spooled, policy_version, server, problems }));
    }
    case "stored":
      return exclusive(() => forget(new Set(message.ids)));
    case "records":
      asking.splice(0).forEach((resolve) => resolve(message.events));
      return undefined;
    case "time":
    case "pong":
      return key ? hear(message.now).then((isAnother) => (isAnother ? hooks.turned() : undefined)) : undefined;
    case "unavailable":
      return undefined;
    default:
      return console.info("agent: unknown message", message?.type);
  }
}

/**
 * @param {string} offered
 * @param {Hooks} hooks
 * @returns {Promise<unknown>}
 */
async function welcome(offered, hooks) {
  try {
    key = await exclusive(() => pinKey(offered));
  } catch (error) {
    return hooks.refused(error);
  }
  pause = FIRST_PAUSE_MS;
  const since = await now();
  await exclusive(() => status({ port: true, since }));
  await flush();
  const plan = await currentPlan().catch(() => null);
  const in_force = await local("in_force");
  return report(in_force?.policy_version === plan?.policy_version ? in_force : null);
}

/** @param {Partial<AgentStatus>} change */
async function status(change) {
  await setSession({ agent: { ...(await session("agent")), ...change } });
}

/** @param {Set<string>} ids */
async function forget(ids) {
  await setLocal({ queue: (await local("queue")).filter((made) => !ids.has(made.id)) });
}
