// The columns of a table: which are shown, how wide they are, and by which one the rows are sorted.
//
// Owns the choices of the user, which outlive the page, and what a narrow table leaves out. A table declares
// its columns once, in a list of `Column`. Knows nothing of a row but what its columns return.

import { html, useLayoutEffect, useMemo, useState } from "../vendor/preact-htm.js";
import { ColumnHead, nextOrder, rem } from "./column-head.js";
import { Menu } from "./menu.js";
import { useUniqueId } from "./unique-id.js";

/** @import { Input, View } from "../types.js" */

/**
 * A column. Without a `width` it takes a share of what the others leave, at least `min`. A narrow table
 * leaves out the columns with a `rank`, the lowest first; a column without it always stays. A column with
 * `isExtra` is hidden until the user chooses it; one with `isAdded` has been added by the user.
 * @template Row, Context
 * @typedef {{
 *   name: string, title: string, head?: () => unknown, hint?: string, width?: number, min?: number, rank?: number, isExtra?: boolean, isAdded?: boolean, isNumber?: boolean,
 *   sortBy?: (row: Row, context: Context) => string | number | null | undefined,
 *   cell: (row: Row, context: Context) => unknown, cellClass?: (row: Row) => string,
 * }} Column
 */

/**
 * @template Row, Context
 * @typedef {{
 *   all: Column<Row, Context>[], shown: Column<Row, Context>[], left: Set<string>, widths: Record<string, number>,
 *   sort: Sort | null, sortBy: (sort: Sort | null) => void, sorted: (rows: Row[], contextOf: (row: Row) => Context) => Row[],
 *   change: (choice: Partial<Choice>) => void, choice: Choice, ref: (element: HTMLElement | null) => void,
 * }} Columns
 */

/** @typedef {{ name: string, isDescending: boolean }} Sort */
/** @typedef {{ shown: string[], hidden: string[], widths: Record<string, number> }} Choice */

const DEFAULT_MIN = 14;
const KEY = "snaxum.columns.";

/** The sort of each table that is not the list of a tab, for as long as the page is open. @type {Map<string, string | null>} */
const sorts = new Map();

/**
 * The columns of a table; `ref` is for the element whose width the table has. The list of a tab has its sort in the
 * URL, by `view`.
 * @template Row, Context
 * @param {string} table
 * @param {Column<Row, Context>[]} all
 * @param {Pick<View, "order" | "onOrder">} [view]
 * @returns {Columns<Row, Context>}
 */
export function useColumns(table, all, view) {
  const [choice, setChoice] = useState(() => load(table));
  const [ownSort, setOwnSort] = useState(() => sorts.get(table) ?? null);
  const sortText = view ? view.order.sort : ownSort;
  const sort = useMemo(() => parseSort(sortText), [sortText]);
  const [available, setAvailable] = useState(() => innerWidth / rem());
  const [element, setElement] = useState(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    if (!element) return undefined;
    const measure = () => element.clientWidth && setAvailable(Math.floor(element.clientWidth / rem()));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);

  const { shown, left } = useMemo(() => fit(all, choice, available), [all, choice, available]);
  /** @param {Partial<Choice>} changed */
  function change(changed) {
    const next = { ...choice, ...changed };
    store(table, next);
    setChoice(next);
  }
  /** @param {Sort | null} next */
  function sortBy(next) {
    const text = next && `${next.isDescending ? "-" : ""}${next.name}`;
    if (view) return view.onOrder({ sort: text });
    sorts.set(table, text);
    setOwnSort(text);
  }
  return { all, shown, left, choice, change, widths: choice.widths, sort, sortBy, sorted: (rows, contextOf) => sortRows(rows, all, sort, contextOf), ref: setElement };
}

/**
 * Parses the name of a column; after `-` it is descending.
 * @param {string | null} text
 * @returns {Sort | null}
 */
function parseSort(text) {
  return text ? { name: text.replace(/^-/, ""), isDescending: text.startsWith("-") } : null;
}

/**
 * Returns the columns that fit into `available` rem, and the names of the columns that do not.
 * @template Row, Context
 * @param {Column<Row, Context>[]} all
 * @param {Choice} choice
 * @param {number} available
 */
function fit(all, choice, available) {
  const width = (/** @type {Column<Row, Context>} */ column) => choice.widths[column.name] ?? column.width ?? column.min ?? DEFAULT_MIN;
  let shown = all.filter((column) => isChosen(column, choice));
  const left = /** @type {Set<string>} */ (new Set());
  const isTooWide = () => shown.reduce((sum, column) => sum + width(column), 0) > available;
  while (isTooWide()) {
    const optional = shown.filter(({ rank }) => rank !== undefined);
    if (!optional.length) break;
    const first = optional.reduce((least, column) => (Number(column.rank) < Number(least.rank) ? column : least));
    left.add(first.name);
    shown = shown.filter((column) => column !== first);
  }
  return { shown, left };
}

/**
 * @param {{ name: string, isExtra?: boolean }} column
 * @param {Choice} choice
 */
