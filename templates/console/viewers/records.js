// JSON that is a table: a list of records, an object of columns, or what pandas calls "split".

import { JsonNumber, JsonObject, isContainer, sizeOf } from "./json.js";
import { cellText, inferType } from "./values.js";

/** @import { JsonValue } from "./json.js" */
/** @import { Table } from "./values.js" */

const MAX_COLUMNS = 5000;

/**
 * Returns the table that a value is, or null.
 * @param {JsonValue} value
 * @returns {Table | null}
 */
export function tableOf(value) {
  if (Array.isArray(value)) return listTable(value);
  return value instanceof JsonObject ? splitTable(value) ?? columnTable(value) : null;
}

/**
 * Returns the tables in a value, the value itself included, by their keys.
 * @param {JsonValue} value
 * @returns {{ key: string | null, table: Table }[]}
 */
export function tablesOf(value) {
  const table = tableOf(value);
  if (table) return [{ key: null, table }];
  if (!(value instanceof JsonObject)) return [];
  return value.keys.flatMap((key, index) => {
    const table = isContainer(value.values[index]) ? tableOf(value.values[index]) : null;
    return table ? [{ key, table }] : [];
  });
}

/**
 * A list of objects, or a list of lists of one length, or a list of numbers.
 * @param {JsonValue[]} list
 */
function listTable(list) {
  if (!list.length) return null;
  if (list.every((each) => each instanceof JsonObject)) {
    const records = /** @type {JsonObject[]} */ (list);
    /** @type {Set<string>} */
    const names = new Set();
    for (const record of records) for (const name of record.keys) names.add(name);
    // Records of nothing but lists and objects are a tree.
    if (!records.some(({ values }) => values.some((value) => !isContainer(value)))) return null;
    return table([...names], list.length, (name) => (row) => records[row].get(name));
  }
  const width = sizeOf(list[0]);
  if (list.length > 1 && width > 1 && list.every((each) => Array.isArray(each) && each.length === width && !each.some(isContainer))) {
    const rows = /** @type {JsonValue[][]} */ (list);
    return table(rows[0].map((_, index) => String(index)), list.length, (_, index) => (row) => rows[row][index]);
  }
  const isNumber = (/** @type {JsonValue} */ each) => typeof each === "number" || each instanceof JsonNumber;
  return list.length > 1 && list.every(isNumber) ? table(["value"], list.length, () => (row) => list[row]) : null;
}

/**
 * An object of two or more lists, or of two or more objects with the same keys, is a table of columns.
 * @param {JsonObject} object
 */
function columnTable({ keys, values }) {
  const size = sizeOf(values[0]);
  if (values.length < 2 || size < 2 || !values.every((each) => sizeOf(each) === size)) return null;
  if (values.every((each) => Array.isArray(each) && !each.some(isContainer))) {
    const lists = /** @type {JsonValue[][]} */ (values);
    return table(keys, size, (_, index) => (row) => lists[index][row]);
  }
  if (!(values[0] instanceof JsonObject)) return null;
  const rows = values[0].keys;
  const isSame = (/** @type {JsonValue} */ each) => each instanceof JsonObject && !each.values.some(isContainer) && each.keys.every((key, index) => key === rows[index]);
  if (!values.every(isSame)) return null;
  const objects = /** @type {JsonObject[]} */ (values);
  return table(["", ...keys], size, (_, index) => (row) => (index ? objects[index - 1].values[row] : rows[row]));
}

/**
 * `{"columns": […], "data": [[…]]}`
 * @param {JsonObject} object
 */
function splitTable(object) {
  const [names, data] = [object.get("columns"), object.get("data")];
  if (!Array.isArray(names) || !Array.isArray(data) || !names.length || !data.length || !data.every(Array.isArray) || names.some(isContainer)) return null;
  const rows = /** @type {JsonValue[][]} */ (data);
  return table(names.map((name) => cellText(name)), data.length, (_, index) => (row) => rows[row][index]);
}

/**
 * @param {string[]} names
 * @param {number} length
 * @param {(name: string, index: number) => (row: number) => unknown} reader
 * @returns {Table}
 */
function table(names, length, reader) {
  const columns = names.slice(0, MAX_COLUMNS).map((name, index) => {
    const at = reader(name, index);
    return { name, at, ...inferType(at, length) };
  });
  return { columns, length, problem: names.length > MAX_COLUMNS ? `has ${names.length} columns; the first ${MAX_COLUMNS} are shown` : null };
}
