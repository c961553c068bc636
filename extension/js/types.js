/**
 * The shapes that pass between the parts. The plan's are made by `abide_rules/plan.py`; nothing here runs.
 *
 * @typedef {"allow" | "count" | "inform" | "warn" | "justify" | "block"} Verdict
 * @typedef {"working" | "free"} Period
 * @typedef {{ en: string, zh: string }} Text
 * @typedef {{ verdict: Verdict, rule: string, clause: string, class: string, reason: Text, instead: Text,
 *   continue_minutes: number, record: boolean }} Outcome
 * @typedef {{ start: number, period: Period, set: number }} Span  in force from `start` (ms) until the next one's start
 * @typedef {{ outcomes: Record<string, number>, dnr: chrome.declarativeNetRequest.Rule[] }} RuleSet
 * @typedef {{ path: Record<string, [path: string, query: string, service: string][]>, exact: Record<string, string>,
 *   suffix: Record<string, string>, vendor: Record<string, string>, wildcard: [pattern: string, service: string][],
 *   labels: string[], paths: string[] }} UrlIndex
 * @typedef {{ name: string, category: string }} ServiceName
 * @typedef {{ v: 1, policy_id: string, policy_version: number, title: Text, compiled_at: number, person: string,
 *   zone: string, timeline: Span[], until: number, outcomes: Outcome[], sets: RuleSet[],
 *   services: Record<string, ServiceName>, index: UrlIndex }} Plan
 *
 * @typedef {{ payloadType: string, payload: string, signatures: { keyid: string, sig: string }[] }} Envelope  DSSE
 * @typedef {{ envelope: Envelope, key: string }} HeldPlan  the last good plan and the key (base64) that signed it
 *
 * @typedef {{ service: string, vendor: string, host: string }} Match  empty strings where there is none
 * @typedef {{ url: string, host: string, service: string, vendor: string, name: string, verdict: Verdict,
 *   outcome: Outcome | null, period: Period, until: number | null, policy_version: number, at: number }} Judgement
 *   made at `at`; `until` (ms) is when the verdict becomes milder by the calendar; null: not within the next week
 *
 * @typedef {{ id: number, tab: number, host: string, service: string, verdict: Verdict, until: number,
 *   policy_version: number }} Pass  one *Continue*: this tab, this host and its sub-hosts, until then
 * @typedef {{ id: string, at: number, kind: "visit" | "notice", service: string, host: string, verdict: Verdict,
 *   rule: string, clause: string, policy_version: number, period: Period, count: boolean }} Observation
 * @typedef {{ at: number, kind: string, service: string, host: string, verdict: Verdict, rule: string,
 *   clause: string, acknowledged: boolean }} Recorded  what the agent says is recorded
 *
 * @typedef {{ key: string, banner: boolean, closed: string }} Shown  what a tab was last shown, and which banner was closed there
 * @typedef {{ policy_version: number, compiled_at: number, set: number, refused: number }} Applied
 *   which rules the browser holds; `refused` counts those that it did not take
 * @typedef {{ policy_version: number, at: number }} InForce  every open tab obeys this version since `at`
 * @typedef {{ port: boolean, connected: boolean, stale: boolean, spooled: number, policy_version: number,
 *   server: string, since: number, problems: Problem[] }} AgentStatus  `port`: the agent answers; `connected`: it reaches its server
 * @typedef {{ code: string, since: number, what: Text, step: Text }} Problem  what the agent says is wrong, and what to do
 * @typedef {{ offset: number, known: number }} Kept  how far server time was ahead of the laptop's clock at the agent's last word, and
 *   the latest time that was known (ms)
 * @typedef {{ why: "key" | "version" | "plan" | "wait", detail: string, at: number }} Refusal  a plan that was not taken
 */

export {};
