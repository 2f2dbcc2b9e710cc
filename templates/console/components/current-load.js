// The server's current load, from the metrics of each second: the queue, the threads, and slow requests.

import { html, useState } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, visible } from "./format.js";

/** @import { Metrics } from "snaxum-events" */

/**
 * The requests that wait for a thread, and the busy threads, in the header.
 * @param {{ metrics: Metrics | null }} props
 */
export function CurrentLoad({ metrics }) {
  // While nothing runs there is nothing to show.
  if (!metrics || !(metrics.queued || metrics.busy)) return null;
  const { queued, busy, dispatch_workers } = metrics;
  return html`<li data-testid="current-load">${queued > 0 && html`<span class="warn">${queued} waiting</span> · `}${busy} of ${pluralize(dispatch_workers, "thread")} busy</li>`;
}

/**
 * Requests that are still running after half a second: the oldest in one line, so that the list below stays
 * where it is, and all of them on demand; `showProfile` draws what one does.
 * @param {{ metrics: Metrics | null, showProfile: (id: string) => unknown }} props
 */
export function SlowRequests({ metrics, showProfile }) {
  const [open, setOpen] = useState(/** @type {string | null} */ (null));
  if (!metrics?.slow) return null;
  const { slow, running } = metrics;
  const [first] = running;
  if (!first) return null;
  const action = (/** @type {{ id: string }} */ { id }) => html`
    <button type="button" class="link" aria-expanded=${open === id} onClick=${() => setOpen(open === id ? null : id)}>What does it do?</button>
    ${open === id && showProfile(id)}
  `;
  return html`
    <details class="slow-requests" aria-label="Requests that have run for more than half a second" data-testid="slow-requests">
      <summary><span class="warn">◌ running</span> <${Running} request=${first} />${slow > 1 && ` and ${slow - 1} more`}</summary>
      <ul>
        ${running.map((request) => html`<li key=${request.id}><${Running} request=${request} /> ${action(request)}</li>`)}
        ${slow > running.length && html`<li class="dim">and ${slow - running.length} more</li>`}
      </ul>
    </details>
  `;
}

/** @param {{ request: import("snaxum-events").RunningRequest }} props */
function Running({ request: { id, method, path, age_ms } }) {
  return html`<span class="dim">#${visible(id)}</span> <code>${visible(method)} ${visible(path)}</code> for ${milliseconds(age_ms)}`;
}
