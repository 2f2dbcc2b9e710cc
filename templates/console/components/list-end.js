// The end of a long list: asks for more rows when it can be seen. A browser cannot lay out thousands of rows at once.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";

/**
 * Use the number of rows as its `key`: each end is another element.
 * @param {{ reached: () => void }} props
 */
export function ListEnd({ reached }) {
  const end = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && reached(), { rootMargin: "400px" });
    if (end.current) observer.observe(end.current);
    return () => observer.disconnect();
  }, []);
  return html`<p ref=${end} class="no-results"><button type="button" onClick=${reached}>Show more</button></p>`;
}
