// Why a request took its time: the requests that occupied the threads while it was queued, how long its
// handler only waited, and its tasks in the process pool.

import { html } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, visible } from "../components/format.js";

/** @import { ListedRequest } from "../types.js" */

// Shorter waits are not worth an explanation.
const MIN_QUEUE_MS = 20;
const MIN_HANDLER_MS = 50;
const MIN_WAITING_SHARE = 0.8;

/**
 * The blockers, the pool's times and the hint of an open request.
 * @param {{ request: ListedRequest, select: (id: string) => void }} props
 */
export function WaitReasons({ request, select }) {
  const { blocked_by: blockers, phases, pool } = request;
  const share = waitingShare(request);
  return html`
    ${blockers?.length > 0 && html`
      <div class="blockers" data-testid="blocked-by">
        <p>${milliseconds(phases.queue)} waiting for a thread, while these requests occupied them:</p>
        <ol>
          ${blockers.map(({ id, method, path, ms }) => html`
            <li key=${id}>
              <button type="button" class="link" onClick=${() => select(id)}>#${visible(id)} ${visible(method)} ${visible(path)}</button>
              ${" "}<span class="dim">for ${milliseconds(ms)}</span>
            </li>
          `)}
        </ol>
      </div>
    `}
    ${pool && html`
      <p data-testid="pool-time">
        The pool ran ${pluralize(pool.tasks, "task")} for this request: ${milliseconds(pool.wait_ms)} waiting for a worker, ${milliseconds(pool.run_ms)} running.
      </p>
    `}
    ${share !== null && html`
      <p class="hint" data-testid="hint">The handler spent ${Math.floor(share * 100)} % of its time waiting and occupied its thread meanwhile. Consider <code>async def</code> or the process pool.</p>
    `}
  `;
}

/**
 * In a row of the list: the request that occupied the thread longest, if the wait was long.
 * @param {{ request: ListedRequest }} props
 */
export function MainBlocker({ request: { blocked_by: blockers, phases } }) {
  if (!blockers?.length || phases.queue < MIN_QUEUE_MS) return null;
  const [{ id, path }] = blockers;
  return html` <span class="dim" title=${`waited ${milliseconds(phases.queue)}, mostly for #${visible(id)}`}>← #${visible(id)} ${visible(path)}</span>`;
}

/**
 * The share of its time that the handler waited, or null if it is too small for a hint.
 * @param {ListedRequest} request
 */
function waitingShare({ phases, py_cpu_ms }) {
  if (typeof py_cpu_ms !== "number" || phases.py < MIN_HANDLER_MS) return null;
  const share = (phases.py - py_cpu_ms) / phases.py;
  return share >= MIN_WAITING_SHARE ? share : null;
}
