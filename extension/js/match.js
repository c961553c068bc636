/**
 * URL → service, with the plan's index. The same definition as `abide_rules.catalogue.classify`; both are tested with
 * the same vectors. Order: path pattern, exact host, longest suffix (service or vendor), wildcard.
 *
 * @import { Match, UrlIndex } from "./types.js"
 * @typedef {{ host: string, path: string, query: URLSearchParams }} Address  normalised
 * @typedef {{ regex: RegExp, service: string }} Wildcard
 * @typedef {{ wildcards: Wildcard[], labels: Set<string>, paths: Set<string> }} Compiled
 */

/** How many labels of a host that a wildcard pattern matched are certainly not a page of the service itself. */
const REGISTRABLE = 2;
const SCHEMES = new Set(["http:", "https:", "ws:", "wss:"]);
const LOCALE = /^[a-z]{2}(?:[-_][a-z]{2,4})?$/;
const UNRESERVED = /%(4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[de])/gi;

/** @type {WeakMap<UrlIndex, Compiled>} */
const compiled = new WeakMap();

/**
 * Which service a visit to `url` uses. No service and a vendor: a vendor's page that is no use of a service.
 * Anything that is not a web address matches nothing.
 * @param {UrlIndex} index
 * @param {string} url
 * @returns {Match}
 */
export function classify(index, url) {
  const address = parse(url);
  if (!address) return { service: "", vendor: "", host: "" };
  const { host } = address;
  const parents = [...suffixes(host)];
  const service = byPath(index, parents, address) || own(index.exact, host);
  if (service) return { service, vendor: "", host };
  return bySuffix(index, parents, address) ?? byWildcard(index, address) ?? { service: "", vendor: "", host };
}

/**
 * The hosts, with their sub-hosts, on which a service is used.
 * @param {UrlIndex} index
 * @param {string} service
 */
export function hostsOf(index, service) {
  const entries = [...Object.entries(index.suffix), ...Object.entries(index.exact)];
  return entries.flatMap(([host, owner]) => (owner === service ? [host] : []));
}

/**
 * The host of a web address as it is matched (lower case, punycode, no trailing dot), or "".
 * @param {string} url
 */
export function hostOf(url) {
  return parse(url)?.host ?? "";
}

/**
 * @param {string} url
 * @returns {Address | null}
 */
function parse(url) {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, pathname, searchParams } = new URL(url);
  const host = hostname.replace(/\.+$/, "");
  if (!SCHEMES.has(protocol) || !host) return null;
  return { host, path: plainPath(pathname), query: searchParams };
}

/** @param {string} path already free of dot segments, as URL parsers leave it */
function plainPath(path) {
  const decoded = path.replace(UNRESERVED, (code) => String.fromCharCode(parseInt(code.slice(1), 16)));
  return decoded.replace(/\/{2,}/g, "/").toLowerCase();
}

/**
 * The host itself, then each parent domain: longest first.
 * @param {string} host
 * @returns {Generator<string>}
 */
function* suffixes(host) {
  for (let at = 0; ; ) {
    yield host.slice(at);
    const dot = host.indexOf(".", at);
    if (dot < 0) return;
    at = dot + 1;
  }
}

/**
 * @param {UrlIndex} index
 * @param {string[]} parents
 * @param {Address} address
 */
function byPath(index, parents, address) {
  for (const parent of parents) {
    const entries = own(index.path, parent) ?? [];
    const hits = entries.filter(([path, query]) => under(address.path, path) && asked(address.query, query));
    const [longest] = hits.sort((a, b) => b[0].length - a[0].length || b[1].length - a[1].length);
    if (longest) return longest[2];
  }
  return "";
}

/**
 * Whether `path` is `prefix` or lies below it.
 * @param {string} path
 * @param {string} prefix
 */
function under(path, prefix) {
  const start = prefix.toLowerCase().replace(/\/+$/, "");
  return path === start || path.startsWith(`${start}/`);
}

/**
 * @param {URLSearchParams} query
 * @param {string} wanted "k=v" or ""
 */
function asked(query, wanted) {
  if (!wanted) return true;
  const [key, value] = wanted.toLowerCase().split("=", 2);
  return [...query].some(([k, v]) => k.toLowerCase() === key && v.toLowerCase() === (value ?? ""));
}

/**
 * @param {UrlIndex} index
 * @param {string[]} parents
 * @param {Address} address
 * @returns {Match | null}
 */
function bySuffix(index, parents, address) {
  for (const parent of parents) {
    const vendor = own(index.vendor, parent);
    if (vendor) return { service: "", vendor, host: address.host };
    const service = own(index.suffix, parent);
    if (service) return useOrNot(index, address, parent.split(".").length, service);
  }
  return null;
}

/**
 * @param {UrlIndex} index
 * @param {Address} address
 * @returns {Match | null}
 */
function byWildcard(index, address) {
  const hit = prepared(index).wildcards.find(({ regex }) => regex.test(address.host));
  return hit ? useOrNot(index, address, REGISTRABLE, hit.service) : null;
}

/**
 * A service's own pages that are no use of it (status, docs, pricing …) count as the vendor's.
 * @param {UrlIndex} index
 * @param {Address} address
 * @param {number} matched how many labels of the host the pattern took
 * @param {string} service
 * @returns {Match}
 */
function useOrNot(index, { host, path }, matched, service) {
  const { labels, paths } = prepared(index);
  const [first = "", second = ""] = path.slice(1).split("/");
  const segment = LOCALE.test(first) && !paths.has(first) ? second : first;
  const left = host.split(".").slice(0, -matched);
  const use = !left.some((label) => labels.has(label)) && !paths.has(segment);
  return use ? { service, vendor: "", host } : { service: "", vendor: service, host };
}

/**
 * @param {UrlIndex} index
 * @returns {Compiled}
 */
function prepared(index) {
  const held = compiled.get(index);
  if (held) return held;
  const made = {
    wildcards: index.wildcard.map(([pattern, service]) => wildcard(pattern, service)),
    labels: new Set(index.labels),
    paths: new Set(index.paths),
  };
  compiled.set(index, made);
  return made;
}

/**
 * @param {string} pattern `*` is any text inside one label
 * @param {string} service
 * @returns {Wildcard}
 */
function wildcard(pattern, service) {
  const body = pattern.split("*").map((text) => text.replaceAll(".", "\\.")).join("[^.]*");
  return { regex: new RegExp(`^(?:.*\\.)?${body}$`), service };
}

/**
 * A table's own entry: keys such as "constructor" come from the web.
 * @template T
 * @param {Record<string, T>} table
 * @param {string} key
 * @returns {T | undefined}
 */
function own(table, key) {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
