// Arrow and Parquet as tables, read in this page by the vendored libraries, which are loaded on demand.
//
// The server cannot mask what is in them, so columns and fields with secret names are masked here, by its words.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { MASK } from "../export/recorded-request.js";
import { fetchJson } from "../server/api.js";
import { MAX_ROWS, readArrow, rowsProblem } from "./arrow.js";
import { DataTable } from "./data-table.js";
import { JsonObject } from "./json.js";
import { inferType, plain } from "./values.js";

/** @import { Read } from "./arrow.js" */
/** @import { Table } from "./values.js" */

// More would take the page too much memory.
const MAX_COLUMNS = 5000;

/** @param {{ bytes: Uint8Array, kind: "arrow" | "parquet", fileName: string, place: string }} props */
export function BinaryTable({ bytes, kind, fileName, place }) {
  const [result, setResult] = useState(/** @type {{ table?: Table, problem?: string }} */ ({}));
  useEffect(() => {
    let isShown = true;
    const name = kind === "arrow" ? "Arrow" : "Parquet";
    load(bytes, kind).then(
      (table) => isShown && setResult({ table }),
      (error) => isShown && setResult({ problem: `It cannot be read as ${name}: ${error?.message ?? error}` }),
    );
    return () => {
      isShown = false;
    };
  }, [bytes, kind]);
  if (result.problem) return html`<p class="warn" data-testid="table-problem">▲ ${visible(result.problem)}.</p>`;
  if (!result.table) return html`<p class="dim">Reading the table…</p>`;
  return html`<${DataTable} table=${result.table} place=${place} label="The content as a table" fileName=${fileName} />`;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} kind
 * @returns {Promise<Table>}
 */
async function load(bytes, kind) {
  const isSecret = secretTest(await fetchJson("secret-words"));
  const { names, types, values, length, problem } = await (kind === "arrow" ? readArrow(bytes) : readParquet(bytes));
  const columns = names.slice(0, MAX_COLUMNS).map((name, index) => {
    const isMasked = isSecret(name);
    const at = isMasked ? (/** @type {number} */ row) => (values[index](row) == null ? null : MASK) : (/** @type {number} */ row) => masked(values[index](row), isSecret);
    return { name, at, ...inferType(at, length), type: types[index] };
  });
  return { columns, length, problem: problem ?? (names.length > MAX_COLUMNS ? `has ${names.length} columns; the first ${MAX_COLUMNS} are shown` : null) };
}

/**
 * Returns a value without the fields of it that have a secret name, at any depth.
 * @param {unknown} value
 * @param {(name: string) => boolean} isSecret
 */
function masked(value, isSecret) {
  if (value === null || typeof value !== "object" || value instanceof Date || ArrayBuffer.isView(value)) return value;
  const copy = plain(value);
  /** @type {unknown[]} */
  const rest = [copy];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    if (Array.isArray(next)) for (const each of next) if (each !== null && typeof each === "object") rest.push(each);
    if (!(next instanceof JsonObject)) continue;
    const { keys, values } = next;
    values.forEach((each, index) => {
      if (isSecret(keys[index])) values[index] = each === null ? null : MASK;
      else if (each !== null && typeof each === "object") rest.push(each);
    });
  }
  return copy;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Read>}
 */
async function readParquet(bytes) {
  const [{ parquetMetadata, parquetRead, parquetSchema }, { decompress }] = await Promise.all([import("../vendor/parquet.js"), import("../vendor/zstd.js")]);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const metadata = parquetMetadata(file);
  const fields = parquetSchema(metadata).children.map(({ element }) => element);
  const rows = Number(metadata.num_rows);
  const length = Math.min(rows, MAX_ROWS);
  /** @type {unknown[][]} */
  const data = [];
  await parquetRead({ file, metadata, rowEnd: length, rowFormat: "array", compressors: { ZSTD: (part) => decompress(part) }, onComplete: (rows) => {
    for (const row of rows) data.push(row);
  } });
  return {
    names: fields.map(({ name }) => name),
    types: fields.map(parquetType),
    values: fields.map((_, index) => (/** @type {number} */ row) => data[row][index]),
    length,
    problem: rowsProblem(rows),
  };
}

/** @param {import("../vendor/parquet.js").ParquetElement} element */
function parquetType({ type, logical_type: logical, converted_type: converted, num_children: children }) {
  const name = logical?.type ?? converted ?? (children ? "struct" : type);
  /** @type {Record<string, string>} */
  const known = { STRING: "text", UTF8: "text", BYTE_ARRAY: "bytes", DOUBLE: "float64", FLOAT: "float32", BOOLEAN: "bool", TIMESTAMP: "time", TIMESTAMP_MICROS: "time", TIMESTAMP_MILLIS: "time", INT96: "time" };
  if (logical?.type === "INTEGER") return `${logical.isSigned ? "int" : "uint"}${logical.bitWidth}`;
  return known[String(name)] ?? String(name ?? "other").toLowerCase();
}

/**
 * Returns the test of a name by the words of the server's masks.
 * @param {{ words: string[], phrases: [string, string][], extra: string[] }} secret
 */
function secretTest({ words, phrases, extra }) {
  return (/** @type {string} */ name) => {
    const parts = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);
    const spaced = ` ${parts.join(" ")} `;
    return parts.some((part) => words.includes(part)) || phrases.some((phrase) => spaced.includes(` ${phrase.join(" ")} `)) || extra.some((text) => spaced.includes(text));
  };
}
