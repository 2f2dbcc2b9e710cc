// The filter: its box, and what it means for a row to match.
//
// Plain text: each word must occur somewhere in the row. The language of the requests' filter is in
// query.js. Never changes a list itself.

import { html } from "./vendor/preact-htm.js";

/** Gives the test that a row's text has to pass. */
export function matcher(filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return (...texts) => {
    const row = texts.join(" ").toLowerCase();
    return words.every((word) => row.includes(word));
  };
}

export function FilterBox({ filter, onFilter, tab }) {
  function onKeyDown(event) {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      document.querySelector("[data-row]")?.focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (filter) onFilter("");
      else event.target.blur();
    }
  }

  return html`
    <label class="filter">
      <span class="unseen">Filter ${tab}</span>
      <input
        type="search"
        data-testid="filter"
        placeholder=${tab === "requests" ? "status:5xx path:/a* >100ms" : `Filter ${tab}`}
        value=${filter}
        spellcheck=${false}
        autocomplete="off"
        aria-describedby="filter-problems"
        onInput=${(event) => onFilter(event.target.value)}
        onKeyDown=${onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  `;
}
