// A list as a table whose columns are sorted, resized and chosen: rows that are only read, opened, or unfolded.
//
// Draws all rows. A list of thousands draws its own (requests.js).

import { html } from "../vendor/preact-htm.js";
import { ColumnHeads } from "./columns.js";
import { KeyedRows, navigateRows, onRowClick } from "./table-nav.js";

/**
 * `contextOf` returns what the columns get beside a row. `open` is called by a click; `unfolded` returns what is shown
 * below a row, or null. `attributesOf` returns further attributes of its element.
 * @template Row
 * @param {{
 *   columns: any, rows: Row[], keyOf: (row: Row) => string | number, contextOf?: (row: Row) => unknown, caption: string, className?: string, testid?: string,
 *   open?: (row: Row) => void, unfolded?: (row: Row) => unknown, attributesOf?: (row: Row) => Record<string, unknown>,
 * }} props
 */
export function ListTable({ columns, rows, keyOf, contextOf = () => ({}), caption, className = "", testid, open, unfolded, attributesOf }) {
  const sorted = /** @type {Row[]} */ (columns.sorted(rows, contextOf));
  return html`
    <table class=${`rows ${className}`} ref=${columns.ref}>
      <caption class="visually-hidden">${caption}</caption>
      <thead><tr><${ColumnHeads} columns=${columns} /></tr></thead>
      <tbody onKeyDown=${navigateRows}>
        ${sorted.map((row, index) => {
          const below = unfolded?.(row);
          return html`<${KeyedRows} key=${keyOf(row)}>
            <tr ...${attributesOf?.(row) ?? {}} data-row data-testid=${testid} class=${open ? null : "static"} tabindex=${index === 0 ? 0 : -1} onClick=${open && onRowClick(() => open(row))}>
              ${columns.shown.map((/** @type {import("./columns.js").Column<any, any>} */ { name, isNumber, cell, cellClass }) => html`<td key=${name} class=${`c-${name}${isNumber ? " number" : ""} ${cellClass?.(row) ?? ""}`}>${cell(row, contextOf(row))}</td>`)}
            </tr>
            ${below && html`<tr class="expanded-row"><td colspan=${columns.shown.length}>${below}</td></tr>`}
          </>`;
        })}
      </tbody>
    </table>
  `;
}
