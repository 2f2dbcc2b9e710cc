// Why a request took its time: who held the threads while it was queued, how much its handler only
// waited, and what the process pool did for it.

import { html } from "./vendor/preact-htm.js";
import { counted, milliseconds, visible } from "./format.js";

// Below these nobody would look for a cause.
const WORTH_A_HOLDER_MS = 20;
const WORTH_A_HINT_MS = 50;
const MOSTLY = 0.8;

/** The holders and the hint of a request opened. */
export function Waited({ request, select }) {
  const { blocked_by: holders, phases, pool } = request;
  const part = partWaited(request);
  return html`
    ${holders?.length > 0 && html`
      <div class="waited" data-testid="blocked-by">
        <p>${milliseconds(phases.queue)} in the queue, while these held the threads:</p>
        <ol>
          ${holders.map(({ id, method, path, ms }) => html`
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
        The pool did ${counted(pool.tasks, "task")} for it: ${milliseconds(pool.wait_ms)} until a worker was free, ${milliseconds(pool.run_ms)} at work.
      </p>
    `}
    ${part !== null && html`
      <p class="hint" data-testid="hint">The handler spent ${Math.floor(part * 100)} % of its time waiting, and held its thread meanwhile: a candidate for <code>async def</code> or the process pool.</p>
    `}
  `;
}

/** In a row of the list: the one that held the thread longest, where the wait is worth a word. */
export function Holder({ request: { blocked_by: holders, phases } }) {
  if (!holders?.length || phases.queue < WORTH_A_HOLDER_MS) return null;
  const [{ id, path }] = holders;
  return html` <span class="dim" title=${`waited ${milliseconds(phases.queue)}, mostly for #${visible(id)}`}>← #${visible(id)} ${visible(path)}</span>`;
}

/** The part of the handler's time that it waited, or null if that is not worth a hint. */
function partWaited({ phases, py_cpu_ms }) {
  if (typeof py_cpu_ms !== "number" || phases.py < WORTH_A_HINT_MS) return null;
  const part = (phases.py - py_cpu_ms) / phases.py;
  return part >= MOSTLY ? part : null;
}
