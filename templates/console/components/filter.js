// The filter box, and the plain-text filter of all tabs but Requests, whose filter is in request-filter.js.
//
// Never changes a list itself.

import { html } from "../vendor/preact-htm.js";

/** @import { Input, KeyPress } from "../types.js" */

/**
 * Returns a predicate over the texts of a row: each word of the filter must occur in one of them.
 * @param {string} filter
 */
export function textMatcher(filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return (/** @type {unknown[]} */ ...texts) => {
    const row = texts.join(" ").toLowerCase();
    return words.every((word) => row.includes(word));
  };
}

/** @param {{ filter: string, onFilter: (text: string) => void, tab: string }} props */
export function FilterBox({ filter, onFilter, tab }) {
  /** @param {KeyPress} event */
  function onKeyDown(event) {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      /** @type {HTMLElement | null} */ (document.querySelector("[data-row]"))?.focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (filter) onFilter("");
      else event.target.blur();
    }
  }

  return html`
    <label class="filter">
      <span class="visually-hidden">Filter ${tab}</span>
      <input
        type="search"
        data-testid="filter"
        placeholder=${tab === "requests" ? "status:5xx path:/a* >100ms" : `Filter ${tab}`}
        value=${filter}
        spellcheck=${false}
        autocomplete="off"
        aria-describedby="filter-problems"
        onInput=${(/** @type {Input} */ event) => onFilter(event.target.value)}
        onKeyDown=${onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  `;
}
