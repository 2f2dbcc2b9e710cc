// Arrow IPC as a table. Nulls take no bytes, so a small file may have any number of them: rows, lists and
// dictionaries are bounded.

/** @import { ArrowBatch, ArrowColumn } from "../vendor/arrow.js" */

// More would take the page too much memory.
export const MAX_ROWS = 100_000;
const MAX_ITEMS = 10_000;
// A dictionary is read as a whole.
const MAX_DICTIONARY = 1_000_000;
// A table without rows, which has the class of all columns.
const EMPTY = "/////3AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgABgAHAAwAAAAQABAAAAAAAAEBEAAAABgAAAAEAAAAAAAAAAEAAABuAAAABAAEAAQAAAAAAAAA/////wAAAAA=";

/**
 * @typedef {object} Read what a library has read
 * @property {string[]} names
 * @property {string[]} types
 * @property {((row: number) => unknown)[]} values
 * @property {number} length
 * @property {string | null} problem
 */

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Read>}
 */
export async function readArrow(bytes) {
  const [{ tableFromIPC, setCompressionCodec }, { decompress }] = await Promise.all([import("../vendor/arrow.js"), import("../vendor/zstd.js")]);
  boundDictionaries(tableFromIPC);
  // A copy, because a part of a larger buffer may not be aligned.
  setCompressionCodec(ZSTD_OF_ARROW, { decode: (part) => decompress(part).slice() });
  const table = tableFromIPC(bytes, { useBigInt: true, useDate: true });
  const { fields } = table.schema;
  const columns = fields.map((_, index) => table.getChildAt(index));
  for (const { data } of columns) data.forEach(boundLists);
  const length = Math.min(table.numRows, MAX_ROWS);
  return { names: fields.map(({ name }) => name), types: fields.map(({ type }) => arrowType(type)), values: columns.map((column) => (/** @type {number} */ row) => column.at(row)), length, problem: rowsProblem(table.numRows) };
}

let isBounded = false;

/**
 * Refuses a dictionary of more values than its file can have.
 * @param {typeof import("../vendor/arrow.js").tableFromIPC} tableFromIPC
 */
function boundDictionaries(tableFromIPC) {
  if (isBounded) return;
  isBounded = true;
  const empty = tableFromIPC(Uint8Array.from(atob(EMPTY), (letter) => letter.charCodeAt(0)), { useBigInt: true, useDate: true });
  const prototype = /** @type {ArrowColumn} */ (Object.getPrototypeOf(empty.getChildAt(0)));
  const { cache } = prototype;
  prototype.cache = function () {
    if (this.length > MAX_DICTIONARY) throw new Error(`it has a dictionary of ${this.length} values`);
    return cache.call(this);
  };
}

/**
 * Cuts the lists of a column, and those inside them.
 * @param {ArrowBatch} batch
 */
function boundLists(batch) {
  const { children, offsets, slice, value } = batch;
  batch.slice = (from, end) => slice.call(batch, from, Math.min(end, from + MAX_ITEMS));
  if (batch.type.typeId === MAP) batch.value = (row) => (Number(offsets[row + 1]) - Number(offsets[row]) > MAX_ITEMS ? "…" : value.call(batch, row));
  children?.forEach(boundLists);
}

const MAP = 17;
const ZSTD_OF_ARROW = 1;
// By the number in the format's `Type`.
const ARROW_TYPES = ["", "null", "int", "float", "binary", "text", "bool", "decimal", "date", "time of day", "time", "interval", "list", "struct", "union", "bytes", "list", "map", "duration", "binary", "text", "list", "runs", "binary", "text", "list", "list"];

/**
 * @param {import("../vendor/arrow.js").ArrowType} type
 * @returns {string}
 */
function arrowType({ typeId, bitWidth, signed, precision, dictionary }) {
  if (typeId === -1) return `${arrowType(dictionary)} (category)`;
  if (typeId === 2) return `${signed ? "int" : "uint"}${bitWidth}`;
  if (typeId === 3) return `float${16 << precision}`;
  return ARROW_TYPES[typeId] ?? "other";
}

/**
 * Returns why not all rows are shown.
 * @param {number} rows
 */
export function rowsProblem(rows) {
  return rows > MAX_ROWS ? `has ${rows} rows; the first ${MAX_ROWS} are shown` : null;
}
