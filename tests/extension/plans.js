/** Small plans for the tables, and a key to sign them with. */

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const START = Date.UTC(2026, 10, 23); // a Monday

const both = (text) => ({ en: text, zh: text });

export function outcome(verdict, extra = {}) {
  return {
    verdict, rule: `rule-${verdict}`, clause: "BUS-1", class: "prohibited", reason: both("why"),
    instead: both("instead"), continue_minutes: 15, record: true, ...extra,
  };
}

export const INDEX = {
  path: { "x.com": [["/i/grok", "", "grok"]], "google.com": [["/search", "udm=50", "ai-mode"]] },
  exact: { "chat.openai.com": "chatgpt" },
  suffix: { "chatgpt.com": "chatgpt", "claude.ai": "claude", "docs.real.example": "real" },
  vendor: { "openai.com": "openai", "cdn.chatgpt.com": "openai" },
  wildcard: [["*.openai.azure.com", "azure-openai"], ["*-ai.cloud.example", "cloud-ai"]],
  labels: ["docs", "status"],
  paths: ["pricing", "about"],
};

/** Eight days from START: working 9 to 17 (set 0), free else (set 1); ChatGPT blocked at work and warned of else. */
export function plan(extra = {}) {
  const timeline = [{ start: START, period: "free", set: 1 }];
  for (let day = 0; day < 8; day++) {
    timeline.push({ start: START + day * DAY + 9 * HOUR, period: "working", set: 0 });
    timeline.push({ start: START + day * DAY + 17 * HOUR, period: "free", set: 1 });
  }
  return {
    v: 1, policy_id: "test", policy_version: 3, title: both("Test"), compiled_at: START, person: "", zone: "UTC",
    timeline, until: START + 8 * DAY,
    outcomes: [outcome("block"), outcome("warn"), outcome("inform")],
    sets: [{ outcomes: { chatgpt: 0, grok: 2 }, dnr: [] }, { outcomes: { chatgpt: 1, grok: 2 }, dnr: [] }],
    services: { chatgpt: { name: "ChatGPT", category: "chat" } },
    index: INDEX,
    ...extra,
  };
}

const base64 = (bytes) => Buffer.from(bytes).toString("base64");

/** A device key: its public half as the agent shows it, and a way to sign. */
export async function deviceKey() {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const keyid = Buffer.from(await crypto.subtle.digest("SHA-256", raw)).toString("hex");
  const sign = async (payloadType, payload) => {
    const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `;
    const sig = await crypto.subtle.sign("Ed25519", pair.privateKey, Buffer.concat([Buffer.from(head), payload]));
    return { payloadType, payload: base64(payload), signatures: [{ keyid, sig: base64(new Uint8Array(sig)) }] };
  };
  return { key: base64(raw), sign };
}
