// The server's current load, from the metrics of each second: the queue, the threads, and slow requests.

import { html } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, visible } from "./format.js";

/** @import { Metrics } from "snaxum-events" */

/**
 * The queue and the busy threads, in the header.
 * @param {{ metrics: Metrics | null }} props
 */
export function CurrentLoad({ metrics }) {
  if (!metrics) return null;
  const { queued, busy, dispatch_workers } = metrics;
  return html`<li data-testid="current-load"><span class=${queued ? "warn" : ""}>queue ${queued}</span> · ${busy} of ${pluralize(dispatch_workers, "thread")} busy</li>`;
}

/**
 * Requests that are still running after half a second.
 * @param {{ metrics: Metrics | null }} props
 */
export function SlowRequests({ metrics }) {
  if (!metrics?.slow) return null;
  const { slow, running } = metrics;
  return html`
    <ul class="slow-requests" aria-label="Requests that have run for more than half a second" data-testid="slow-requests">
      ${running.map(({ id, method, path, age_ms }) => html`
        <li key=${id}><span class="warn">◌ running</span> <span class="dim">#${visible(id)}</span> <code>${visible(method)} ${visible(path)}</code> for ${milliseconds(age_ms)}</li>
      `)}
      ${slow > running.length && html`<li class="dim">and ${slow - running.length} more</li>`}
    </ul>
  `;
}
