// The Errors tab: the failures as a list, and the traceback of one of them.
//
// Shows the newest until the person picks another. What counts as a failure is in failures.js.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { addressOf } from "./address.js";
import { changedSince, changedSinceReload, failures, reloadKey } from "./failures.js";
import { matcher } from "./filter.js";
import { clock, visible } from "./format.js";
import { Replay } from "./replay.js";
import { Actions } from "./request-details.js";
import { onPick, walkRows } from "./rows.js";
import { standingFailure } from "./store.js";
import { Traceback } from "./traceback.js";
import { useWholeRequest } from "./whole-request.js";

// A traceback that changes faster than this cannot be read.
const CALM_MS = 1000;

export function Errors({ state, filter, picked, pick }) {
  const all = useMemo(() => failures(state), [state.requests, state.reloads]);
  const newest = useCalm(all[0]);
  const shown = picked ?? newest;

  if (!shown && !state.lastFailure) {
    return html`
      <div class="empty">
        <h2>Nothing has failed</h2>
        <p>When a save does not load or a handler raises, its traceback is here: source, failing columns and locals.</p>
      </div>
    `;
  }
  const matches = matcher(filter);
  const listed = all.filter(({ type, message, about }) => matches(type, message, about));
  const standing = standingFailure(state);
  return html`
    <div class="errors">
      ${all.length > 0 && html`
        <div class="list">
          <table class="rows error-rows">
            <caption class="unseen">Newest failures first</caption>
            <thead>
              <tr><th scope="col" class="c-time">Time</th><th scope="col">What failed</th><th scope="col" class="c-count number">Times</th></tr>
            </thead>
            <tbody onKeyDown=${walkRows}>
              ${listed.map((failure, index) => html`
                <tr key=${failure.key} data-row data-testid="error-row" tabindex=${index === 0 ? 0 : -1}
                  aria-current=${failure.key === shown?.key ? "true" : null} onClick=${onPick(() => pick(failure))}>
                  <td class="c-time dim">${clock(failure.time_ms)}</td>
                  <td>
                    <b class="bad">${visible(failure.type)}</b> ${visible(failure.message)}<br />
                    <span class="dim">${visible(failure.about)}${failure.requestId !== undefined && generations(failure)}</span>
                    ${standing && failure.key === reloadKey(standing) && html` <b class="warn">▲ not mended yet</b>`}
                  </td>
                  <td class="c-count number">${failure.count}</td>
                </tr>
              `)}
            </tbody>
          </table>
          ${!listed.length && html`<p class="nothing">No failure matches <q>${filter}</q>.</p>`}
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

function generations({ firstGeneration: first, lastGeneration: last }) {
  if (last == null) return "";
  return first === last || first == null ? ` · G${last}` : ` · G${first} to G${last}`;
}

function ReloadTraceback({ reloads, failure, traceback }) {
  if (!traceback) return html`<p class="dim">The server sent no traceback for it.</p>`;
  return html`
    ${failure && html`<p class="dim">${visible(failure.about)} · ${clock(failure.time_ms)}</p>`}
    <${Traceback} traceback=${traceback} origin=${failure && { reload: failure.reloadId }} changed=${failure ? changedSinceReload(reloads, failure) : undefined} />
  `;
}

function RequestTraceback({ state, failure }) {
  const { request, problem } = useWholeRequest(state.runId, failure.requestId);
  // The one before stays until the next has arrived, so that nothing flickers.
  const last = useRef(null);
  if (request) last.current = request;
  if (problem) return html`<p class="warn" role="alert">The traceback cannot be shown: ${visible(problem)}.</p>`;
  if (!last.current) return html`<p class="dim">Loading the traceback…</p>`;
  const { id, method, path, time_ms, traceback } = last.current;
  const address = (open) => addressOf({ tab: "requests", open });
  return html`
    <p class="dim"><a href=${address(id)}>request #${visible(id)}</a> · ${visible(method)} ${visible(path)} · ${clock(time_ms)}</p>
    <${Actions} request=${last.current} state=${state} />
    <${Replay} key=${id} request=${last.current} state=${state} select=${(sent) => (location.hash = address(sent))} />
    ${traceback ? html`<${Traceback} traceback=${traceback} origin=${{ request: id }} changed=${changedSince(state.reloads, last.current)} />` : html`<p class="dim">The server kept no traceback for it.</p>`}
  `;
}

/** Follows `value`, but not more often than once in CALM_MS. */
function useCalm(value) {
  const [shown, setShown] = useState(value);
  const changedAt = useRef(0);
  useEffect(() => {
    if (value === shown) return;
    const follow = () => {
      changedAt.current = performance.now();
      setShown(value);
    };
    const timer = setTimeout(follow, Math.max(0, changedAt.current + CALM_MS - performance.now()));
    return () => clearTimeout(timer);
  }, [value, shown]);
  return shown;
}
