// The head of a column, in lists and in tables of data: a click sorts, a drag of its right edge or Shift with an arrow
// key resizes, and a double click on the edge ends that.
//
// Knows neither the rows nor where a width is stored.

import { html } from "../vendor/preact-htm.js";

/** @import { KeyPress } from "../types.js" */

const MIN_WIDTH_REM = 3;
const STEP_REM = 1;

/**
 * `attributes` belong to the cell, `about` is a hint; `resize` gets a width in pixels, or null for the usual one,
 * also while the pointer moves if it `isLive`.
 * @param {{
 *   attributes: Record<string, unknown>, about?: string, direction: "ascending" | "descending" | null,
 *   sort: (() => void) | null, resize: (width: number | null) => void, isLive?: boolean, children?: unknown,
 * }} props
 */
export function ColumnHead({ attributes, about, direction, sort, resize, isLive = false, children }) {
  /** @param {KeyPress} event */
  function onKeyDown(event) {
    const step = { ArrowLeft: -STEP_REM, ArrowRight: STEP_REM }[event.key];
    if (!event.shiftKey || step === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the key would also move in the grid
    const cell = /** @type {HTMLElement} */ (event.currentTarget.closest("th"));
    resize(Math.max(MIN_WIDTH_REM, Math.round(cell.offsetWidth / rem()) + step) * rem());
  }
  const hint = `${about ? `${about}; ` : ""}${sort ? "click to sort, " : ""}Shift+← and → change the width`;
  return html`
    <th ...${attributes} scope="col" aria-sort=${direction}>
      <button type="button" class="head" title=${hint} onKeyDown=${onKeyDown} onClick=${() => sort?.()}>${children}${direction && html` <span aria-hidden="true">${direction === "descending" ? "▾" : "▴"}</span>`}</button>
      <span class="resizer" aria-hidden="true" onPointerDown=${(/** @type {PointerEvent & { currentTarget: HTMLElement }} */ event) => drag(event, resize, isLive)}
        onDblClick=${() => resize(null)}></span>
    </th>
  `;
}

/**
 * Returns whether a column is descending after a click on its head, or null if the click ends the sort. A column that
 * is not sorted has `isDescending` null; it begins with `first`.
 * @param {boolean | null} isDescending
 * @param {boolean} first
 */
export function nextOrder(isDescending, first) {
  if (isDescending === null) return first;
  return isDescending === first ? !first : null;
}

/** The pixels of one rem. */
export function rem() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) || 13;
}

/**
 * Changes the width of a head while the pointer moves, and reports it at the end.
 * @param {PointerEvent & { currentTarget: HTMLElement }} event
 * @param {(width: number) => void} done
 * @param {boolean} isLive
 */
function drag(event, done, isLive) {
  const edge = event.currentTarget;
  const head = /** @type {HTMLElement} */ (edge.closest("th"));
  const [start, from] = [event.clientX, head.offsetWidth];
  event.preventDefault();
  edge.setPointerCapture(event.pointerId);
  let width = from;
  edge.onpointermove = (move) => {
    width = Math.max(MIN_WIDTH_REM * rem(), from + move.clientX - start);
    if (isLive) done(width);
    else head.style.width = `${width}px`;
  };
  edge.onpointerup = edge.onpointercancel = () => {
    edge.onpointermove = edge.onpointerup = edge.onpointercancel = null;
    if (width !== from) done(width);
  };
}
