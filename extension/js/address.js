/**
 * The addresses of our own pages that stand in the way of a visit. The visit's full URL is their fragment; `open` says
 * that the page was open before, and how many history entries lead back to what the person saw before the visit.
 */

import { ownUrl, replacesEntry } from "./browser.js";

const MAX_BACK = 9;

/**
 * @typedef {{ page: "warn" | "block", back: number, open: boolean, original: string }} Stop
 */

/**
 * The address of a page that stops a visit which is already in the tab's history.
 * @param {"warn" | "block"} page
 * @param {string} original
 * @param {Stop | null} from the page of ours that it takes over from
 */
export function stopUrl(page, original, from) {
  const back = (from?.back ?? 1) + (replacesEntry ? 0 : 1);
  return `${ownUrl(`pages/${page}.html`)}?open=${Math.min(back, MAX_BACK)}#${original}`;
}

/**
 * The address of a page that stops a visit before it is in the tab's history, as the engine's rules write it.
 * @param {"warn" | "block"} page
 * @param {string} original
 */
export function visitUrl(page, original) {
  return `${ownUrl(`pages/${page}.html`)}#${original}`;
}

/**
 * The address of the page for a visit that could not be judged.
 * @param {string} original
 */
export function unjudgedUrl(original) {
  return `${ownUrl("pages/block.html")}?unjudged#${original}`;
}

/**
 * The address of the small page inside another site's frame.
 * @param {string} original
 */
export function frameUrl(original) {
  return `${ownUrl("pages/frame.html")}#${original}`;
}

/**
 * What the small page in a frame stops; "" when the address names no visit.
 * @param {string} address
 */
export function parseFrame(address) {
  return /^[^?#]*\/pages\/frame\.html#(https?:.*)$/s.exec(address)?.[1] ?? "";
}

/**
 * What one of our addresses stops, or null when it is another page's address.
 * @param {string} address
 * @returns {Stop | null}
 */
export function parseStop(address) {
  if (!address.startsWith(ownUrl("pages/"))) return null;
  const found = /^[^?#]*\/pages\/(warn|block)\.html(?:\?(?:open=(\d)|unjudged))?#(https?:.*)$/s.exec(address);
  if (!found) return null;
  const [, kind, back, original = ""] = found;
  return { page: kind === "block" ? "block" : "warn", back: Number(back ?? 1), open: back !== undefined, original };
}
