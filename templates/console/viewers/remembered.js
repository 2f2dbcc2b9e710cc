// The choices of the user in a viewer: they survive opening another request and coming back.
//
// Lasts as long as the page; the oldest choices are forgotten.

import { useLayoutEffect, useState } from "../vendor/preact-htm.js";

const MAX_CHOICES = 500;
/** @type {Map<string, any>} */
const choices = new Map();

/**
 * State that outlives its component, by the place that it belongs to.
 * @template Value
 * @param {string} place
 * @param {Value} initial
 * @returns {[Value, (value: Value) => void]}
 */
export function useRemembered(place, initial) {
  const [value, setValue] = useState(() => /** @type {Value} */ (choices.has(place) ? choices.get(place) : initial));
  return [value, (next) => {
    remember(place, next);
    setValue(next);
  }];
}

/**
 * Restores where the element in `ref` is scrolled to.
 * @param {string} place
 * @param {{ current: any }} ref
 */
export function useRememberedScroll(place, ref) {
  useLayoutEffect(() => {
    const element = ref.current;
    const key = `${place} scroll`;
    const { top, left } = choices.get(key) ?? { top: 0, left: 0 };
    if (top || left) Object.assign(element, { scrollTop: top, scrollLeft: left });
    // Read while it is shown: an element that is hidden or gone is at 0.
    const onScroll = () => remember(key, { top: element.scrollTop, left: element.scrollLeft });
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, [place]);
}

/**
 * @param {string} place
 * @param {unknown} value
 */
function remember(place, value) {
  choices.delete(place);
  choices.set(place, value);
  if (choices.size > MAX_CHOICES) choices.delete(choices.keys().next().value ?? "");
}
