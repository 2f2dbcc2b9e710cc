// One value of a table: its type, its text and its order, for values of JSON, CSV, Arrow and Parquet alike.

import { JsonNumber, JsonObject, isContainer, jsonText } from "./json.js";

/** @import { JsonValue } from "./json.js" */

/**
 * @typedef {"bool" | "int" | "float" | "text" | "time" | "list" | "object" | "bytes" | "null"} Kind
 * @typedef {object} Column
 * @property {string} name
 * @property {string} type a `Kind`, "mixed", or the type that the file names
 * @property {(row: number) => unknown} at null for a null, undefined for a value that is missing
 * @property {boolean} isNumeric whether its values have an order as numbers
 * @typedef {{ columns: Column[], length: number, problem?: string | null }} Table
 */

// A date, or a time with a date, as Python and JavaScript write it.
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;
// The rows that decide the type of a column.
const SAMPLE = 1000;
const MAX_DEPTH = 20;
// The items of a list in a cell.
const MAX_ITEMS = 10_000;

/**
 * @param {unknown} value
 * @returns {Kind}
 */
export function kindOf(value) {
  if (value === null || value === undefined) return "null";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return Number.isInteger(value) ? "int" : "float";
    case "string":
      return TIME.test(value) ? "time" : "text";
  }
  if (value instanceof JsonNumber) return /^-?\d+$/.test(value.text) ? "int" : "float";
  if (value instanceof Date) return "time";
  if (value instanceof Uint8Array) return "bytes";
  return Array.isArray(value) || ArrayBuffer.isView(value) ? "list" : "object";
}

/**
 * Returns the text of a value, without marks around a string; cut after about `limit` characters.
 * @param {unknown} value
 * @param {number} [limit]
 */
export function cellText(value, limit = Infinity) {
  if (value === null) return "null";
  if (value === undefined) return "";
  if (typeof value === "string") return value.length > limit ? `${value.slice(0, limit)}…` : value;
  if (value instanceof JsonNumber) return value.text;
  if (value instanceof Date) return dateText(value);
  if (value instanceof Uint8Array) return bytesText(value);
  return typeof value === "object" ? jsonText(plain(value), limit) : String(value);
}

/**
 * Returns a value of another reader as one of `json.js`.
 * @param {any} value
 * @returns {JsonValue}
 */
export function plain(value, depth = 0) {
  if (value instanceof JsonNumber || value instanceof JsonObject) return value;
  if (value === undefined) return null;
  if (typeof value === "bigint") return new JsonNumber(String(value));
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Date) return dateText(value);
  if (value instanceof Uint8Array) return bytesText(value);
  if (depth > MAX_DEPTH) return "…";
  if (Array.isArray(value)) return isRead(value) ? value : value.map((each) => plain(each, depth + 1));
  if (typeof value[Symbol.iterator] === "function") return plain(firstItems(value), depth);
  const object = new JsonObject();
  for (const [key, each] of Object.entries(value)) {
    object.keys.push(key);
    object.values.push(plain(each, depth + 1));
  }
  return object;
}

/**
 * Returns the first items of a list.
 * @param {Iterable<unknown>} list
 */
function firstItems(list) {
  /** @type {unknown[]} */
  const items = [];
  for (const item of list) {
    if (items.length === MAX_ITEMS) return [...items, "…"];
    items.push(item);
  }
  return items;
}

/**
 * Whether a list comes from `json.js`, which may be nested too deeply to copy it.
 * @param {unknown[]} list
 */
function isRead(list) {
  return list.every((each) => isContainer(each) || each instanceof JsonNumber || each === null || typeof each !== "object") && !list.some((each) => typeof each === "bigint" || each === undefined);
}

/** @param {Date} date */
function dateText(date) {
  if (Number.isNaN(date.getTime())) return "invalid date";
  return date.toISOString().replace(/(T00:00:00)?\.000Z$/, (_, midnight) => (midnight ? "" : "Z"));
}

/** @param {Uint8Array} bytes */
function bytesText(bytes) {
  const start = [...bytes.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return bytes.length > 16 ? `${start} … (${bytes.length} bytes)` : start;
}

/**
 * Returns a value as a number, for an order and a histogram; NaN for any other.
 * @param {unknown} value
 */
export function asNumber(value) {
  if (typeof value === "string") return TIME.test(value) ? Date.parse(value.replace(" ", "T")) : NaN;
  return value === null || typeof value === "object" && !(value instanceof JsonNumber || value instanceof Date) ? NaN : Number(value);
}

const texts = new Intl.Collator("en", { numeric: true });

/**
 * Orders two values that are neither null nor missing.
 * @param {unknown} one
 * @param {unknown} other
 */
export function compareValues(one, other) {
  const difference = asNumber(one) - asNumber(other);
  if (difference === 0) return compareIntegers(one, other);
  if (!Number.isNaN(difference)) return difference;
  return texts.compare(cellText(one, 200), cellText(other, 200));
}

/**
 * Orders two values that are equal as numbers: integers may differ in digits that a number does not have.
 * @param {unknown} one
 * @param {unknown} other
 */
export function compareIntegers(one, other) {
  const [first, second] = [longInteger(one), longInteger(other)];
  return first === null || second === null || first === second ? 0 : first < second ? -1 : 1;
}

/**
 * Returns an integer with all its digits; null for any other value.
 * @param {unknown} value
 */
function longInteger(value) {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : null;
  const text = value instanceof JsonNumber ? value.text : "";
  return /^-?\d{1,400}$/.test(text) ? BigInt(text) : null;
}

/**
 * Returns the type of a column from its first values.
 * @param {(row: number) => unknown} at
 * @param {number} length
 * @returns {{ type: string, isNumeric: boolean }}
 */
export function inferType(at, length) {
  /** @type {Set<Kind>} */
  const kinds = new Set();
  for (let row = 0; row < Math.min(length, SAMPLE); row += 1) kinds.add(kindOf(at(row)));
  kinds.delete("null");
  if (kinds.has("float")) kinds.delete("int");
  if (kinds.has("text")) kinds.delete("time");
  const type = kinds.size === 0 ? "null" : kinds.size === 1 ? [...kinds][0] : "mixed";
  return { type, isNumeric: ["int", "float", "time"].includes(type) };
}
