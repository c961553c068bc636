import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { classify, hostOf } from "../../extension/js/match.js";
import { INDEX } from "./plans.js";

/** [sentence, url, service, whether it is a vendor's page] */
const TABLE = [
  ["a service's host is its use", "https://chatgpt.com/", "chatgpt", false],
  ["sub-hosts are a use too", "https://ab.chatgpt.com/c/1?x#y", "chatgpt", false],
  ["case, port, user and trailing dots do not matter", "https://me:pw@ChatGPT.com..:8443/", "chatgpt", false],
  ["a web socket is a use", "wss://chatgpt.com/ws", "chatgpt", false],
  ["full-width letters are the same host", "https://ｃｈａｔｇｐｔ.com/", "chatgpt", false],
  ["a longer name is another host", "https://notchatgpt.com/", "", false],
  ["a name in front of another domain is not it", "https://chatgpt.com.evil.example/", "", false],
  ["user information is not the host", "https://chatgpt.com@evil.example/", "", false],
  ["an exact host is a use", "https://chat.openai.com/", "chatgpt", false],
  ["but not the hosts below it", "https://a.chat.openai.com/", "", true],
  ["the vendor's host is no use", "https://openai.com/research", "", true],
  ["the longest suffix wins", "https://cdn.chatgpt.com/x.js", "", true],
  ["status pages are no use", "https://status.chatgpt.com/", "", true],
  ["pricing is no use", "https://claude.ai/pricing", "", true],
  ["nor behind a language", "https://claude.ai/zh-CN/pricing/team", "", true],
  ["a word that only begins so is a use", "https://claude.ai/pricing-bot", "claude", false],
  ["a label of the pattern itself does not count", "https://docs.real.example/", "real", false],
  ["a path pattern", "https://x.com/i/grok", "grok", false],
  ["on a sub-host, with more path", "https://www.x.com/i/grok/share/1", "grok", false],
  ["in any case, encoded, with doubled slashes", "https://x.com//I/%67rok", "grok", false],
  ["through dot segments", "https://x.com/a/../i/./grok", "grok", false],
  ["only at a segment's end", "https://x.com/i/grokking", "", false],
  ["the rest of a shared host is nothing", "https://x.com/home?u=/i/grok", "", false],
  ["a query parameter that must be there", "https://www.google.com/search?q=a&UDM=50", "ai-mode", false],
  ["another value is not it", "https://www.google.com/search?udm=501", "", false],
  ["a wildcard is a label", "https://acme.openai.azure.com/", "azure-openai", false],
  ["or a part of one", "https://eu-ai.cloud.example/", "cloud-ai", false],
  ["and needs it", "https://openai.azure.com/", "", false],
  ["other schemes match nothing", "ftp://chatgpt.com/", "", false],
  ["nonsense matches nothing", "chatgpt", "", false],
  ["names that objects inherit are no patterns", "https://constructor/", "", false],
];

for (const [sentence, url, service, vendor] of TABLE) {
  test(sentence, () => {
    const match = classify(INDEX, url);
    assert.deepEqual([match.service, match.vendor !== ""], [service, vendor]);
  });
}

test("an international host is compared as punycode", () => {
  assert.equal(hostOf("https://例え.テスト./"), "xn--r8jz45g.xn--zckzah");
});

test("the shared vectors give what abide-policy classify gives", () => {
  const read = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8"));
  const { index } = read("index.json");
  for (const { url, service, vendor } of read("classify.json").filter((one) => URL.canParse(one.url))) {
    const match = classify(index, url);
    assert.equal(match.service, service ?? "", url);
    if (!service) assert.equal(match.vendor !== "", vendor !== null, url);
  }
});
