// Reloading by hand: now, not at all for a while, and on again.
//
// Says what came of a click where nothing else on the page does.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { pause, reload, resume } from "./actions.js";
import { visible } from "./format.js";

const SHOWN_MS = 5000;

export function ByHand({ status }) {
  const [said, say] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    const timer = said && setTimeout(() => say(""), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  if (!status) return null;

  // Not by `disabled`: the button would lose the focus.
  async function ask(what, words) {
    if (isBusy) return;
    setBusy(true);
    try {
      say(words(await what()));
    } catch (error) {
      say(error.message);
    }
    setBusy(false);
  }

  return html`
    <span role="status" class="dim" data-testid="by-hand">${visible(said)}</span>
    <button type="button" class="quiet" title=${status.paused ? "Resume reloading" : "Pause reloading: saves are kept for later"}
      onClick=${() => ask(status.paused ? resume : pause, () => "")}>
      <span aria-hidden="true">${status.paused ? "▶" : "‖"}</span><span class="unseen">${status.paused ? "Resume reloading" : "Pause reloading"}</span>
    </button>
    <button type="button" class="quiet" title="Reload what differs from what serves" onClick=${() => ask(reload, outcome)}>
      <span aria-hidden="true">⟲</span><span class="unseen">Reload now</span>
    </button>
  `;
}

/** The row of the reload says the rest. */
function outcome({ reload }) {
  if (!reload) return "nothing to reload";
  return reload.outcome === "failed" ? "it does not load" : `reloaded: G${reload.generation}`;
}
