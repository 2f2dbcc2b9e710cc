// The form of a route in the console: filled from its last request, and with a link to the request that it sends.
//
// The form itself is shared with the docs page (try-it/form.js).

import { html, useState } from "../vendor/preact-htm.js";
import { useFetch } from "../server/use-fetch.js";
import { useRequest } from "../server/request-cache.js";
import { visible } from "../components/format.js";
import { formatHash } from "../page/url-hash.js";
import { Preview } from "../requests/preview.js";
import { TryForm } from "../try-it/form.js";
import { operationOf, parametersOf } from "../try-it/operation.js";
import { schemaText } from "../try-it/schema.js";

/** @import { RouteInfo } from "snaxum-events" */
/** @import { ApiDocument, Media } from "../try-it/schema.js" */
/** @import { EarlierRequest } from "../try-it/operation.js" */

/** @param {{ route: RouteInfo, lastId: string | null, runId: string | null, generation: number }} props */
export function TryRoute({ route, lastId, runId, generation }) {
  const { data, problem } = useFetch("openapi", { version: generation });
  const api = /** @type {ApiDocument | null} */ (data ?? null);
  // The newest request when the form appeared: a later one must not change what the user sees.
  const [id] = useState(lastId);
  const { request, problem: isGone } = useRequest(runId, id);
  const last = request && id !== null ? { id, request: /** @type {EarlierRequest} */ (/** @type {unknown} */ (request)) } : null;
  const isReady = Boolean(api || problem) && Boolean(id === null || request || isGone);
  return html`
    <${TryForm} id=${route.id} methods=${route.methods} target=${route} api=${api} isReady=${isReady} last=${last} base=${`${location.origin}/`} extras=${extras} />
  `;
}

/** @param {{ response?: Response, text?: string }} sent */
function extras({ response, text }) {
  const id = response?.headers.get("x-request-id");
  return html`
    ${id && html`<p><a href=${formatHash({ tab: "requests", open: id })}>request #${visible(id)}</a></p>`}
    ${text && /^text\/html\b/i.test(response?.headers.get("content-type") ?? "") && html`<${Preview} key=${id} text=${text} />`}
  `;
}

/**
 * Shows the types that a route takes and returns; nothing for a route without any.
 * @param {{ route: RouteInfo, generation: number }} props
 */
export function RouteSchema({ route, generation }) {
  const { data } = useFetch("openapi", { version: generation });
  const api = /** @type {ApiDocument | null} */ (data ?? null);
  return route.methods.map((method) => {
    const operation = operationOf(api, method, route.pattern);
    if (!operation) return null;
    const parameters = parametersOf(route, operation);
    const answers = Object.entries(operation.responses ?? {}).filter(([status]) => status.startsWith("2"));
    const hasTypes = parameters.length > 0 || operation.requestBody || answers.some(([, { content }]) => content);
    return hasTypes && html`
      <section key=${method} data-testid="route-schema">
        <h3>Types${route.methods.length > 1 && ` of ${method}`}</h3>
        <table class="facts">
          <tbody>
            ${parameters.map(({ name, in: place, required, schema, description }) => html`
              <tr key=${`${place} ${name}`}><th scope="row"><code>${visible(name)}</code>${!required && html` <span class="dim">optional</span>`}</th>
                <td><span class="dim">${place}</span> <code>${visible(schemaText(schema, api))}</code> ${visible(description)}</td></tr>
            `)}
            ${operation.requestBody && html`<tr><th scope="row">body</th><td><${Contents} content=${operation.requestBody.content} api=${api} /></td></tr>`}
            ${answers.map(([status, { content }]) => html`<tr key=${status}><th scope="row">${status}</th><td><${Contents} content=${content} api=${api} /></td></tr>`)}
          </tbody>
        </table>
      </section>
    `;
  });
}

/** @param {{ content?: Record<string, Media>, api: ApiDocument | null }} props */
function Contents({ content, api }) {
  const entries = Object.entries(content ?? {});
  if (!entries.length) return html`<span class="dim">no body</span>`;
  // Forms have the same fields in each encoding.
  const byText = new Map();
  for (const [type, { schema }] of entries) {
    const text = schemaText(schema, api);
    byText.set(text, [...(byText.get(text) ?? []), type]);
  }
  return [...byText].map(([text, types]) => html`<div key=${text}><span class="dim">${types.map(visible).join(", ")}</span> <pre>${visible(text)}</pre></div>`);
}
