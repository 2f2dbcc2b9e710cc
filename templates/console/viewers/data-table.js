// A table of any size: types, sorting, a filter, statistics of each column, and CSV.
//
// Draws only the rows and columns that can be seen. Knows nothing of where the values come from: a `Table`
// of values.js has them.

import { html, useMemo, useRef } from "../vendor/preact-htm.js";
import { ColumnHead, nextOrder, rem } from "../components/column-head.js";
import { CopyButton } from "../components/copy-button.js";
import { pluralize, visible } from "../components/format.js";
import { saveFile } from "../components/save.js";
import { useUniqueId } from "../components/unique-id.js";
import { rowHeight, scrollTo, useViewport, visibleItems } from "../components/viewport.js";
import { columnStats } from "./column-stats.js";
import { writeCsv } from "./csv.js";
import { isContainer } from "./json.js";
import { JsonTree } from "./json-tree.js";
import { useRemembered, useRememberedScroll } from "./remembered.js";
import { orderedRows } from "./table-order.js";
import { cellText, plain } from "./values.js";

/** @import { Input, KeyPress } from "../types.js" */
/** @import { Sort } from "./table-order.js" */
/** @import { Column, Table } from "./values.js" */
/** @typedef {{ row: number, column: number }} Place a cell, by its row in the order that is shown */

const MAX_CELL = 200;
const MAX_VALUE = 20_000;
// In characters.
const [MIN_WIDTH, MAX_WIDTH] = [11, 32];
const SAMPLED_ROWS = 40;
// The height of the statistics, in rows.
const STATS_ROWS = 3;

/**
 * `fileName` names the CSV file, without its end; `place` is what its choices are remembered for.
 * @param {{ table: Table, label: string, place: string, fileName?: string }} props
 */
export function DataTable({ table, label, place, fileName = "table" }) {
  const { columns, length, problem } = table;
  const [filter, setFilter] = useRemembered(`${place} filter`, "");
  const [chosen, setSort] = useRemembered(`${place} sort`, /** @type {Sort | null} */ (null));
  const [hasStats, setStats] = useRemembered(`${place} statistics`, true);
  const [active, setActive] = useRemembered(`${place} cell`, /** @type {Place | null} */ (null));
  const sort = chosen && chosen.column < columns.length ? chosen : null;
  const rows = useMemo(() => orderedRows(table, filter, sort), [table, filter, sort]);
  const isAll = rows.length === length;
  return html`
    <div class="data-table" data-testid="data-table">
      <div class="viewer-bar">
        <label>Filter rows <input type="text" value=${filter} onInput=${(/** @type {Input} */ event) => { setFilter(event.target.value); setActive(null); }} placeholder="text, name>5, name:text" spellcheck=${false} /></label>
        <span class="dim" role="status">${isAll ? "" : `${rows.length} of `}${pluralize(length, "row")} · ${pluralize(columns.length, "column")}</span>
        <span class="spacer"></span>
        <button type="button" aria-pressed=${hasStats} onClick=${() => setStats(!hasStats)}>Statistics</button>
        <button type="button" onClick=${() => saveFile(`${fileName}.csv`, writeCsv(columns, rows), "text/csv")}>Save ${isAll ? "" : "these rows "}as CSV</button>
      </div>
      ${problem && html`<p class="warn" data-testid="table-problem">▲ The table ${visible(problem)}.</p>`}
      <${Grid} table=${table} rows=${rows} label=${label} place=${place} sort=${sort} setSort=${(/** @type {Sort | null} */ next) => { setSort(next); setActive(null); }} hasStats=${hasStats} active=${active} setActive=${setActive} />
      ${active && active.row < rows.length && active.column < columns.length && html`<${CellValue} column=${columns[active.column]} row=${rows[active.row]} />`}
    </div>
  `;
}

/**
 * @param {{ table: Table, rows: Uint32Array, label: string, place: string, sort: Sort | null, setSort: (sort: Sort | null) => void, hasStats: boolean,
 *   active: Place | null, setActive: (place: Place) => void }} props
 */
