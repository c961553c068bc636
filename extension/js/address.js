/**
 * The addresses of our own pages that stand in the way of a visit. The visit's full URL is their fragment; `back` says
 * how many history entries lie between the page and what the person saw before the visit.
 */

import { ownUrl } from "./browser.js";

const MAX_BACK = 9;

/**
 * @typedef {{ page: "warn" | "block", back: number, original: string }} Stop
 */

/**
 * The address of a page that stops a visit which is already in the tab's history.
 * @param {"warn" | "block"} page
 * @param {string} original
 * @param {Stop | null} from the page of ours that it takes over from
 */
export function stopUrl(page, original, from) {
  return `${ownUrl(`pages/${page}.html`)}?back=${Math.min((from?.back ?? 1) + 1, MAX_BACK)}#${original}`;
}

/**
 * What one of our addresses stops, or null when it is another page's address.
 * @param {string} address
 * @returns {Stop | null}
 */
export function parseStop(address) {
  if (!address.startsWith(ownUrl("pages/"))) return null;
  const found = /^[^?#]*\/pages\/(warn|block)\.html(?:\?back=(\d))?#(https?:.*)$/s.exec(address);
  if (!found) return null;
  const [, page, back, original] = found;
  return { page: page === "block" ? "block" : "warn", back: Number(back ?? 1), original: original ?? "" };
}
