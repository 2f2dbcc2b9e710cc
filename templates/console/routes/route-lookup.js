// Route lookup: a request as a user types it, and the route that handles it.
//
// Shows what find-route.js returns. Never matches a path itself.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { statusClass, visible } from "../components/format.js";
import { findRoute, noHandlerText, parseRequest } from "./find-route.js";

/** @import { Input } from "../types.js" */
/** @import { Found, FoundRoute } from "./find-route.js" */

/**
 * `open` receives a route of the result, whose methods and path identify its row.
 * @param {{ open: (route: FoundRoute) => void }} props
 */
export function RouteLookup({ open }) {
  const [text, setText] = useState("");
  const [result, setResult] = useState(/** @type {{ match?: Found, problem?: string } | null} */ (null));
  const fetching = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => fetching.current?.abort(), []);

  /** @param {Event} event */
  async function lookUp(event) {
    event.preventDefault();
    const request = parseRequest(text);
    if (!request) return setResult({ problem: "type a method and a path, like POST /orders/9, or only a path" });
    fetching.current?.abort();
    const controller = (fetching.current = new AbortController());
    try {
      setResult({ match: await findRoute(request, controller.signal) });
    } catch (error) {
      if (!controller.signal.aborted) setResult({ problem: /** @type {Error} */ (error).message });
    }
  }

  return html`
    <form class="route-lookup" role="search" aria-label="Which handler?" onSubmit=${lookUp}>
      <label><span>Which handler?</span> <input type="text" name="request" data-testid="route-lookup" placeholder="POST /orders/9" value=${text}
        autocomplete="off" spellcheck=${false} onInput=${(/** @type {Input} */ event) => setText(event.target.value)} /></label>
      <button type="submit">Look up</button>
      <div role="status" class="wide" data-testid="route-lookup-result">
        ${result?.problem && html`<p class="warn">▲ ${visible(result.problem)}</p>`}
        ${result?.match && html`<${Match} match=${result.match} open=${open} />`}
      </div>
    </form>
  `;
}

/** @param {{ match: Found, open: (route: FoundRoute) => void }} props */
function Match({ match, open }) {
  const { method, path, status, route, near_misses: nearMisses } = match;
  return html`
    <p>
      <code>${visible(method)} ${visible(path)}</code>${" → "}
      ${route
        ? html`<button type="button" class="link" onClick=${() => open(route)}><code>${visible(route.methods.join(" "))} ${visible(route.path)}</code></button>
            ${" "}<b><code>${visible(route.handler)}</code></b> <span class="dim">(${visible(route.mode)})</span>`
        : html`<b class=${statusClass(status)}>${status}</b> ${noHandlerText(match)}`}
    </p>
    ${route && route.params.length > 0 && html`
      <ul>${route.params.map(({ name, type, value }) => html`<li key=${name}><code>${visible(name)} = ${visible(value)}</code> <span class="dim">${visible(type)}</span></li>`)}</ul>
    `}
    ${route && route.via.length > 0 && html`<p class="dim">via ${route.via.map((hook, index) => html`${index > 0 && ", "}<code>${visible(hook)}</code>`)}</p>`}
    ${nearMisses.length > 0 && html`
      <h3>Similar routes</h3>
      <ul>
        ${nearMisses.map((miss) => html`<li>
          <button type="button" class="link" onClick=${() => open(miss)}><code>${visible(miss.methods.join(" "))} ${visible(miss.path)}</code></button>
          ${" "}<code>${visible(miss.handler)}</code>: ${visible(miss.reason)}
        </li>`)}
      </ul>
    `}
  `;
}
