// Manual reloading: the buttons that reload now, and that pause and resume reloading on save.
//
// Shows the result of a click where no other part of the page does.

/** @import { CommandOutcome, ServerStatus } from "snaxum-events" */

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { pause, reload, resume } from "../server/commands.js";
import { version, visible } from "../components/format.js";
import { outcomeText } from "./outcome.js";

const RESULT_SHOWN_MS = 5000;

/** @param {CommandOutcome} outcome */
function commandText({ reload, restart, status }) {
  if (restart) return restart.accepted ? "a new process takes over" : `no new process: ${restart.refusal}`;
  return reload ? outcomeText(reload) : `nothing was saved since; ${version(status.generation)} is still live`;
}

/** @param {{ status: ServerStatus | null }} props */
export function ReloadControls({ status }) {
  const [result, setResult] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    if (!result) return undefined;
    const timer = setTimeout(() => setResult(""), RESULT_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [result]);
  if (!status) return null;

  // A `disabled` button would lose the focus.
  /**
   * @param {() => Promise<any>} action
   * @param {(outcome: any) => string} describe
   */
  async function run(action, describe) {
    if (isBusy) return;
    setBusy(true);
    try {
      setResult(describe(await action()));
    } catch (error) {
      setResult(/** @type {Error} */ (error).message);
    }
    setBusy(false);
  }

  return html`
    <span role="status" class="dim" data-testid="reload-result">${visible(result)}</span>
    <button type="button" class="quiet" title=${status.paused ? "Resume reloading" : "Pause reloading: saved changes are applied on resume"}
      onClick=${() => run(status.paused ? resume : pause, () => "")}>
      <span aria-hidden="true">${status.paused ? "▶" : "‖"}</span> <span class="tool-label">${status.paused ? "Resume" : "Pause"}</span><span class="visually-hidden"> reloading</span>
    </button>
    <button type="button" class="quiet" title="Reload now: apply all saved changes" onClick=${() => run(reload, commandText)}>
      <span aria-hidden="true">⟲</span> <span class="tool-label">Reload</span><span class="visually-hidden"> now</span>
    </button>
  `;
}
