// The changes of a list of the state: which items are new, are another object now, or have been dropped.
//
// The state is never changed in place, so equal items are the same object: comparing thousands takes microseconds.

/** A new item has no `before`, a dropped item no `after`. @template Item @typedef {{ before?: Item, after?: Item }} ListChange */

/**
 * Compares a list of the newest first with what it was; the change of the oldest item comes first.
 * @template {object} Item
 * @param {Item[]} before
 * @param {Item[]} after
 * @returns {ListChange<Item>[]}
 */
export function listChanges(before, after) {
  /** @type {ListChange<Item>[]} */
  const changes = [];
  if (before === after) return changes;
  const shift = shiftOf(before, after);
  for (let index = Math.max(after.length, before.length + shift) - 1; index >= 0; index -= 1) {
    const [old, now] = [before[index - shift], after[index]];
    if (old !== now) changes.push({ before: old, after: now });
  }
  return changes;
}

/**
 * Returns by how many positions the items have moved: the number of new ones. The newest may be another object.
 * @template Item
 * @param {Item[]} before
 * @param {Item[]} after
 */
function shiftOf([first, second], after) {
  if (first === undefined) return after.length;
  const position = after.indexOf(first);
  return position >= 0 || second === undefined ? Math.max(0, position) : Math.max(0, after.indexOf(second) - 1);
}
