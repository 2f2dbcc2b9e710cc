// The filter language of the Requests tab: parses text into a predicate over one request.
//
// Pure: never touches the page or the state. A request must match all terms. An invalid term is reported
// and omitted; the others still apply.

/** @import { Phases } from "snaxum-events" */
/** @import { ListedRequest } from "../types.js" */

/** Facts that a request does not have itself. @typedef {{ profiled: Set<string> }} Facts */
/** Returns whether a request matches. @typedef {(request: ListedRequest, facts: Facts) => boolean} Test */
/** A term is a test, or invalid for a reason. @typedef {{ test: Test, problem?: undefined } | { test?: undefined, problem: string }} Term */
/** `parse` turns a value into a test, or returns null if it is invalid. @typedef {{ example: string, parse: (value: string) => Test | null }} Field */

const TIMES = ["total", "read", "queue", "gil", "py", "convert", "send"];
// The words of the page for them.
/** @type {Record<string, string>} */
const TIME_NAMES = { reading: "read", thread: "queue", lock: "gil", code: "py", encoding: "convert", sending: "send" };
// The times of calls to databases and HTTP servers.
/** @type {Map<string, (request: ListedRequest) => number>} */
const CALL_TIMES = new Map([
  ["sql", ({ call_summary }) => call_summary?.sql_ms ?? 0],
  ["http", ({ call_summary }) => call_summary?.http_ms ?? 0],
]);
const NO_FACTS = { profiled: /** @type {Set<string>} */ (new Set()) };
/** @type {Record<string, number>} */
const UNITS = { us: 0.001, "µs": 0.001, ms: 1, s: 1000, "": 1 };

/** The fields of `field:value`. @type {Record<string, Field>} */
const FIELDS = {
  status: {
    example: "status:5xx",
    parse(value) {
      if (/^[1-5]xx$/i.test(value)) return ({ status }) => Math.floor(status / 100) === Number(value[0]);
      return /^\d{3}$/.test(value) ? ({ status }) => status === Number(value) : null;
    },
  },
  method: {
    example: "method:POST",
    parse: (value) => (value ? ({ method }) => method.toLowerCase() === value.toLowerCase() : null),
  },
  path: { example: "path:/orders*", parse: (value) => byGlob(value, ({ path }) => path) },
  route: { example: "route:/users/<int:id>", parse: (value) => byGlob(value, ({ route }) => route) },
  handler: { example: "handler:orders.create", parse: (value) => bySubstring(value, ({ handler }) => [handler]) },
  mode: { example: "mode:async", parse: (value) => bySubstring(value, ({ mode }) => [mode]) },
  version: { example: "version:8", parse: byVersion },
  id: { example: "id:118", parse: (value) => (value ? ({ id }) => String(id) === value : null) },
  has: { example: "has:profile", parse: (value) => (Object.hasOwn(PARTS, value.toLowerCase()) ? PARTS[value.toLowerCase()] : null) },
  error: {
    example: "error:ZeroDiv",
    parse(value) {
      if (value === "*") return ({ error }) => Boolean(error);
      return bySubstring(value, ({ error }) => [error?.type, error?.message]);
    },
  },
};

/** Other names of fields, which a message does not propose. @type {Record<string, string>} */
const ALIASES = { gen: "version" };
/** The names after `has:`. @type {Record<string, Test>} */
const PARTS = {
  profile: ({ id }, { profiled }) => profiled.has(id),
  calls: ({ call_summary }) => Boolean(call_summary),
  error: ({ error }) => Boolean(error),
};

/** The terms that have a button. */
export const CHIPS = [
  { term: "status:5xx", label: "5xx" },
  { term: "status:4xx", label: "4xx" },
  { term: "error:*", label: "exceptions" },
  { term: ">100ms", label: "slow >100 ms" },
  { term: "thread>50ms", label: "waited >50 ms" },
];

/**
 * Parses a filter. `matches` is the predicate; `problems` has a message for each invalid term.
 * @param {string} text
 * @returns {{ matches: (request: ListedRequest, facts?: Facts) => boolean, problems: string[] }}
 */
export function parseFilter(text) {
  const tests = /** @type {Test[]} */ ([]);
  const problems = /** @type {string[]} */ ([]);
  for (const term of terms(text)) {
    const isNot = term.length > 1 && term.startsWith("-");
    const { test, problem } = parseTerm(isNot ? term.slice(1) : term);
    if (!test) problems.push(problem);
    else tests.push(isNot ? (request, facts) => !test(request, facts) : test);
  }
  return { matches: (request, facts = NO_FACTS) => tests.every((test) => test(request, facts)), problems };
}

/**
 * Returns whether `term` is one of the terms of `text`.
 * @param {string} text
 * @param {string} term
 */
export function hasTerm(text, term) {
  return terms(text).includes(term);
}

/**
 * Returns the text with `term` appended, or removed if it was there.
 * @param {string} text
 * @param {string} term
 */
export function toggleTerm(text, term) {
  const all = terms(text);
  const others = all.filter((each) => each !== term);
  return (others.length < all.length ? others : [...all, term]).join(" ");
}

/**
 * Quotes a value if it has spaces. It ends at a quote, which the language cannot express.
 * @param {string} text
 */
