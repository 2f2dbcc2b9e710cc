// A list of tabs and their panels, after the tabs pattern of WAI-ARIA.
//
// One tab at a time can be reached with Tab; the arrow keys move from there and show the tab they reach.
// The state of a hidden panel is preserved. Knows nothing of a panel's content.

import { html } from "../vendor/preact-htm.js";

/** @import { KeyPress } from "../types.js" */
/** @typedef {{ name: string, title: string, count?: number, content: unknown }} TabPart */

/**
 * `shown` is the name of a part, `show` receives another's.
 * @param {{ label: string, parts: TabPart[], shown: string, show: (name: string) => void }} props
 */
export function Tabs({ label, parts, shown, show }) {
  return html`
    <div class="tablist" role="tablist" aria-label=${label} onKeyDown=${navigateTabs}>
      ${parts.map(({ name, title, count }) => html`
        <button key=${name} type="button" role="tab" id=${`tab-of-${name}`} aria-controls=${`part-${name}`}
          aria-selected=${name === shown} tabindex=${name === shown ? 0 : -1} onClick=${() => show(name)}>
          ${title}${count !== undefined && html` <span class="count">${count}</span>`}
        </button>
      `)}
    </div>
    ${parts.map(({ name, content }) => html`
      <div key=${name} class="part" role="tabpanel" id=${`part-${name}`} aria-labelledby=${`tab-of-${name}`} tabindex="0" hidden=${name !== shown}>
        ${content}
      </div>
    `)}
  `;
}

/**
 * The key handler of a list of tabs. It wraps around at both ends.
 * @param {KeyPress} event
 */
function navigateTabs(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const tabs = /** @type {HTMLElement[]} */ ([...event.currentTarget.querySelectorAll('[role="tab"]')]);
  const index = tabs.indexOf(event.target);
  /** @type {Record<string, number>} */
  const positions = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 };
  const next = positions[event.key];
  if (index < 0 || next === undefined) return;
  event.preventDefault();
  const tab = tabs.at(next % tabs.length);
  tab?.focus();
  tab?.click();
}
