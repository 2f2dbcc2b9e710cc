// CSV: read with quotes across lines, and written; invalid CSV is read as far as it goes.

import { JsonNumber } from "./json.js";
import { cellText, inferType } from "./values.js";

const DELIMITERS = ["\t", ",", ";", "|"];
const MAX_COLUMNS = 5000;
const NUMBER = /^-?(?:\d+|\d*\.\d+|\d+\.\d*)(?:[eE][+-]?\d+)?$/;
/** @type {Map<string, boolean>} */
const BOOLS = new Map(/** @type {[string, boolean][]} */ ([["true", true], ["false", false], ["True", true], ["False", false]]));

/**
 * Returns the fields of each line.
 * @param {string} text
 * @returns {{ rows: string[][], problem: string | null }}
 */
export function readCsv(text, delimiter = likelyDelimiter(text)) {
  /** @type {string[][]} */
  const rows = [];
  /** @type {string[]} */
  let row = [];
  let at = 0;
  if (text.startsWith("\ufeff")) at = 1;
  while (at < text.length) {
    let field;
    if (text[at] === '"') {
      const start = at;
      let end = at + 1;
      // Two quotes inside are one.
      for (;;) {
        end = text.indexOf('"', end);
        if (end < 0 || text[end + 1] !== '"') break;
        end += 2;
      }
      field = text.slice(at + 1, end < 0 ? undefined : end).replaceAll('""', '"');
      if (end < 0) {
        rows.push([...row, field]);
        return { rows, problem: `has a quote at character ${start} that does not end` };
      }
      at = end + 1;
    } else field = "";
    const next = endOfField(text, at, delimiter);
    row.push(field + text.slice(at, next));
    at = next;
    if (text[at] === delimiter) {
      at += 1;
      if (at === text.length) row.push("");
      else continue;
    } else if (text[at] === "\r" && text[at + 1] === "\n") at += 2;
    else at += 1;
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return { rows, problem: null };
}

/**
 * @param {string} text
 * @param {number} at
 * @param {string} delimiter
 */
function endOfField(text, at, delimiter) {
  let end = at;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end += 1;
  return end;
}

/** @param {string} text */
function likelyDelimiter(text) {
  const line = text.slice(0, 10_000).split(/\r?\n/, 1)[0].replace(/"[^"]*"/g, "");
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  const most = Math.max(...counts);
  return most > 1 ? DELIMITERS[counts.indexOf(most)] : ",";
}

/**
 * Returns CSV as a table: the first line names the columns, and an empty field is a null.
 * @param {string} text
 * @param {string} [delimiter] if it is known
 * @returns {import("./values.js").Table}
 */
export function csvTable(text, delimiter) {
  const { rows, problem } = readCsv(text, delimiter);
  const [head = [], ...body] = rows;
  let width = head.length;
  for (const row of body) width = Math.max(width, row.length);
  const columns = Array.from({ length: Math.min(width, MAX_COLUMNS) }, (_, index) => {
    const at = converter(body, index);
    return { name: head[index] ?? `(column ${index + 1})`, at, ...inferType(at, body.length) };
  });
  const cut = width > MAX_COLUMNS ? `has ${width} columns; the first ${MAX_COLUMNS} are shown` : null;
  return { columns, length: body.length, problem: problem ?? cut };
}

/**
 * A column is of numbers or of bools if each of its fields is.
 * @param {string[][]} rows
 * @param {number} index
 * @returns {(row: number) => unknown}
 */
function converter(rows, index) {
  const fields = (/** @type {(field: string) => boolean} */ test) => rows.every((row) => !row[index] || test(row[index]));
  if (fields((field) => NUMBER.test(field))) return (row) => (rows[row][index] ? new JsonNumber(rows[row][index]) : null);
  if (fields((field) => BOOLS.has(field))) return (row) => (rows[row][index] ? BOOLS.get(rows[row][index]) : null);
  return (row) => (rows[row][index] ? rows[row][index] : null);
}

/**
 * Returns rows of a table as CSV.
 * @param {import("./values.js").Column[]} columns
 * @param {Iterable<number>} rows
 */
export function writeCsv(columns, rows) {
  const quoted = (/** @type {string} */ text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [columns.map(({ name }) => quoted(name)).join(",")];
  for (const row of rows) lines.push(columns.map(({ at }) => (at(row) === null ? "" : quoted(cellText(at(row))))).join(","));
  return `${lines.join("\r\n")}\r\n`;
}
