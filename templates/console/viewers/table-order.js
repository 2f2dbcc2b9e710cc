// The rows of a table that a filter matches, in the order of a column.

import { JsonNumber } from "./json.js";
import { asNumber, cellText, compareIntegers, compareValues } from "./values.js";

/** @import { Column } from "./values.js" */
/** @typedef {{ column: number, isDescending: boolean }} Sort */

// `name:text`, `name>5`, `"two words"!=x`; any other word is searched in all columns.
const TERM = /(?:"([^"]+)"|([^\s"<>=!:]+))(>=|<=|!=|[<>=:])("[^"]*"|\S*)|"([^"]*)"|(\S+)/g;

/** @type {Record<string, (value: unknown, wanted: string) => boolean>} */
const TESTS = {
  ":": (value, wanted) => cellText(value).toLowerCase().includes(wanted.toLowerCase()),
  "=": (value, wanted) => cellText(value).toLowerCase() === wanted.toLowerCase() || isSameNumber(cellText(value), wanted),
  "!=": (value, wanted) => !TESTS["="](value, wanted),
  ">": (value, wanted) => compareTo(value, wanted) > 0,
  ">=": (value, wanted) => compareTo(value, wanted) >= 0,
  "<": (value, wanted) => compareTo(value, wanted) < 0,
  "<=": (value, wanted) => compareTo(value, wanted) <= 0,
};

const numberOf = (/** @type {string} */ text) => (text.trim() === "" ? NaN : Number(text));

/**
 * @param {string} text
 * @param {string} wanted
 */
function isSameNumber(text, wanted) {
  return Number(text) === numberOf(wanted) && compareIntegers(new JsonNumber(text), new JsonNumber(wanted)) === 0;
}

/**
 * @param {unknown} value
 * @param {string} wanted
 */
function compareTo(value, wanted) {
  if (value === null || value === undefined) return NaN;
  return compareValues(value, Number.isNaN(numberOf(wanted)) || Number.isNaN(asNumber(value)) ? wanted : new JsonNumber(wanted));
}

/**
 * Returns the test of a row that a filter stands for; a row must pass all its terms.
 * @param {string} filter
 * @param {Column[]} columns
 * @returns {(row: number) => boolean}
 */
export function rowFilter(filter, columns) {
  const byName = new Map(columns.map((column) => [column.name.toLowerCase(), column]));
  const tests = [...filter.matchAll(TERM)].map(([term, quoted, bare, operator, wanted, phrase]) => {
    const column = byName.get((quoted ?? bare ?? "").toLowerCase());
    if (column) {
      const text = wanted.replace(/^"(.*)"$/, "$1");
      return (/** @type {number} */ row) => TESTS[operator](column.at(row), text);
    }
    const text = (phrase ?? term).toLowerCase();
    return (/** @type {number} */ row) => columns.some(({ at }) => cellText(at(row)).toLowerCase().includes(text));
  });
  return (row) => tests.every((test) => test(row));
}

/**
 * Returns the rows to show; nulls are last in both orders.
 * @param {import("./values.js").Table} table
 * @param {string} filter
 * @param {Sort | null} sort
 * @returns {Uint32Array}
 */
export function orderedRows({ columns, length }, filter, sort) {
  let rows = Uint32Array.from({ length }, (_, row) => row);
  if (filter.trim()) rows = rows.filter(rowFilter(filter, columns));
  if (!sort) return rows;
  const { at, isNumeric } = columns[sort.column];
  const sign = sort.isDescending ? -1 : 1;
  // Read once: a comparison happens many times for each row. A null is undefined, or NaN.
  const values = Array.from({ length }, (_, row) => at(row) ?? undefined);
  if (isNumeric) {
    const numbers = Float64Array.from(values, (value) => (value === undefined ? NaN : asNumber(value)));
    return rows.sort((one, other) => sign * (numbers[one] - numbers[other]) || Number(Number.isNaN(numbers[one])) - Number(Number.isNaN(numbers[other])) || sign * compareIntegers(values[one], values[other]) || one - other);
  }
  return rows.sort((one, other) => {
    const [first, second] = [values[one], values[other]];
    if (first === undefined || second === undefined) return Number(first === undefined) - Number(second === undefined) || one - other;
    return sign * compareValues(first, second) || one - other;
  });
}
