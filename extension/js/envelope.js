/**
 * Verify a DSSE envelope, read the plan in it, and say whether it may replace another. Verifying raises; nothing here returns a bool.
 * Source: https://github.com/secure-systems-lab/dsse
 *
 * @import { Envelope, Plan } from "./types.js"
 */

export const PLAN_TYPE = "application/vnd.abide.plan.v1+json";

/** A plan that is not taken. `why` names the reason for the popup. */
export class PlanError extends Error {
  /**
   * @param {import("./types.js").Refusal["why"]} why
   * @param {string} detail
   */
  constructor(why, detail) {
    super(detail);
    this.name = "PlanError";
    this.why = why;
  }
}

/**
 * The plan in `envelope`, if the Ed25519 key (base64 of 32 bytes) signed it as a plan. Throws PlanError.
 * @param {Envelope} envelope
 * @param {string} key
 * @returns {Promise<Plan>}
 */
export async function openPlan(envelope, key) {
  if (envelope?.payloadType !== PLAN_TYPE) throw new PlanError("plan", `signed as ${envelope?.payloadType}`);
  const payload = bytes(envelope.payload);
  await verify(envelope, payload, bytes(key));
  return check(parse(payload));
}

/**
 * A plan never goes back: no lower policy version, and for the same version none compiled earlier. Throws PlanError.
 * @param {Plan} plan
 * @param {Plan | null} held signed by the same key
 */
export function checkNotOlder(plan, held) {
  if (!held) return;
  const [now, then] = [plan.policy_version, held.policy_version];
  if (now < then) throw new PlanError("version", `version ${now} is older than version ${then} held here`);
  if (now === then && plan.compiled_at < held.compiled_at) {
    throw new PlanError("version", `version ${now} was compiled before the one held here`);
  }
}

/**
 * @param {Envelope} envelope
 * @param {Uint8Array<ArrayBuffer>} payload
 * @param {Uint8Array<ArrayBuffer>} raw
 */
async function verify(envelope, payload, raw) {
  const keyid = hex(await crypto.subtle.digest("SHA-256", raw));
  const ours = (envelope.signatures ?? []).filter((signature) => signature.keyid === keyid);
  if (ours.length === 0) throw new PlanError("key", "signed by another key than the one this browser trusts");
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]).catch((error) => {
    throw new PlanError("key", `not an Ed25519 key: ${error.message}`);
  });
  for (const { sig } of ours) {
    if (await crypto.subtle.verify("Ed25519", key, bytes(sig), pae(envelope.payloadType, payload))) return;
  }
  throw new PlanError("plan", "the signature does not match the content");
}

/**
 * DSSE's pre-authentication encoding: the bytes that are really signed.
 * @param {string} type
 * @param {Uint8Array<ArrayBuffer>} payload
 */
export function pae(type, payload) {
  const encoder = new TextEncoder();
  const size = encoder.encode(type).length;
  const head = encoder.encode(`DSSEv1 ${size} ${type} ${payload.length} `);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head);
  whole.set(payload, head.length);
  return whole;
}

/** @param {Uint8Array<ArrayBuffer>} payload */
function parse(payload) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    throw new PlanError("plan", `not JSON: ${error}`);
  }
}

/**
 * What later code relies on: a timeline in order whose sets exist, outcomes that exist, and an index.
 * @param {any} plan
 * @returns {Plan}
 */
function check(plan) {
  const fail = (/** @type {string} */ what) => {
    throw new PlanError("plan", `not a plan of version 1: ${what}`);
  };
  if (plan?.v !== 1) fail("v");
  for (const field of ["policy_version", "compiled_at", "until"]) if (!Number.isInteger(plan[field])) fail(field);
  for (const field of ["timeline", "outcomes", "sets"]) if (!Array.isArray(plan[field])) fail(field);
  for (const field of ["title", "services", "index"]) if (!isTable(plan[field])) fail(field);
  for (const field of ["path", "exact", "suffix", "vendor"]) if (!isTable(plan.index[field])) fail(`index.${field}`);
  for (const field of ["wildcard", "labels", "paths"]) if (!Array.isArray(plan.index[field])) fail(`index.${field}`);
  checkSets(plan, fail);
  return plan;
}

/** @param {unknown} value */
function isTable(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {any} plan
 * @param {(what: string) => void} fail
 */
function checkSets(plan, fail) {
  if (plan.timeline.length === 0) fail("empty timeline");
  let before = -Infinity;
  for (const { start, set } of plan.timeline) {
    if (!(start > before && start < plan.until && plan.sets[set])) fail("timeline");
    before = start;
  }
  for (const { outcomes, dnr } of plan.sets) {
    if (!Array.isArray(dnr) || !isTable(outcomes)) fail("sets");
    if (!Object.values(outcomes).every((at) => plan.outcomes[at])) fail("outcomes");
  }
}

/**
 * @param {string} base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
function bytes(base64) {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    throw new PlanError("plan", "not base64");
  }
}

/** @param {ArrayBuffer} digest */
function hex(digest) {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
