// Navigating and choosing the rows of a table, by mouse and by keyboard.
//
// One row at a time can be reached with Tab; the arrow keys move from there. Knows nothing of what a row shows.

import { useEffect, useRef } from "../vendor/preact-htm.js";

/** @import { Click, KeyPress } from "../types.js" */

/**
 * The key handler of a <tbody>: arrows, Home and End move the focus, Enter and Space click the row.
 * @param {KeyPress} event
 */
export function navigateRows(event) {
  const row = /** @type {HTMLElement | null} */ (event.target.closest("[data-row]"));
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === " ") {
    // A link or button inside the row handles these keys itself.
    if (event.target !== row) return;
    event.preventDefault();
    row.click();
    return;
  }
  const rows = /** @type {HTMLElement[]} */ ([...event.currentTarget.querySelectorAll("[data-row]")]);
  const index = rows.indexOf(row);
  /** @type {Record<string, number>} */
  const positions = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 };
  const next = positions[event.key];
  if (next === undefined) return;
  event.preventDefault();
  rows[Math.max(0, Math.min(next, rows.length - 1))].focus();
}

/**
 * Returns the click handler of a row; it ignores clicks on a link and the end of a text selection.
 * @param {() => void} select
 */
export function onRowClick(select) {
  return (/** @type {Click} */ event) => {
    if (event.target.closest("a")) return;
    const selection = getSelection();
    if (selection && !selection.isCollapsed && event.currentTarget.contains(selection.anchorNode)) return;
    select();
  };
}

/**
 * Moves the focus to the row that a link opens, when the table appears and when the user follows another link. Returns
 * the ref of an element around the rows. A row that the user opens has the focus already.
 * @param {string | null} key the `data-key` of the row
 */
export function useLinkedRow(key) {
  const around = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (key !== null) focusRow(around.current, key);
  }, [key]);
  return around;
}

/**
 * @param {HTMLElement | null} around
 * @param {string} key
 */
export function focusRow(around, key) {
  const row = /** @type {HTMLElement | null} */ (around?.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? null);
  if (!row || row.contains(document.activeElement)) return;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/**
 * Groups several rows under one `key`. In a bare list of lists Preact would identify rows by their
 * position, and a new row at the top would recreate all others.
 * @param {{ children?: unknown }} props
 */
export function KeyedRows({ children }) {
  return children;
}

/**
 * Returns a copy of `set` with `item` added, or removed if it was there.
 * @template T
 * @param {Set<T>} set
 * @param {T} item
 */
export function toggled(set, item) {
  const copy = new Set(set);
  if (!copy.delete(item)) copy.add(item);
  return copy;
}
