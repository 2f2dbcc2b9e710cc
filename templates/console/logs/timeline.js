// One timeline of printed and logged lines, requests and reloads, and its filter.
//
// Pure functions over the state of store.js. Knows nothing of how a row is shown.

/** @import { LogLine, Reload } from "snaxum-events" */
/** @import { ListedRequest } from "../types.js" */
/** @import { State } from "../server/store.js" */

/**
 * @typedef {{ kind: "log", key: string, time_ms: number, log: LogLine }
 *   | { kind: "request", key: string, time_ms: number, request: ListedRequest }
 *   | { kind: "reload", key: string, time_ms: number, reload: Reload }} Row
 */

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const FIELDS = ["log", "level", "error", "file"];

/**
 * Returns the rows, the newest first. A request is at its end: its lines are before it.
 * @param {Pick<State, "logs" | "requests" | "reloads">} state
 * @returns {Row[]}
 */
export function timeline({ logs, requests, reloads }) {
  /** @type {Row[]} */
  const rows = [
    ...requests.map((request) => /** @type {Row} */ ({ kind: "request", key: `request ${request.id}`, time_ms: request.time_ms + request.total_ms, request })),
    ...reloads.map((reload) => /** @type {Row} */ ({ kind: "reload", key: `reload ${reload.id}`, time_ms: reload.time_ms + reload.total_ms, reload })),
    // Several lines may have one time: the number from the oldest on names a line.
    ...logs.map((log, index) => /** @type {Row} */ ({ kind: "log", key: `log ${logs.length - index}`, time_ms: log.time_ms, log })),
  ];
  return rows.sort((one, other) => other.time_ms - one.time_ms);
}

/**
 * Parses a filter: a predicate over rows, and the problems of its terms.
 * @param {string} text
 * @returns {{ matches: (row: Row) => boolean, problems: string[] }}
 */
export function parseTimelineFilter(text) {
  /** @type {string[]} */
  const problems = [];
  const tests = (text.match(/-?(?:[\w]+:)?"[^"]*"|\S+/g) ?? []).map((term) => {
    const isNegated = term.startsWith("-") && term.length > 1;
    const [, field, quoted] = (isNegated ? term.slice(1) : term).match(/^(?:([a-z]+):)?(.*)$/s) ?? [];
    const value = quoted.replaceAll('"', "").toLowerCase();
    if (field === "level" && !LEVELS.includes(value)) {
      problems.push(`level:${value} is not one of ${LEVELS.join(", ")}`);
      return () => true;
    }
    const isField = FIELDS.includes(field);
    const whole = field && !isField ? `${field}:${value}` : value;
    return (/** @type {Row} */ row) => matchesTerm(row, isField ? field : "", whole) !== isNegated;
  });
  return { matches: (row) => tests.every((test) => test(row)), problems };
}

/** @param {Row} row @param {string} field @param {string} value */
function matchesTerm(row, field, value) {
  const has = (/** @type {unknown[]} */ ...texts) => texts.some((text) => text != null && String(text).toLowerCase().includes(value));
  if (field === "log") return row.kind === "log" && has(row.log.line, row.log.logger);
  if (field === "level") return row.kind === "log" && LEVELS.indexOf(row.log.level ?? "info") >= LEVELS.indexOf(value);
  if (field === "error") return errorTexts(row).some((text) => value === "*" || has(text));
  if (field === "file") return filesOf(row).some((file) => has(file));
  return has(...textsOf(row));
}

/** @param {Row} row @returns {string[]} */
function errorTexts(row) {
  const error = row.kind === "request" ? row.request.error : row.kind === "reload" ? row.reload.traceback : null;
  return error ? [`${error.type}: ${error.message}`] : [];
}

/** @param {Row} row @returns {(string | null | undefined)[]} */
function filesOf(row) {
  if (row.kind === "log") return [row.log.file];
  return row.kind === "reload" ? row.reload.files : [row.request.error?.file];
}

/** @param {Row} row @returns {unknown[]} */
function textsOf(row) {
  if (row.kind === "log") return [row.log.line, row.log.level, row.log.logger, row.log.file, row.log.stream];
  if (row.kind === "reload") return [row.reload.summary, ...row.reload.files, ...errorTexts(row)];
  return [row.request.method, row.request.path, row.request.status, row.request.handler, ...errorTexts(row)];
}
