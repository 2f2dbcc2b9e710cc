// Navigating and choosing the rows of a table, by mouse and by keyboard.
//
// One row at a time can be reached with Tab; the arrow keys move from there. Knows nothing of what a row shows.

/** The key handler of a <tbody>: arrows, Home and End move the focus, Enter and Space click the row. */
export function navigateRows(event) {
  const row = event.target.closest("[data-row]");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === " ") {
    // A link or button inside the row handles these keys itself.
    if (event.target !== row) return;
    event.preventDefault();
    row.click();
    return;
  }
  const rows = [...event.currentTarget.querySelectorAll("[data-row]")];
  const index = rows.indexOf(row);
  const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  rows[Math.max(0, Math.min(next, rows.length - 1))].focus();
}

/** Returns the click handler of a row; it ignores clicks on a link and the end of a text selection. */
export function onRowClick(select) {
  return (event) => {
    if (event.target.closest("a")) return;
    const selection = getSelection();
    if (!selection.isCollapsed && event.currentTarget.contains(selection.anchorNode)) return;
    select();
  };
}

/**
 * Groups several rows under one `key`. In a bare list of lists Preact would identify rows by their
 * position, and a new row at the top would recreate all others.
 */
export function KeyedRows({ children }) {
  return children;
}

/** Returns a copy of `set` with `item` added, or removed if it was there. */
export function toggled(set, item) {
  const copy = new Set(set);
  if (!copy.delete(item)) copy.add(item);
  return copy;
}