function isChosen({ name, isExtra }, { shown, hidden }) {
  return isExtra ? shown.includes(name) : !hidden.includes(name);
}

/**
 * @template Row, Context
 * @param {Row[]} rows
 * @param {Column<Row, Context>[]} all
 * @param {Sort | null} sort
 * @param {(row: Row) => Context} contextOf
 */
function sortRows(rows, all, sort, contextOf) {
  const key = sort && all.find(({ name }) => name === sort.name)?.sortBy;
  if (!key) return rows;
  const sign = sort.isDescending ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: key(row, contextOf(row)) ?? null }));
  // A row without a value is last in both directions.
  keyed.sort((a, b) => {
    if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null);
    return a.key < b.key ? -sign : a.key > b.key ? sign : 0;
  });
  return keyed.map(({ row }) => row);
}

/**
 * The cells of the head. Numbers sort the largest first, text from A to Z; a third click ends the sort.
 * @param {{ columns: any }} props
 */
export function ColumnHeads({ columns }) {
  const { shown, widths, sort, sortBy, choice, change } = columns;
  /**
   * @param {string} name
   * @param {number | null} width in pixels
   */
  function resize(name, width) {
    const { [name]: _, ...others } = choice.widths;
    change({ widths: width === null ? others : { ...others, [name]: Math.round((width / rem()) * 10) / 10 } });
  }
  return shown.map((/** @type {Column<any, any>} */ { name, title, head, hint, width: usual, isNumber, sortBy: key }) => {
    const width = widths[name] ?? usual;
    const isDescending = sort?.name === name ? sort.isDescending : null;
    function sortByThis() {
      const next = nextOrder(isDescending, Boolean(isNumber));
      sortBy(next === null ? null : { name, isDescending: next });
    }
    return html`
      <${ColumnHead} key=${name} attributes=${{ class: `c-${name}${isNumber ? " number" : ""}`, style: { width: width ? `${width}rem` : "" } }}
        about=${hint} direction=${isDescending === null ? null : isDescending ? "descending" : "ascending"} sort=${key ? sortByThis : null} resize=${(/** @type {number | null} */ next) => resize(name, next)}>${head ? head() : title}</>
    `;
  });
}

/**
 * The menu of a table: its columns, and what else there is to do with it. `add` is a form that adds a column;
 * `remove` and `reset` are called for one that the user has added, and for all.
 * @param {{ columns: any, label?: string, children?: unknown, add?: unknown, remove?: (name: string) => void, reset?: () => void }} props
 */
export function ColumnMenu({ columns, label = "List", children, add, remove, reset }) {
  const { all, left, choice, change } = columns;
  const id = useUniqueId("columns");
  /**
   * @param {Column<any, any>} column
   * @param {boolean} isShown
   */
  function choose({ name, isExtra }, isShown) {
    const list = /** @type {string[]} */ (isExtra ? choice.shown : choice.hidden).filter((each) => each !== name);
    if (isShown === Boolean(isExtra)) list.push(name);
    change(isExtra ? { shown: list } : { hidden: list });
  }
  return html`
    <${Menu} label=${label} testid="column-menu">
      ${children}
      <b id=${id}>Columns</b>
      <ul aria-labelledby=${id}>
        ${all.map((/** @type {Column<any, any>} */ column) => html`
          <li key=${column.name}>
            <label><input type="checkbox" name=${`column-${column.name}`} checked=${isChosen(column, choice)} onChange=${(/** @type {Input} */ event) => choose(column, event.target.checked)} />
              ${" "}${column.hint && column.title.length < 2 ? `${column.title} (${column.hint})` : column.title}</label>
            ${left.has(column.name) && html` <span class="dim">no room</span>`}
            ${column.isAdded && html` <button type="button" class="quiet" onClick=${() => remove?.(column.name)}><span aria-hidden="true">✕</span><span class="visually-hidden">Remove the column ${column.title}</span></button>`}
          </li>
        `)}
      </ul>
      ${add}
      <button type="button" onClick=${() => { change({ shown: [], hidden: [], widths: {} }); reset?.(); }}>Reset columns and widths</button>
    </>
  `;
}

/**
 * Storage throws if the user has disabled it; the choice then lasts as long as the table is shown.
 * @param {string} table
 * @returns {Choice}
 */
function load(table) {
  try {
    const { shown = [], hidden = [], widths = {} } = JSON.parse(localStorage.getItem(KEY + table) ?? "{}");
    const valid = Object.entries(widths).filter(([, width]) => Number.isFinite(width));
    return { shown: [...shown].map(String), hidden: [...hidden].map(String), widths: /** @type {Record<string, number>} */ (Object.fromEntries(valid)) };
  } catch {
    return { shown: [], hidden: [], widths: {} };
  }
}

/**
 * @param {string} table
 * @param {Choice} choice
 */
function store(table, choice) {
  try {
    localStorage.setItem(KEY + table, JSON.stringify(choice));
  } catch {}
}
