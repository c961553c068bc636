import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../../extension/", import.meta.url);
const read = (path) => readFileSync(new URL(path, FOLDER), "utf8");
const messages = (locale) => JSON.parse(read(`_locales/${locale}/messages.json`));
const holes = ({ message }) => [...new Set(message.match(/\$\d/g) ?? [])].sort();

test("both languages have the same texts with the same places to fill in", () => {
  const [en, zh] = [messages("en"), messages("zh_CN")];
  assert.deepEqual(Object.keys(en), Object.keys(zh));
  for (const key of Object.keys(en)) assert.deepEqual(holes(en[key]), holes(zh[key]), key);
});

test("every text that code or pages name exists", () => {
  const known = messages("en");
  const files = ["js/", "pages/"].flatMap((folder) => readdirSync(new URL(folder, FOLDER)).map((name) => folder + name));
  const named = files.flatMap((file) => [...read(file).matchAll(/(?:\btext\(|data-text=)"([a-z_]+)"/g)].map((m) => m[1]));
  assert.ok(named.length > 40);
  assert.deepEqual(named.filter((key) => !(key in known)), []);
});
