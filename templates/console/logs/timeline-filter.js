// The filter of the timeline: terms such as `log:stock level:warning request:7 -file:tests`.
//
// Pure: a predicate over rows, and the problems of the terms.

/** @import { Predicate, Row } from "./timeline.js" */

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const FIELDS = ["log", "level", "logger", "error", "file", "request"];

/**
 * @param {string} text
 * @returns {{ matches: Predicate, problems: string[] }}
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
    if (field === "request" && !/^#?\d+$/.test(value)) {
      problems.push(`request:${value} is not the number of a request`);
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
  if (field === "logger") return row.kind === "log" && row.log.logger != null && has(row.log.logger);
  if (field === "error") return errorTexts(row).some((text) => value === "*" || has(text));
  if (field === "file") return filesOf(row).some((file) => has(file));
  if (field === "request") return requestOf(row) === value.replace("#", "");
  return has(...textsOf(row));
}

/** @param {Row} row */
function requestOf(row) {
  return row.kind === "log" ? row.log.request : row.kind === "request" ? row.request.id : null;
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
