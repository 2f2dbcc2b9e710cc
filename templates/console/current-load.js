// What the server does at this moment, as it says each second: the queue, the threads, and the
// requests that take long.

import { html } from "./vendor/preact-htm.js";
import { counted, milliseconds, visible } from "./format.js";

/** For the row of numbers. */
export function Now({ metrics }) {
  if (!metrics) return null;
  const { queued, busy, dispatch_workers } = metrics;
  return html`<li data-testid="now"><span class=${queued ? "warn" : ""}>queue ${queued}</span> · ${busy} of ${counted(dispatch_workers, "thread")} busy</li>`;
}

/** Requests that have not ended and take long already. */
export function SlowRequests({ metrics }) {
  if (!metrics?.slow) return null;
  const { slow, running } = metrics;
  return html`
    <ul class="slow" aria-label="Requests that take more than half a second" data-testid="slow">
      ${running.map(({ id, method, path, age_ms }) => html`
        <li key=${id}><span class="warn">◌ not ended</span> <span class="dim">#${visible(id)}</span> <code>${visible(method)} ${visible(path)}</code> for ${milliseconds(age_ms)}</li>
      `)}
      ${slow > running.length && html`<li class="dim">and ${slow - running.length} more</li>`}
    </ul>
  `;
}
