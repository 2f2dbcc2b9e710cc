// A list of parts that came one after the other: server-sent events, JSON lines, messages of a WebSocket.
//
// Draws only the rows that can be seen. An open row shows all of its part below the list.

import { html, useEffect, useMemo, useRef } from "../vendor/preact-htm.js";
import { CopyButton } from "../components/copy-button.js";
import { milliseconds, pluralize, timeOfDay, visible } from "../components/format.js";
import { navigateRows, onRowClick } from "../components/table-nav.js";
import { rowHeight, useViewport, visibleItems } from "../components/viewport.js";
import { isContainer, readJson } from "./json.js";
import { JsonTree } from "./json-tree.js";
import { useRemembered, useRememberedScroll } from "./remembered.js";

const MAX_PREVIEW = 200;
const MAX_TEXT = 20_000;

/** @import { Input } from "../types.js" */
/** @import { Entry } from "./entries.js" */

/**
 * `isOpen`: more may follow, so it shows its end at first. `place` is what its choices are remembered for.
 * @param {{ entries: Entry[], label: string, word: string, testId: string, place: string, isOpen: boolean, problem?: string | null }} props
 */
export function EntryList({ entries, label, word, testId, place, isOpen, problem }) {
  const [filter, setFilter] = useRemembered(`${place} filter`, "");
  const [open, setOpen] = useRemembered(`${place} entry`, /** @type {number | null} */ (null));
  const scrolled = useRef(/** @type {HTMLElement | null} */ (null));
  useRememberedScroll(place, scrolled);
  const view = useViewport(scrolled);
  const height = rowHeight();
  const shown = useMemo(() => {
    const wanted = filter.toLowerCase();
    return wanted ? entries.filter(({ text, name }) => `${name ?? ""} ${text ?? ""}`.toLowerCase().includes(wanted)) : entries;
  }, [entries, filter]);
  // The end stays in view while the list grows, until the user scrolls away from it.
  const isAtEnd = useRef(isOpen);
  useEffect(() => {
    const element = scrolled.current;
    if (element && isAtEnd.current && open === null) element.scrollTop = element.scrollHeight;
  }, [shown, height]);
  const [from, end] = visibleItems(view.top, view.height, height, shown.length);
  const entry = entries.find(({ number }) => number === open);
  const hasTimes = entries.some(({ time_ms, after_ms }) => time_ms ?? after_ms);
  return html`
    <div class="entry-list">
      <div class="viewer-bar">
        <label>Find <input type="text" value=${filter} spellcheck=${false} onInput=${(/** @type {Input} */ event) => setFilter(event.target.value)} /></label>
        <span class="dim" role="status">${filter ? `${shown.length} of ` : ""}${pluralize(entries.length, word)}</span>
      </div>
      ${problem && html`<p class="warn" data-testid="list-problem">▲ ${visible(problem)}</p>`}
      <div class="entry-scroll" ref=${scrolled} onScroll=${(/** @type {Input} */ { target }) => (isAtEnd.current = target.scrollTop + target.clientHeight >= target.scrollHeight - height)}>
        <table aria-label=${label} aria-rowcount=${shown.length} data-testid=${testId}>
          <colgroup><col class="entry-head" /><col /><col class="entry-size" /></colgroup>
          <tbody onKeyDown=${navigateRows}>
            ${from > 0 && html`<tr key="above" aria-hidden="true" style=${{ height: `${from * height}px` }}></tr>`}
            ${shown.slice(from, end).map((each, position) => html`
              <tr key=${each.number} data-row aria-rowindex=${from + position + 1} tabindex=${each.number === open || (position === 0 && entry === undefined) ? 0 : -1} aria-current=${each.number === open ? "true" : null}
                style=${{ height: `${height}px` }} onClick=${onRowClick(() => setOpen(each.number === open ? null : each.number))}>
                <th scope="row"><span class="dim">${each.time_ms !== undefined ? timeOfDay(each.time_ms) : each.after_ms !== undefined ? `+${milliseconds(each.after_ms)}` : each.number}</span>${each.name && ` ${visible(each.name)}`}</th>
                <td>${each.text !== null && html`<code>${visible(each.text.slice(0, MAX_PREVIEW))}</code>`} <span class="dim">${each.note && `${each.note}`}</span></td>
                <td class="number dim">${pluralize(each.size, "byte")}</td>
              </tr>
            `)}
            ${end < shown.length && html`<tr key="below" aria-hidden="true" style=${{ height: `${(shown.length - end) * height}px` }}></tr>`}
          </tbody>
        </table>
      </div>
      ${!hasTimes && entries.length > 0 && html`<p class="dim">The times are unknown: it came as one piece.</p>`}
      ${entry && html`<${EntryText} key=${entry.number} entry=${entry} />`}
    </div>
  `;
}

/** @param {{ entry: Entry }} props */
function EntryText({ entry: { number, text, note, size } }) {
  const value = useMemo(() => (text === null ? undefined : readJson(text).value), [text]);
  return html`
    <div class="cell-value" data-testid="entry-text">
      <p class="actions"><b>${number}</b> <span class="dim">${pluralize(size, "byte")}${note && `: ${note}`}</span> ${text !== null && html`<${CopyButton} label="Copy" text=${() => text} />`}</p>
      ${isContainer(value) ? html`<${JsonTree} value=${value} />` : text !== null && html`<pre class="body" tabindex="0">${visible(text.slice(0, MAX_TEXT))}</pre>`}
    </div>
  `;
}
