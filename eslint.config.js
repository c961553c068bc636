import js from "@eslint/js";
import globals from "globals";

const browserApi = ["chrome", "browser"].map((name) => ({
  name,
  message: "extension/js/browser.js is the only file that touches the browser's extension API.",
}));
const markup = ["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({
  property,
  message: "Texts are set as text.",
}));

export default [
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-implicit-globals": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-restricted-properties": ["error", ...markup],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      "max-lines": ["error", 300],
      complexity: ["error", 14],
    },
  },
  {
    files: ["extension/**/*.js"],
    languageOptions: { sourceType: "module", globals: globals.browser },
    rules: { "no-restricted-globals": ["error", ...browserApi] },
  },
  { files: ["extension/js/browser.js"], rules: { "no-restricted-globals": "off" } },
  { files: ["tests/extension/**/*.js"], languageOptions: { sourceType: "module", globals: globals.node } },
];
