// The command palette: every action, tab, route and recent request by a few letters of its name, and the handler of
// a request that is typed.
//
// A combobox after the pattern of WAI-ARIA: the focus stays in the text field. Never knows what an action does.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { textMatcher } from "../components/filter.js";
import { offeredActions, perform } from "./actions.js";

/** @import { Input, KeyPress } from "../types.js" */
/** @import { Action } from "./actions.js" */

/** An entry for the typed text itself; `describe` returns more about it. @typedef {Action & { describe: (signal: AbortSignal) => Promise<string> }} TypedEntry */

// More would not be read; another letter shortens the list.
const MAX_SHOWN = 50;
// An entry is described when no letter has come for this long.
const PAUSE_MS = 120;

/**
 * `entries` returns what the page itself offers: tabs, routes, requests. `typed` returns the entry of a text, or null.
 * @param {{ isOpen: boolean, close: () => void, entries: () => Action[], typed: (text: string) => TypedEntry | null }} props
 */
export function Palette({ isOpen, close, entries, typed }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return html`
    <dialog ref=${dialog} class="palette" onClose=${close} onClick=${(/** @type {MouseEvent} */ event) => event.target === dialog.current && close()} aria-label="Commands" data-testid="palette">
      ${isOpen && html`<${Entries} close=${close} entries=${entries} typed=${typed} />`}
    </dialog>
  `;
}

/** @param {{ close: () => void, entries: () => Action[], typed: (text: string) => TypedEntry | null }} props */
function Entries({ close, entries, typed }) {
  const [text, setText] = useState("");
  const [marked, setMarked] = useState(0);
  // The list as it was when the palette opened: what arrives meanwhile must not move what is marked.
  const all = useMemo(() => [...offeredActions(), ...entries()], []);
  const matches = textMatcher(text);
  const own = useDescribed(text, typed);
  const shown = [...own, ...all.filter(({ title }) => matches(title))].slice(0, MAX_SHOWN);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [marked, text]);

  /** @param {Action | undefined} action */
  function choose(action) {
    if (!action) return;
    close();
    // Afterwards the focus is where the action puts it.
    setTimeout(() => perform(action));
  }
  /** @param {KeyPress} event */
  function onKeyDown(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: marked + 1, ArrowUp: marked - 1, PageDown: marked + 10, PageUp: marked - 10 });
    if (event.key === "Enter") choose(shown[marked]);
    else if (event.key in steps) setMarked(Math.max(0, Math.min(steps[event.key], shown.length - 1)));
    else return;
    event.preventDefault();
  }
  return html`
    <input type="text" role="combobox" aria-label="Command" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
      aria-activedescendant=${shown.length ? `palette-${marked}` : null} placeholder="Type a command, a route, a request, or a path such as POST /orders/7" value=${text} spellcheck=${false} autocomplete="off"
      ref=${(/** @type {HTMLElement | null} */ input) => input?.focus()}
      onInput=${(/** @type {Input} */ event) => (setText(event.target.value), setMarked(0))} onKeyDown=${onKeyDown} />
    <ul ref=${list} id="palette-list" role="listbox" aria-label="Commands">
      ${shown.map((action, index) => html`
        <li key=${`${index} ${action.title}`} id=${`palette-${index}`} role="option" aria-selected=${index === marked} onClick=${() => choose(action)}>
          <span>${visible(action.title)}</span>${action.key && html`<kbd aria-hidden="true">${action.key}</kbd>`}
        </li>
      `)}
    </ul>
    ${!shown.length && html`<p class="dim" role="status">Nothing has this name.</p>`}
  `;
}

/**
 * Returns the entry of a text in a list, once it is known with its description; an empty list if it has none.
 * @param {string} text
 * @param {(text: string) => TypedEntry | null} typed
 * @returns {Action[]}
 */
function useDescribed(text, typed) {
  const entry = useMemo(() => typed(text), [text]);
  const [described, setDescribed] = useState(/** @type {{ entry?: TypedEntry, about?: string }} */ ({}));
  useEffect(() => {
    if (!entry) return undefined;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      const set = (/** @type {string} */ about) => controller.signal.aborted || setDescribed({ entry, about });
      entry.describe(controller.signal).then(set, (error) => set(error.message));
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [entry]);
  if (!entry) return [];
  return [described.entry === entry ? { ...entry, title: `${entry.title}: ${described.about}` } : entry];
}
