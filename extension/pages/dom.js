/** Small helpers of the pages. Texts are only ever set as text. */

import { language, text } from "../js/browser.js";

/**
 * The element with this id. Throws TypeError when the page has none.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function at(id) {
  const found = document.getElementById(id);
  if (!found) throw new TypeError(`no #${id}`);
  return found;
}

/** Set the page's language and every text that is marked with data-text. */
export function translatePage() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.getAttribute("data-text") ?? "");
  }
}

/**
 * Set a text, and leave the element alone when it says that already (so that screen readers are not told again).
 * An empty text hides the element.
 * @param {string} id
 * @param {string} value
 */
export function say(id, value) {
  const element = at(id);
  if (element.textContent !== value) element.textContent = value;
  element.hidden = value === "";
}

/**
 * A row of a description list; an empty text hides it.
 * @param {string} id of the dd, whose row is its parent
 * @param {string} value
 */
export function row(id, value) {
  say(id, value);
  const parent = at(id).parentElement;
  if (parent) parent.hidden = value === "";
}
