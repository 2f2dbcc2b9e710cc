// How the rows of a table are walked and picked, by mouse and by keyboard.
//
// One row at a time can be reached with Tab; arrows move from there. Never knows what a row shows.

/** The key handler of a <tbody>: arrows, Home and End move, Enter and Space pick. */
export function walkRows(event) {
  const row = event.target.closest("[data-row]");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === " ") {
    // A link or button inside the row has its own meaning for these keys.
    if (event.target !== row) return;
    event.preventDefault();
    row.click();
    return;
  }
  const rows = [...event.currentTarget.querySelectorAll("[data-row]")];
  const here = rows.indexOf(row);
  const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  rows[Math.max(0, Math.min(next, rows.length - 1))].focus();
}

/** The click handler of a row; following a link or selecting text is not picking. */
export function onPick(pick) {
  return (event) => {
    if (event.target.closest("a")) return;
    const selection = getSelection();
    if (!selection.isCollapsed && event.currentTarget.contains(selection.anchorNode)) return;
    pick();
  };
}

/**
 * Several rows that belong together, under the one `key` of this: in a bare list of lists rows would be
 * told apart by their place, and a new one in front would make all others anew.
 */
export function Keyed({ children }) {
  return children;
}

/** A copy of `set` with `item` put in or taken out. */
export function toggled(set, item) {
  const copy = new Set(set);
  if (!copy.delete(item)) copy.add(item);
  return copy;
}
