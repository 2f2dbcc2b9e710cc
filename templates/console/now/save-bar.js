// The newest save below the header of each tab, or the failure because of which it is not live.

/** @import { Reload } from "snaxum-events" */
/** @import { State } from "../server/store.js" */

import { html, useMemo } from "../vendor/preact-htm.js";
import { currentFailure } from "../server/store.js";
import { affectedRoutes, isNewlyFailing, isSave } from "./save-facts.js";
import { SaveLine } from "./save-line.js";

/**
 * On the Now tab the newest save is the first row anyway.
 * @param {{ state: State, show: (reload: Reload) => void, isOnNow: boolean }} props
 */
export function SaveBar({ state, show, isOnNow }) {
  if (state.status?.state === "failing") return html`<${Failure} state=${state} show=${show} />`;
  const newest = state.reloads.find(isSave);
  return newest && !isOnNow ? html`<${NewestSave} state=${state} reload=${newest} />` : null;
}

/** @param {{ state: State, reload: Reload }} props */
function NewestSave({ state, reload }) {
  const rows = useMemo(() => affectedRoutes(reload, state), [reload, state.routes, state.requests, state.reloads]);
  return html`
    <section class="save-bar" aria-label="The newest save" data-testid="save-bar">
      <p><${SaveLine} reload=${reload} routes=${rows.length} failing=${rows.filter(isNewlyFailing).length} /></p>
      <a href="#now">See what it changed</a>
    </section>
  `;
}

/** @param {{ state: State, show: (reload: Reload) => void }} props */
function Failure({ state, show }) {
  const reload = currentFailure(state);
  const isServing = Boolean(state.status?.generation);
  return html`
    <section class=${isServing ? "banner" : "banner critical"} aria-label="Failed reload" data-testid="banner">
      <p>${reload ? html`<${SaveLine} reload=${reload} routes=${null} failing=${null} hasLink />` : html`<b>The newest save is not live.</b>`}</p>
      ${reload?.traceback && html`<button type="button" onClick=${() => show(reload)}>Show traceback</button>`}
    </section>
  `;
}
