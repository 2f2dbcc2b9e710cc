// Keyboard shortcuts: the keys of the whole page, and the dialog that lists all keys.
//
// The keys of a table are in table-nav.js, the keys of a list of tabs in tabs.js.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";

const HELP = [
  ["1 – 6", "go to a tab"],
  ["/", "filter the list; Esc clears the filter"],
  ["↑ ↓ Home End", "move between rows"],
  ["Enter", "open a row"],
  ["n p", "show the next or the previous error"],
  ["← → Home End", "move between the parts of an open request"],
  ["Esc", "close the open request or dialog"],
  ["?", "show the keyboard shortcuts"],
];

/** @param {string} selector */
function focusOn(selector) {
  /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus();
}

/**
 * Handles the page's shortcuts: `goTo` receives the position of a tab.
 * @param {{ goTo: (index: number) => void, toggleHelp: () => void }} actions
 */
export function useShortcuts({ goTo, toggleHelp }) {
  useEffect(() => {
    function onKeyDown(/** @type {any} */ event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, textarea, select")) return;
      if (event.key === "?") toggleHelp();
      else if (event.target.closest("dialog")) return;
      else if (/^[1-9]$/.test(event.key)) goTo(Number(event.key) - 1);
      else if (event.key === "/") focusOn('input[type="search"]');
      else if (event.key === "ArrowDown" && event.target === document.body) {
        focusOn('[data-row][tabindex="0"]');
      } else return;
      event.preventDefault();
    }
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  });
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
