// Statistics of a column: nulls, distinct values, the smallest and the largest, and how they are distributed.

import { asNumber, cellText, compareValues } from "./values.js";

/** @import { Column } from "./values.js" */

/**
 * @typedef {object} ColumnStats
 * @property {number} count the rows that were counted
 * @property {number} nulls missing values included
 * @property {string} distinct their number, "1000+" for more
 * @property {unknown} min undefined without values
 * @property {unknown} max
 * @property {number | null} mean
 * @property {number[]} bins the number of values in each part between min and max; empty without numbers
 * @property {[string, number][]} common the most frequent values of a column without numbers
 */

const BINS = 16;
const MAX_DISTINCT = 1000;
// More rows would make a column that scrolls into view slow.
const MAX_ROWS = 100_000;

/** @type {WeakMap<Column, ColumnStats>} */
const known = new WeakMap();

/**
 * @param {Column} column
 * @param {number} length
 */
export function columnStats(column, length) {
  const stats = known.get(column) ?? compute(column, Math.min(length, MAX_ROWS));
  known.set(column, stats);
  return stats;
}

/**
 * @param {Column} column
 * @param {number} count
 * @returns {ColumnStats}
 */
function compute({ at, isNumeric }, count) {
  /** @type {number[]} */
  const numbers = [];
  /** @type {Map<string, number>} */
  const counts = new Map();
  let [nulls, sum] = [0, 0];
  /** @type {unknown} */
  let min;
  /** @type {unknown} */
  let max;
  for (let row = 0; row < count; row += 1) {
    const value = at(row);
    if (value === null || value === undefined) {
      nulls += 1;
      continue;
    }
    const text = cellText(value, 200);
    if (counts.has(text) || counts.size <= MAX_DISTINCT) counts.set(text, (counts.get(text) ?? 0) + 1);
    if (isNumeric) {
      const number = asNumber(value);
      if (Number.isNaN(number)) continue;
      numbers.push(number);
      sum += number;
    }
    if (min === undefined || compareValues(value, min) < 0) min = value;
    if (max === undefined || compareValues(value, max) > 0) max = value;
  }
  /** @type {[string, number][]} */
  const common = isNumeric ? [] : [...counts].sort((one, other) => other[1] - one[1]).slice(0, 3);
  const mean = numbers.length ? sum / numbers.length : null;
  return { count, nulls, distinct: counts.size > MAX_DISTINCT ? `${MAX_DISTINCT}+` : String(counts.size), min, max, mean, bins: histogram(numbers), common };
}

/** @param {number[]} numbers */
function histogram(numbers) {
  const finite = numbers.filter(Number.isFinite);
  if (!finite.length) return [];
  let [low, high] = [Infinity, -Infinity];
  for (const number of finite) [low, high] = [Math.min(low, number), Math.max(high, number)];
  const bins = new Array(low === high ? 1 : BINS).fill(0);
  for (const number of finite) bins[Math.min(bins.length - 1, Math.floor(((number - low) / (high - low || 1)) * bins.length))] += 1;
  return bins;
}