function Grid({ table: { columns, length }, rows, label, place, sort, setSort, hasStats, active, setActive }) {
  const scrolled = useRef(/** @type {HTMLElement | null} */ (null));
  const id = useUniqueId("table");
  useRememberedScroll(place, scrolled);
  const view = useViewport(scrolled);
  const height = rowHeight();
  const usual = useMemo(() => usualWidths(columns, length), [columns]);
  // The widths that the user has chosen, by column.
  const [chosen, setChosen] = useRemembered(`${place} widths`, /** @type {Record<number, number>} */ ({}));
  const { edges, width, numbers } = useMemo(() => layout(usual, length, chosen), [usual, chosen]);
  const head = height * (1 + (hasStats ? STATS_ROWS : 0));
  const [fromRow, endRow] = visibleItems(view.top, view.height, height, rows.length);
  const [from, end] = columnsIn(edges, view.left, view.left + view.width - numbers);
  const shown = columns.slice(from, end).map((column, index) => ({ column, index: from + index }));
  // One column before and one after the drawn ones take the place of all others.
  const [before, after] = [edges[from], width - edges[end]];
  const widths = [numbers, before, ...shown.map(({ index }) => edges[index + 1] - edges[index]), after];
  const headRows = hasStats ? 2 : 1;

  /** @param {KeyPress} event */
  function move(event) {
    if (event.altKey || event.target !== event.currentTarget) return;
    const { row, column } = active ?? { row: 0, column: 0 };
    const page = Math.max(1, Math.floor((view.height - head) / height) - 1);
    const isFar = event.ctrlKey || event.metaKey;
    /** @type {Record<string, [number, number]>} */
    const steps = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], PageDown: [page, 0], PageUp: [-page, 0], Home: [isFar ? -Infinity : 0, -Infinity], End: [isFar ? Infinity : 0, Infinity] };
    const step = steps[event.key];
    if (!step || !rows.length || (isFar && event.key.startsWith("Page"))) return;
    event.preventDefault();
    const next = active ? { row: within(row + step[0], rows.length), column: within(column + step[1], columns.length) } : { row, column };
    setActive(next);
    const element = /** @type {HTMLElement} */ (scrolled.current);
    scrollTo(element, next.row * height, (next.row + 1) * height, head);
    if (edges[next.column] < element.scrollLeft) element.scrollLeft = edges[next.column];
    else if (edges[next.column + 1] > element.scrollLeft + view.width - numbers) element.scrollLeft = edges[next.column + 1] - view.width + numbers;
  }

  const orderOf = (/** @type {number} */ index) => (sort?.column === index ? sort.isDescending : null);
  /** @param {number} index */
  function sortBy(index) {
    const isDescending = nextOrder(orderOf(index), false);
    setSort(isDescending === null ? null : { column: index, isDescending });
  }
  /**
   * @param {number} index
   * @param {number | null} width
   */
  function resize(index, width) {
    const { [index]: _, ...others } = chosen;
    setChosen(width === null ? others : { ...others, [index]: width });
  }
  const isActive = (/** @type {number} */ row, /** @type {number} */ column) => active?.row === row && active.column === column;
  const gap = (/** @type {string} */ key) => html`<td key=${key} class="gap" aria-hidden="true"></td>`;
  return html`
    <div class="grid-scroll" ref=${scrolled}>
      <table role="grid" tabindex="0" aria-label=${label} aria-rowcount=${rows.length + headRows} aria-colcount=${columns.length + 1}
        aria-activedescendant=${active && `${id}-${active.row}-${active.column}`} onKeyDown=${move} style=${{ width: `${numbers + width}px` }}>
        <colgroup>${widths.map((width) => html`<col style=${{ width: `${width}px` }} />`)}</colgroup>
        <thead style=${{ height: `${head}px` }}>
          <tr aria-rowindex="1" style=${{ height: `${height}px` }}>
            <th scope="col" class="row-number" aria-colindex="1"><span class="visually-hidden">Row</span></th>
            ${gap("before")}
            ${shown.map(({ column, index }) => html`
              <${ColumnHead} key=${index} attributes=${{ "aria-colindex": index + 2 }} about=${visible(column.name)} sort=${() => sortBy(index)} isLive resize=${(/** @type {number | null} */ width) => resize(index, width)}
                direction=${orderOf(index) === null ? null : orderOf(index) ? "descending" : "ascending"}><b>${visible(column.name) || "(no name)"}</b> <span class="dim">${visible(column.type)}</span></>
            `)}
            ${gap("after")}
          </tr>
          ${hasStats && html`
            <tr aria-rowindex="2" class="column-stats" style=${{ height: `${STATS_ROWS * height}px` }}>
              <th scope="row" class="row-number" aria-colindex="1"><span class="visually-hidden">Statistics</span></th>
              ${gap("before")}
              ${shown.map(({ column, index }) => html`<td key=${index} aria-colindex=${index + 2}><${Stats} column=${column} length=${length} /></td>`)}
              ${gap("after")}
            </tr>
          `}
        </thead>
        <tbody>
          <tr key="above" aria-hidden="true" style=${{ height: `${fromRow * height}px` }}></tr>
          ${[...rows.subarray(fromRow, endRow)].map((row, position) => html`
            <tr key=${row} aria-rowindex=${fromRow + position + headRows + 1} style=${{ height: `${height}px` }}>
              <th scope="row" class="row-number dim" aria-colindex="1">${row + 1}</th>
              ${gap("before")}
              ${shown.map(({ column, index }) => html`<${Cell} key=${index} value=${column.at(row)} isNumeric=${column.isNumeric} id=${`${id}-${fromRow + position}-${index}`} index=${index} isActive=${isActive(fromRow + position, index)} onClick=${() => setActive({ row: fromRow + position, column: index })} />`)}
              ${gap("after")}
            </tr>
          `)}
          <tr key="below" aria-hidden="true" style=${{ height: `${(rows.length - endRow) * height}px` }}></tr>
        </tbody>
      </table>
      ${!rows.length && html`<p class="no-results">No row.</p>`}
    </div>
  `;
}

