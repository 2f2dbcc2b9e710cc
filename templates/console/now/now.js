// The Now tab: the newest saves, one line each, and what the chosen one changed.
//
// Shows the newest save until the user chooses another, and again when a newer one does not load.

/** @import { Reload } from "snaxum-events" */
/** @import { View } from "../types.js" */
/** @import { State } from "../server/store.js" */

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { textMatcher } from "../components/filter.js";
import { pluralize } from "../components/format.js";
import { navigateRows, onRowClick } from "../components/table-nav.js";
import { changedSinceReload, openErrors } from "../errors/failures.js";
import { Traceback } from "../errors/traceback.js";
import { NotificationSwitch } from "../page/notifications.js";
import { ImportPaths } from "../reloads/import-path.js";
import { useFetch } from "../server/use-fetch.js";
import { AffectedRoutes } from "./affected-routes.js";
import { SaveDiff } from "./save-diff.js";
import { affectedRoutes, isNewlyFailing, isSave, routesOf } from "./save-facts.js";
import { SaveLine } from "./save-line.js";

const SAVES_SHOWN = 30;

/** @param {View} props */
export function Now({ state, filter, open, run, onOpen }) {
  const all = useMemo(() => state.reloads.filter(isSave), [state.reloads]);
  useFailingSave(all[0], () => onOpen(null));
  const matches = textMatcher(filter);
  const saves = all.filter(({ files, cause, modules, traceback }) => matches(...files, cause, ...modules.map(({ name }) => name), traceback?.type ?? "", traceback?.message ?? ""));
  const isOfThisRun = !run || run === state.runId;
  const chosen = (isOfThisRun && saves.find(({ id }) => String(id) === open)) || saves[0];
  const rows = useMemo(() => (chosen ? affectedRoutes(chosen, state) : []), [chosen, state.routes, state.requests, state.reloads]);

  if (!all.length) return html`<div><${NoSave} state=${state} /></div>`;
  return html`
    <div class="now">
      <div class="list">
        <div class="toolbar"><span class="dim">${pluralize(all.length, "save")}, newest first</span><span class="spacer"></span><${NotificationSwitch} /></div>
        <table class="rows save-rows">
          <caption class="visually-hidden">Newest saves first</caption>
          <tbody onKeyDown=${navigateRows}>
            ${saves.slice(0, SAVES_SHOWN).map((reload, index) => html`
              <tr key=${reload.id} data-row data-testid="save-row" tabindex=${index === 0 ? 0 : -1} aria-current=${reload === chosen ? "true" : null}
                onClick=${onRowClick(() => onOpen(index === 0 ? null : String(reload.id)))}>
                <td><${SaveLine} reload=${reload} routes=${reload === chosen ? rows.length : routesOf(reload, state.routes).length} failing=${reload === chosen ? rows.filter(isNewlyFailing).length : null} /></td>
              </tr>
            `)}
          </tbody>
        </table>
        ${!saves.length && html`<p class="no-results">No save matches <q>${filter}</q>.</p>`}
        ${saves.length > SAVES_SHOWN && html`<p class="no-results"><a href="#reloads">All reloads</a></p>`}
      </div>
      ${chosen && html`<${Save} key=${`${state.runId} ${chosen.id}`} reload=${chosen} rows=${rows} state=${state} />`}
    </div>
  `;
}

/** @param {{ reload: Reload, rows: import("./save-facts.js").AffectedRoute[], state: State }} props */
function Save({ reload, rows, state }) {
  const { data: diff, problem } = useFetch(`reloads/${reload.id}/diff`, { version: state.runId });
  const { data: modules } = useFetch("modules", { version: state.status?.generation });
  const functions = useMemo(() => (diff?.files ?? []).flatMap((/** @type {import("./save-diff.js").FileDiff} */ { file, functions }) => functions.map(({ name }) => ({ file, name }))), [diff]);
  // The lines may be many, and a request changes none of them: the same element is not drawn again.
  const changes = useMemo(() => html`<${SaveDiff} reload=${reload} diff=${diff} problem=${problem} />`, [reload, diff, problem]);
  return html`
    <section class="details" aria-label="The save" data-testid="save-details">
      ${reload.traceback && html`<${Traceback} traceback=${reload.traceback} origin=${{ reload: reload.id }} changed=${changedSinceReload(state.reloads, { last_ms: reload.time_ms })} />`}
      ${changes}
      ${reload.outcome === "ok" && html`<${AffectedRoutes} reload=${reload} rows=${rows} changed=${functions} modules=${modules ?? []} runId=${state.runId} />`}
      ${reload.modules.length > 0 && html`<${Reasons} reload=${reload} generation=${state.status?.generation ?? 0} />`}
      <p class="dim"><a href="#reloads">All reloads</a>, with their phases, the modules in their order, and changes for clients</p>
    </section>
  `;
}

/**
 * The modules that ran again, and the chain of imports because of which each did.
 * @param {{ reload: Reload, generation: number }} props
 */
function Reasons({ reload, generation }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <section class="reasons">
      <button type="button" class="expander" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>Why ${pluralize(reload.modules.length, "module")} re-ran</button>
      ${isOpen && html`<${ImportPaths} reload=${reload} generation=${generation} />`}
    </section>
  `;
}

/**
 * Calls `show` when a save arrives that is not live: an older choice must not stay open beside it.
 * @param {Reload | undefined} newest
 * @param {() => void} show
 */
function useFailingSave(newest, show) {
  const last = useRef(newest?.id);
  useEffect(() => {
    if (newest?.id === last.current) return;
    last.current = newest?.id;
    if (newest?.outcome === "failed") show();
  }, [newest]);
}

/** @param {{ state: State }} props */
function NoSave({ state: { status, routes, requests, errors, reloads } }) {
  const open = openErrors(errors).length;
  const start = reloads.find((reload) => !isSave(reload));
  return html`
    <div class="empty">
      <h2>No save yet</h2>
      <p>${status?.generation ? `Version ${status.generation} of your code is live, with ${pluralize(routes.length, "route")}.` : "Nothing is live."}
        ${" "}Save a Python file of your app: what it changed appears here, with the routes that it affects.</p>
      ${start?.traceback && html`<p class="bad">Not all modules have loaded: <a href="#errors">see the error</a>.</p>`}
      ${requests.length > 0 && html`<p>Meanwhile: <a href="#requests">${pluralize(requests.length, "request")}</a>${open > 0 && html`, <a href="#errors">${pluralize(open, "open error")}</a>`}.</p>`}
      <p><${NotificationSwitch} /></p>
    </div>
  `;
}
