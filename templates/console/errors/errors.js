// The Errors tab: the list of failures, and the traceback of one of them.
//
// Shows the newest failure until the user selects another. failures.js defines the list.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { changedSince, changedSinceReload, failures, reloadKey } from "./failures.js";
import { textMatcher } from "../components/filter.js";
import { timeOfDay, version, visible } from "../components/format.js";
import { Replay } from "../requests/replay.js";
import { useRequest } from "../server/request-cache.js";
import { Actions } from "../requests/request-details.js";
import { currentFailure } from "../server/store.js";
import { navigateRows, onRowClick } from "../components/table-nav.js";
import { Traceback } from "./traceback.js";
import { formatHash } from "../page/url-hash.js";

// A traceback that changes faster than this cannot be read.
const MIN_SHOWN_MS = 1000;

export function Errors({ state, filter, selected, select }) {
  const all = useMemo(() => failures(state), [state.requests, state.reloads]);
  const newest = useThrottled(all[0]);
  const shown = selected ?? newest;

  if (!shown && !state.lastFailure) {
    return html`
      <div class="empty">
        <h2>No errors yet</h2>
        <p>When a save does not load or a handler raises an exception, its traceback appears here, with source, failing columns and locals.</p>
      </div>
    `;
  }
  const matches = textMatcher(filter);
  const listed = all.filter(({ type, message, about }) => matches(type, message, about));
  const current = currentFailure(state);
  return html`
    <div class="errors">
      ${all.length > 0 && html`
        <div class="list">
          <table class="rows error-rows">
            <caption class="visually-hidden">Newest failures first</caption>
            <thead>
              <tr><th scope="col" class="c-time">Time</th><th scope="col">Failure</th><th scope="col" class="c-count number">Times</th></tr>
            </thead>
            <tbody onKeyDown=${navigateRows}>
              ${listed.map((failure, index) => html`
                <tr key=${failure.key} data-row data-testid="error-row" tabindex=${index === 0 ? 0 : -1}
                  aria-current=${failure.key === shown?.key ? "true" : null} onClick=${onRowClick(() => select(failure))}>
                  <td class="c-time dim">${timeOfDay(failure.time_ms)}</td>
                  <td>
                    <b class="bad">${visible(failure.type)}</b> ${visible(failure.message)}<br />
                    <span class="dim">${visible(failure.about)}${failure.requestId !== undefined && versions(failure)}</span>
                    ${current && failure.key === reloadKey(current) && html` <b class="warn">▲ not fixed yet</b>`}
                  </td>
                  <td class="c-count number">${failure.count}</td>
                </tr>
              `)}
            </tbody>
          </table>
          ${!listed.length && html`<p class="no-results">No error matches <q>${filter}</q>.</p>`}
        </div>
      `}
      <section class="details" aria-label="Traceback">
        ${shown?.requestId !== undefined
          ? html`<${RequestTraceback} state=${state} failure=${shown} />`
          : html`<${ReloadTraceback} reloads=${state.reloads} failure=${shown} traceback=${shown ? shown.traceback : state.lastFailure} />`}
      </section>
    </div>
  `;
}

function versions({ firstGeneration: first, lastGeneration: last }) {
  if (last == null) return "";
  return first === last || first == null ? ` · ${version(last)}` : ` · versions ${first} to ${last}`;
}

function ReloadTraceback({ reloads, failure, traceback }) {
  if (!traceback) return html`<p class="dim">The server sent no traceback for this reload.</p>`;
  return html`
    ${failure && html`<p class="dim">${visible(failure.about)} · ${timeOfDay(failure.time_ms)}</p>`}
    <${Traceback} traceback=${traceback} origin=${failure && { reload: failure.reloadId }} changed=${failure ? changedSinceReload(reloads, failure) : undefined} />
  `;
}

function RequestTraceback({ state, failure }) {
  const { request, problem } = useRequest(state.runId, failure.requestId);
  // Shows the previous traceback until the next one has loaded, so that nothing flickers.
  const last = useRef(null);
  if (request) last.current = request;
  if (problem) return html`<p class="warn" role="alert">Cannot show the traceback: ${visible(problem)}.</p>`;
  if (!last.current) return html`<p class="dim">Loading the traceback…</p>`;
  const { id, method, path, time_ms, traceback } = last.current;
  const hashOf = (open) => formatHash({ tab: "requests", open });
  return html`
    <p class="dim"><a href=${hashOf(id)}>request #${visible(id)}</a> · ${visible(method)} ${visible(path)} · ${timeOfDay(time_ms)}</p>
    <${Actions} request=${last.current} state=${state} />
    <${Replay} key=${id} request=${last.current} state=${state} select=${(sent) => (location.hash = hashOf(sent))} />
    ${traceback ? html`<${Traceback} traceback=${traceback} origin=${{ request: id }} changed=${changedSince(state.reloads, last.current)} />` : html`<p class="dim">The server stored no traceback for this request.</p>`}
  `;
}

/** Returns `value`, but changes at most once in MIN_SHOWN_MS. */
function useThrottled(value) {
  const [shown, setShown] = useState(value);
  const changedAt = useRef(0);
  useEffect(() => {
    if (value === shown) return;
    const update = () => {
      changedAt.current = performance.now();
      setShown(value);
    };
    const timer = setTimeout(update, Math.max(0, changedAt.current + MIN_SHOWN_MS - performance.now()));
    return () => clearTimeout(timer);
  }, [value, shown]);
  return shown;
}
