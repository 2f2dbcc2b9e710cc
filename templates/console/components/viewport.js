// The visible part of a scrolled element: a long list draws only the rows and columns that can be seen.

import { useEffect, useState } from "../vendor/preact-htm.js";

/** @typedef {{ top: number, left: number, width: number, height: number }} Viewport in pixels */

/**
 * Returns the visible part of the element in `ref`, now and after each scroll or resize.
 * @param {{ current: any }} ref
 * @returns {Viewport}
 */
export function useViewport(ref) {
  const [viewport, setViewport] = useState({ top: 0, left: 0, width: 800, height: 400 });
  useEffect(() => {
    const element = ref.current;
    let frame = 0;
    function measure() {
      frame = 0;
      const { scrollTop: top, scrollLeft: left, clientWidth: width, clientHeight: height } = element;
      setViewport((before) => (before.top === top && before.left === left && before.width === width && before.height === height ? before : { top, left, width, height }));
    }
    // Several scroll events before a frame cause one draw.
    const schedule = () => (frame ||= requestAnimationFrame(measure));
    element.addEventListener("scroll", schedule, { passive: true });
    const observer = new ResizeObserver(schedule);
    observer.observe(element);
    measure();
    return () => {
      element.removeEventListener("scroll", schedule);
      observer.disconnect();
      cancelAnimationFrame(frame);
    };
  }, []);
  return viewport;
}

/**
 * Returns the first and the end of the items of equal size that can be seen, with some around them.
 * @param {number} offset
 * @param {number} extent
 * @param {number} size
 * @param {number} count
 * @param {number} [around]
 * @returns {[number, number]}
 */
export function visibleItems(offset, extent, size, count, around = 8) {
  const from = Math.max(0, Math.min(Math.floor(offset / size), count - 1) - around);
  return [from, Math.min(count, Math.ceil((offset + extent) / size) + around)];
}

/** Returns the height of a row in pixels: whole ones, so that rows add up. */
export function rowHeight() {
  return Math.round(1.75 * parseFloat(getComputedStyle(document.documentElement).fontSize));
}

/**
 * Scrolls the element so that the pixels from `start` to `end` of its content are seen, below a head of this
 * height.
 * @param {HTMLElement} element
 * @param {number} start
 * @param {number} end
 * @param {number} [head]
 */
export function scrollTo(element, start, end, head = 0) {
  if (start < element.scrollTop) element.scrollTop = start;
  else if (end > element.scrollTop + element.clientHeight - head) element.scrollTop = end - element.clientHeight + head;
}
