// Parts of the page that the first screen does not need: they are loaded when the browser is idle, or when one is
// shown.
//
// Owns when a module is loaded, and the words for one that cannot be. Never caches one: the browser does.

import { html, useEffect, useState } from "../vendor/preact-htm.js";

/** @typedef {(props: any) => any} Component */

// Safari has no idle callback.
const IDLE_DELAY_MS = 200;

/** @type {(() => Promise<unknown>)[]} */
const loads = [];

/**
 * Returns a component that takes the place of the one with this name in another module.
 * @param {() => Promise<any>} load
 * @param {string} name
 * @returns {Component}
 */
export function lazy(load, name) {
  /** @type {Component | null} */
  let loaded = null;
  const loadOnce = async () => {
    loaded = (await load())[name];
  };
  loads.push(loadOnce);
  return function Lazy(props) {
    const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
    const [, setTries] = useState(0);
    // It draws once more when the module is there, or cannot be.
    const tryToLoad = () => loadOnce().then(() => setProblem(null), setProblem).then(() => setTries((tries) => tries + 1));
    useEffect(() => void (loaded || tryToLoad()), []);
    if (loaded) return html`<${loaded} ...${props} />`;
    return html`
      <div class="empty">
        ${!problem && html`<p class="dim delayed">Loading the tab… If this takes long, pages of your app that wait may use all six connections of the browser.</p>`}
        ${problem && html`
          <h2>The server does not respond</h2>
          <p>This tab was not loaded yet. It can be when the server runs again.</p>
          <button type="button" onClick=${tryToLoad}>Try again</button>
        `}
      </div>
    `;
  };
}

/** Loads all of them as soon as the browser is idle: a tab is then there even while the server restarts. */
export function loadTheRest() {
  const run = () => loads.forEach((load) => load().catch(() => {})); // the part tries again when it is shown
  if ("requestIdleCallback" in window) requestIdleCallback(run);
  else setTimeout(run, IDLE_DELAY_MS);
}
