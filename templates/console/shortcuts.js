// The keyboard: what each key does, and the list of keys that `?` opens.
//
// Owns keys that work everywhere. Those of a table are in rows.js.

import { html, useEffect, useRef } from "./vendor/preact-htm.js";

const HELP = [
  ["1 – 5", "go to a tab"],
  ["/", "filter the list; Esc empties the filter"],
  ["↑ ↓ Home End", "move between rows"],
  ["Enter", "open a row"],
  ["← → Home End", "move between the parts of an opened request"],
  ["Esc", "close what is open"],
  ["?", "show these keys"],
];

/** Listens to the page: `goTo` gets a tab's position, `toggleHelp` nothing. */
export function useKeys({ goTo, toggleHelp }) {
  useEffect(() => {
    function onKeyDown(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, textarea, select")) return;
      if (event.key === "?") toggleHelp();
      else if (event.target.closest("dialog")) return;
      else if (/^[1-9]$/.test(event.key)) goTo(Number(event.key) - 1);
      else if (event.key === "/") document.querySelector('input[type="search"]')?.focus();
      else if (event.key === "ArrowDown" && event.target === document.body) {
        document.querySelector('[data-row][tabindex="0"]')?.focus();
      } else return;
      event.preventDefault();
    }
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  });
}

export function KeysDialog({ isOpen, close, about }) {
  const dialog = useRef(null);
  useEffect(() => {
    if (isOpen && !dialog.current.open) dialog.current.showModal();
    if (!isOpen && dialog.current.open) dialog.current.close();
  }, [isOpen]);

  return html`
    <dialog ref=${dialog} onClose=${close} aria-labelledby="keys-title" data-testid="keys">
      <header>
        <h2 id="keys-title">Keys</h2>
        <button type="button" class="quiet" onClick=${close}><span aria-hidden="true">✕</span><span class="unseen">Close</span></button>
      </header>
      <table class="facts">
        <tbody>
          ${HELP.map(([keys, meaning]) => html`<tr><th scope="row"><kbd>${keys}</kbd></th><td>${meaning}</td></tr>`)}
        </tbody>
      </table>
      <p class="dim">${about}</p>
    </dialog>
  `;
}
