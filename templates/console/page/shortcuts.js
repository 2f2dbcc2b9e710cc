// Keyboard shortcuts: the keys of the whole page, and the dialog that lists all keys.
//
// The keys of a table are in table-nav.js, the keys of a list of tabs in tabs.js. A letter does an
// action of the part that is shown (actions.js).

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { offeredActions, perform } from "./actions.js";

const HELP = [
  ["1 – 7", "go to a tab"],
  ["/", "filter the list; Esc clears the filter"],
  ["Ctrl+K", "find a command, a route, a request or the handler of a path"],
  ["j k", "the next and the previous row; they open it while one is open"],
  ["↑ ↓ Home End", "move between rows"],
  ["Enter", "open a row"],
  ["n p", "show the next or the previous error"],
  ["r", "replay the request, or the newest one of the error"],
  ["Ctrl+Enter", "send the edited request"],
  ["c", "copy the request as cURL, or the traceback of a load"],
  ["e", "open the code in the editor"],
  ["← → Home End", "move between the parts of an open request"],
  ["Shift+← Shift+→", "on the head of a column: change its width"],
  ["Esc", "close the open request or dialog"],
  ["?", "show the keyboard shortcuts"],
];

/** @param {string} selector */
function focusOn(selector) {
  /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus();
}

/**
 * Handles the page's shortcuts: `goTo` receives the position of a tab.
 * @param {{ goTo: (index: number) => void, toggleHelp: () => void, openPalette: () => void }} actions
 */
export function useShortcuts({ goTo, toggleHelp, openPalette }) {
  useEffect(() => {
    function onKeyDown(/** @type {any} */ event) {
      if (isPaletteKey(event) && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, textarea, select")) return;
      if (event.key === "?") toggleHelp();
      else if (event.target.closest("dialog")) return;
      else if (/^[1-9]$/.test(event.key)) goTo(Number(event.key) - 1);
      else if (event.key === "/") focusOn('input[type="search"]');
      else if (event.key === "j") stepRow(1);
      else if (event.key === "k") stepRow(-1);
      else if (event.key === "ArrowDown" && event.target === document.body) {
        focusOn('[data-row][tabindex="0"]');
      } else {
        const action = offeredActions().find(({ key }) => key === event.key);
        if (!action) return;
        // A key that is pressed for long would replay a request many times a second.
        if (!event.repeat) perform(action);
      }
      event.preventDefault();
    }
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  });
}

/** @param {KeyboardEvent} event */
function isPaletteKey({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  return key.toLowerCase() === "k" && (ctrlKey || metaKey) && !altKey && !shiftKey;
}

/**
 * Moves the focus to another row, and opens it if its table has an open row.
 * @param {1 | -1} direction
 */
function stepRow(direction) {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main [data-row]")]);
  // Rows of other tables belong to what the open row shows.
  const table = all.find((row) => row.getAttribute("aria-current") === "true")?.closest("tbody");
  const rows = table ? all.filter((row) => table.contains(row)) : all;
  const opened = rows.findIndex((row) => row.getAttribute("aria-current") === "true");
  const focused = rows.findIndex((row) => row.contains(document.activeElement));
  const from = opened >= 0 ? opened : focused;
  const next = rows[from < 0 ? 0 : from + direction];
  if (!next) return;
  next.focus();
  if (opened >= 0) next.click();
}

/**
 * The dialog; `about` is a line about the server below the list.
 * @param {{ isOpen: boolean, close: () => void, about: string }} props
 */
export function ShortcutsDialog({ isOpen, close, about }) {
  const dialog = useRef(/** @type {any} */ (null));
  useEffect(() => {
    if (isOpen && !dialog.current.open) dialog.current.showModal();
    if (!isOpen && dialog.current.open) dialog.current.close();
  }, [isOpen]);

  return html`
    <dialog ref=${dialog} onClose=${close} aria-labelledby="shortcuts-title" data-testid="shortcuts">
      <header>
        <h2 id="shortcuts-title">Keyboard shortcuts</h2>
        <button type="button" class="quiet" onClick=${close}><span aria-hidden="true">✕</span><span class="visually-hidden">Close</span></button>
      </header>
      <table class="facts">
        <tbody>
          ${HELP.map(([keys, action]) => html`<tr><th scope="row"><kbd>${keys}</kbd></th><td>${action}</td></tr>`)}
        </tbody>
      </table>
      <p class="dim">${about}</p>
    </dialog>
  `;
}
