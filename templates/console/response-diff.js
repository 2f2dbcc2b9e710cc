// A replay beside its original: what the newer code answers otherwise.

import { html } from "./vendor/preact-htm.js";
import { milliseconds, visible } from "./format.js";
import { useWholeRequest } from "./whole-request.js";

// Comparing takes the product of both lengths.
const LONGEST = 500;
// These differ each time, whatever the code does.
const LEFT_OUT = new Set(["x-request-id", "x-snaxum-gen", "server-timing", "date"]);

export function Compare({ request, runId }) {
  const { request: original, problem } = useWholeRequest(runId, request.replay_of);
  if (problem) return html`<p class="dim">Its original, #${visible(request.replay_of)}, cannot be shown: ${visible(problem)}.</p>`;
  if (!original) return html`<p class="dim">Loading its original…</p>`;
  const lines = changed(facts(original), facts(request));
  return html`
    <h3>Compared with #${visible(original.id)}, G${original.generation}</h3>
    <p class="dim">${milliseconds(original.total_ms)} then, ${milliseconds(request.total_ms)} now</p>
    ${lines.some(({ sign }) => sign !== " ")
      ? html`<pre class="body compare" tabindex="0" data-testid="compare">${lines.map(({ sign, text }) => html`<span class=${{ "+": "good", "-": "bad", " ": "dim" }[sign]}>${sign} ${visible(text)}${"\n"}</span>`)}</pre>`
      : html`<p class="good" data-testid="compare">The same answer.</p>`}
  `;
}

/** An answer as lines: status, what was raised, headers, body. */
function facts({ status, error, response_headers, response_body }) {
  const headers = response_headers.filter(([name]) => !LEFT_OUT.has(name)).map(([name, value]) => `${name}: ${value}`);
  const body = response_body?.text ?? (response_body?.note ? `(${response_body.note})` : "");
  return [String(status), ...(error ? [`${error.type}: ${error.message}`] : []), ...headers.sort(), "", ...body.split("\n")].slice(0, LONGEST);
}

/** The lines of both, in order, by a longest common subsequence. */
export function changed(before, after) {
  const width = after.length + 1;
  const longest = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        before[i] === after[j]
          ? longest[(i + 1) * width + j + 1] + 1
          : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  const lines = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ sign: " ", text: before[i] });
      i += 1;
      j += 1;
    } else if (j >= after.length || (i < before.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      lines.push({ sign: "-", text: before[i] });
      i += 1;
    } else {
      lines.push({ sign: "+", text: after[j] });
      j += 1;
    }
  }
  return lines;
}
