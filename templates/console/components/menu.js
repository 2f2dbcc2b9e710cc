// A button that unfolds a small panel: commands or choices. Escape and a click elsewhere fold it again.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";

/** @import { KeyPress } from "../types.js" */

/**
 * `label` names the button. A click on a button of the panel with `data-closes` folds it.
 * @param {{ label: unknown, className?: string, testid?: string, children?: unknown }} props
 */
export function Menu({ label, className = "", testid, children }) {
  const details = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  const close = () => details.current && (details.current.open = false);
  useEffect(() => {
    const onPointerDown = (/** @type {PointerEvent} */ event) => {
      if (!details.current?.contains(/** @type {Node} */ (event.target))) close();
    };
    addEventListener("pointerdown", onPointerDown);
    return () => removeEventListener("pointerdown", onPointerDown);
  }, []);

  /** @param {KeyPress} event */
  function onKeyDown(event) {
    if (event.key !== "Escape" || !details.current?.open) return;
    event.stopPropagation(); // the key would also close the open request
    close();
    details.current.querySelector("summary")?.focus();
  }
  return html`
    <details ref=${details} class=${`menu ${className}`} data-testid=${testid} onKeyDown=${onKeyDown}>
      <summary>${label}</summary>
      <div class="menu-panel" onClick=${(/** @type {{ target: HTMLElement }} */ { target }) => target.closest("[data-closes]") && close()}>${children}</div>
    </details>
  `;
}