/** @param {{ value: unknown, isNumeric: boolean, id: string, index: number, isActive: boolean, onClick: () => void }} props */
function Cell({ value, isNumeric, id, index, isActive, onClick }) {
  const isMissing = value === null || value === undefined;
  return html`<td id=${id} role="gridcell" aria-colindex=${index + 2} aria-selected=${isActive} class=${isMissing ? "dim" : isNumeric ? "number" : null} onClick=${onClick}>${visible(cellText(value, MAX_CELL))}</td>`;
}

/** @param {{ column: Column, length: number }} props */
function Stats({ column, length }) {
  const { count, nulls, distinct, min, max, mean, bins, common } = columnStats(column, length);
  const text = (/** @type {unknown} */ value) => visible(cellText(value, 24));
  return html`
    ${bins.length > 0
      ? html`<${Histogram} bins=${bins} label=${`from ${text(min)} to ${text(max)}`} /><div title=${mean === null || column.type === "time" ? null : `mean ${mean}`}>${text(min)} – ${text(max)}</div>`
      : html`<div>${distinct} distinct</div><div title=${common.map(([value, times]) => `${visible(value)}: ${times}`).join("\n")}>${common.length > 0 && `${text(common[0][0])}: ${common[0][1]}`}</div>`}
    <div class=${nulls ? "warn" : null}>${nulls ? pluralize(nulls, "null") : "no nulls"}${count < length ? ` in ${count} rows` : ""}</div>
  `;
}

/** @param {{ bins: number[], label: string }} props */
function Histogram({ bins, label }) {
  const most = Math.max(...bins);
  const bars = bins.map((count, index) => `M${index + 0.1} 10v${count ? -Math.max(0.6, (10 * count) / most) : 0}h0.8V10z`);
  return html`<svg class="histogram" role="img" aria-label=${label} viewBox=${`0 0 ${bins.length} 10`} preserveAspectRatio="none"><path d=${bars.join("")} /></svg>`;
}

/**
 * The whole value of the active cell.
 * @param {{ column: Column, row: number }} props
 */
function CellValue({ column, row }) {
  const value = plain(column.at(row));
  return html`
    <div class="cell-value" data-testid="cell-value">
      <p class="actions"><b>${visible(column.name)}</b> <span class="dim">row ${row + 1}</span> <${CopyButton} label="Copy value" text=${() => cellText(value)} /></p>
      ${isContainer(value) ? html`<${JsonTree} value=${value} label="The value of the cell" />` : html`<pre class="body" tabindex="0">${visible(cellText(value, MAX_VALUE))}</pre>`}
    </div>
  `;
}

/**
 * @param {number} index
 * @param {number} count
 */
function within(index, count) {
  return Math.max(0, Math.min(index, count - 1));
}

/**
 * Returns the width of each column in pixels, for its name, its first values and its statistics.
 * @param {Column[]} columns
 * @param {number} length
 */
function usualWidths(columns, length) {
  const letter = letterWidth();
  return columns.map(({ name, type, at, isNumeric }) => {
    let letters = 0;
    for (let row = 0; row < Math.min(length, SAMPLED_ROWS); row += 1) letters = Math.max(letters, cellText(at(row), MAX_WIDTH).length);
    // The statistics have the smallest and the largest value on one line, in smaller letters.
    const needed = Math.max(MIN_WIDTH, name.length + type.length + 2, letters, isNumeric ? 1.9 * letters : 0);
    return Math.round(Math.min(MAX_WIDTH, needed + 2) * letter);
  });
}

/**
 * Returns the left edge of each column in pixels, and after the last one, the `width` of all; and the width of
 * the row numbers.
 * @param {number[]} usual
 * @param {number} length
 * @param {Record<number, number>} chosen
 */
function layout(usual, length, chosen) {
  const edges = [0];
  let width = 0;
  for (const [index, each] of usual.entries()) {
    width += chosen[index] ?? each;
    edges.push(width);
  }
  return { edges, width, numbers: Math.round((String(length).length + 3) * letterWidth()) };
}

function letterWidth() {
  return 0.56 * rem();
}

/**
 * Returns the first and the end of the columns between two places.
 * @param {number[]} edges
 * @param {number} left
 * @param {number} right
 * @returns {[number, number]}
 */
function columnsIn(edges, left, right) {
  let from = 0;
  while (from < edges.length - 2 && edges[from + 1] <= left) from += 1;
  let end = from;
  while (end < edges.length - 1 && edges[end] < right) end += 1;
  return [Math.max(0, from - 1), Math.min(edges.length - 1, end + 1)];
}
