// Ids for elements that refer to each other: a component may be in the page several times.

import { useMemo } from "../vendor/preact-htm.js";

let last = 0;

/**
 * Returns an id that no other component of the page has, the same for each draw.
 * @param {string} word
 */
export function useUniqueId(word) {
  return useMemo(() => `${word}-${(last += 1)}`, []);
}
