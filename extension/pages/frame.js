/**
 * The small page where a site has embedded a service that is stopped. It can be framed by anybody, so it has no power:
 * it says what is stopped and by which clause, and links to the visit in a tab of its own, where the whole page answers.
 */

import { frameUrl, parseFrame } from "../js/address.js";
import { storage, text } from "../js/browser.js";
import { follow, now } from "../js/clock.js";
import { judge, pageFor } from "../js/judge.js";
import { currentPlan } from "../js/state.js";
import { at, say, translatePage } from "./dom.js";

const original = parseFrame(location.href);

translatePage();
follow();
storage.onChanged.addListener((changes, area) => {
  if (area === "local" && changes.applied) void render(true);
});
at("open").hidden = original === "";
at("open").setAttribute("href", original || frameUrl(""));
await render(false);

/** @param {boolean} mayLeave the engine just took new rules, so that going on is no circle with it */
async function render(mayLeave) {
  const plan = await currentPlan().catch(() => null);
  if (!plan || !original) return say("heading", text("unknown_title"));
  const { verdict, name, host, outcome } = judge(plan, original, await now());
  const stop = pageFor(verdict);
  if (!stop && mayLeave) return location.replace(original);
  say("heading", stop ? text(`${stop}_always`, name) : text("allowed_title", name || host));
  say("clause", stop && outcome ? text("clause_rule", outcome.clause, outcome.rule) : "");
}