export function quoteValue(text) {
  return /[\s"]/.test(text) ? `"${text.split('"')[0]}"` : text;
}

/**
 * While the user is typing, an open quote extends to the end.
 * @param {string} text
 * @returns {string[]}
 */
function terms(text) {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/**
 * @param {string} term
 * @returns {Term}
 */
function parseTerm(term) {
  const plain = term.replaceAll('"', "");
  if (term.startsWith('"')) return { test: byText(plain) };
  if (/^n\+1$/i.test(plain)) return { test: ({ call_summary }) => Boolean(call_summary?.repeated) };
  const limit = plain.match(/^([a-z]*)([<>])(=?)(.*)$/i);
  if (limit && !term.includes(":")) return parseLimit(term, limit);
  const [name, value] = splitField(plain);
  const field = name !== null && Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (field === null) return { test: byText(plain) };
  if (!Object.hasOwn(FIELDS, field)) {
    const known = Object.keys(FIELDS).join(", ");
    return { problem: `\`${field}:\` is not a field; use one of ${known}, or write "${plain}" to search for the text` };
  }
  const test = FIELDS[field].parse(value);
  return test ? { test } : { problem: `\`${plain}\` has an invalid value; write it like \`${FIELDS[field].example}\`` };
}

/**
 * @param {string} plain
 * @returns {[string, string] | [null, string]}
 */
function splitField(plain) {
  const colon = plain.indexOf(":");
  return colon < 1 ? [null, plain] : [plain.slice(0, colon).toLowerCase(), plain.slice(colon + 1)];
}

/**
 * @param {string} term
 * @param {string[]} parts
 * @returns {Term}
 */
function parseLimit(term, [, name, sign, orEqual, rest]) {
  const lower = name.toLowerCase() || "total";
  const isMore = sign === ">";
  if (lower === "calls") {
    if (!/^\d+$/.test(rest)) return { problem: `\`${term}\` has an invalid value; write it like \`calls>5\`` };
    return { test: comparison(isMore, Boolean(orEqual), Number(rest), ({ call_summary }) => call_summary?.count ?? 0) };
  }
  const key = Object.hasOwn(TIME_NAMES, lower) ? TIME_NAMES[lower] : lower;
  if (!TIMES.includes(key) && !CALL_TIMES.has(key)) return { problem: `\`${name}\` is not a time; use one of total, ${Object.keys(TIME_NAMES).join(", ")}, sql, http; or calls` };
  const amount = rest.match(/^(\d+(?:\.\d+)?)(us|µs|ms|s|)$/i);
  if (!amount) return { problem: `\`${term}\` has an invalid value; write it like \`>100ms\` or \`thread>50ms\`` };
  const limit = Number(amount[1]) * UNITS[amount[2].toLowerCase()];
  const ofPhase = (/** @type {ListedRequest} */ { phases }) => phases?.[/** @type {keyof Phases} */ (key)] ?? 0;
  const time_ms = CALL_TIMES.get(key) ?? (key === "total" ? (/** @type {ListedRequest} */ { total_ms }) => total_ms : ofPhase);
  return { test: comparison(isMore, Boolean(orEqual), limit, time_ms) };
}

/**
 * @param {boolean} isMore
 * @param {boolean} orEqual
 * @param {number} limit
 * @param {(request: ListedRequest) => number} valueOf
 * @returns {Test}
 */
function comparison(isMore, orEqual, limit, valueOf) {
  if (isMore) return orEqual ? (request) => valueOf(request) >= limit : (request) => valueOf(request) > limit;
  return orEqual ? (request) => valueOf(request) <= limit : (request) => valueOf(request) < limit;
}

/**
 * @param {string} value
 * @returns {Test | null}
 */
function byVersion(value) {
  return /^g?\d+$/i.test(value) ? ({ generation }) => generation === Number(value.replace(/^g/i, "")) : null;
}

/**
 * Matches the text anywhere in the columns of a row.
 * @param {string} text
 * @returns {Test}
 */
function byText(text) {
  const needle = text.toLowerCase();
  return ({ method, path, query, status, error }) =>
    `${method} ${path}${query ? `?${query}` : ""} ${status} ${error ? `${error.type}: ${error.message}` : ""}`.toLowerCase().includes(needle);
}

/**
 * @param {string} value
 * @param {(request: ListedRequest) => (string | null | undefined)[]} textsOf
 * @returns {Test | null}
 */
function bySubstring(value, textsOf) {
  const needle = value.toLowerCase();
  return needle ? (request) => textsOf(request).some((text) => text?.toLowerCase().includes(needle) ?? false) : null;
}

/**
 * Matches the whole text; each `*` matches any text. Not by a regular expression, which could backtrack for minutes.
 * @param {string} value
 * @param {(request: ListedRequest) => string | null | undefined} textOf
 * @returns {Test | null}
 */
function byGlob(value, textOf) {
  if (!value) return null;
  const [first, ...rest] = value.toLowerCase().split("*");
  const last = rest.pop();
  return (request) => {
    const text = textOf(request)?.toLowerCase();
    if (text == null || last === undefined) return text === first;
    if (!text.startsWith(first)) return false;
    let position = first.length;
    for (const part of rest) {
      const found = text.indexOf(part, position);
      if (found < 0) return false;
      position = found + part.length;
    }
    return text.length - last.length >= position && text.endsWith(last);
  };
}
