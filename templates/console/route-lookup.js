// "Which handler?": a request as a person writes it, and which route answers it.
//
// Asks the server. Never matches a path itself.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { statusClass, visible } from "./format.js";
import { fetchJson } from "./server.js";

/** `open` gets the methods and the path of a route that somebody wants to see. */
export function WhichHandler({ open }) {
  const [text, setText] = useState("");
  const [told, setTold] = useState(null);
  const asking = useRef(null);
  useEffect(() => () => asking.current?.abort(), []);

  async function ask(event) {
    event.preventDefault();
    const wanted = text.trim().match(/^(?:(\S+)\s+)?(\/.*)$/s);
    if (!wanted) return setTold({ problem: "write a method and a path, as in POST /orders/9, or a path alone" });
    asking.current?.abort();
    const stop = (asking.current = new AbortController());
    const values = new URLSearchParams({ method: wanted[1] ?? "GET", path: wanted[2] });
    try {
      setTold({ explanation: await fetchJson(`match?${values}`, stop.signal) });
    } catch (error) {
      if (!stop.signal.aborted) setTold({ problem: error.message });
    }
  }

  return html`
    <form class="which" role="search" aria-label="Which handler?" onSubmit=${ask}>
      <label><span>Which handler?</span> <input type="text" name="request" data-testid="which" placeholder="POST /orders/9" value=${text}
        autocomplete="off" spellcheck=${false} onInput=${(event) => setText(event.target.value)} /></label>
      <button type="submit">Look up</button>
      <div role="status" class="wide" data-testid="which-answer">
        ${told?.problem && html`<p class="warn">▲ ${visible(told.problem)}</p>`}
        ${told?.explanation && html`<${Explanation} told=${told.explanation} open=${open} />`}
      </div>
    </form>
  `;
}

function Explanation({ told: { method, path, status, allow, answer, misses }, open }) {
  return html`
    <p>
      <code>${visible(method)} ${visible(path)}</code>${" → "}
      ${answer
        ? html`<button type="button" class="link" onClick=${() => open(answer)}><code>${visible(answer.methods.join(" "))} ${visible(answer.path)}</code></button>
            ${" "}<b><code>${visible(answer.handler)}</code></b> <span class="dim">(${visible(answer.mode)})</span>`
        : html`<b class=${statusClass(status)}>${status}</b> ${noHandler(status, allow)}`}
    </p>
    ${answer?.params.length > 0 && html`
      <ul>${answer.params.map(({ name, type, value }) => html`<li key=${name}><code>${visible(name)} = ${visible(value)}</code> <span class="dim">${visible(type)}</span></li>`)}</ul>
    `}
    ${misses.length > 0 && html`
      <h3>Near it</h3>
      <ul>
        ${misses.map((miss) => html`<li>
          <button type="button" class="link" onClick=${() => open(miss)}><code>${visible(miss.methods.join(" "))} ${visible(miss.path)}</code></button>
          ${" "}<code>${visible(miss.handler)}</code>: ${visible(miss.why)}
        </li>`)}
      </ul>
    `}
  `;
}

function noHandler(status, allow) {
  if (status === 405) return `the path answers ${visible(allow.join(", "))}`;
  if (status === 200) return `answered without a handler: ${visible(allow.join(", "))}`;
  return "no route has this path";
}
