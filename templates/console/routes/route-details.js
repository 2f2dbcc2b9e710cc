// An open route: its docstring, its source as loaded, its recent requests, and a form to send one.
//
// Shows the fields of the row immediately and the source when it has been fetched.

import { html } from "../vendor/preact-htm.js";
import { appUrl } from "../server/api.js";
import { execution, milliseconds, pluralize, statusClass, timeOfDay, version, visible } from "../components/format.js";
import { quoteValue } from "../requests/request-filter.js";
import { SourceLink } from "../components/source-link.js";
import { ProfileSwitch } from "./profile-switch.js";
import { colored, linePieces } from "../errors/code-frame.js";
import { buildPath } from "../try-it/form.js";
import { RouteSchema, TryRoute } from "./try-it.js";
import { TryWebSocket } from "./try-websocket.js";
import { formatHash } from "../page/url-hash.js";
import { useFetch } from "../server/use-fetch.js";

/** @import { RouteInfo } from "snaxum-events" */
/** @import { RouteStats } from "./route-stats.js" */

/**
 * `isServed` is false for a removed route, of which the least is known.
 * @param {{ route: RouteInfo, stats?: RouteStats, isServed: boolean, generation: number, runId: string | null }} props
 */
export function RouteDetails({ route, stats, isServed, generation, runId }) {
  const canOpen = isServed && route.methods.includes("GET") && route.params?.length === 0;
  const url = canOpen ? appUrl(route.path) : null;
  const isRust = route.language === "rust";
  return html`
    <div class="expanded-content" data-testid="route-details">
      ${route.doc ? html`<p class="doc">${visible(route.doc)}</p>` : html`<p class="dim">The handler has no ${isRust ? "documentation comment" : "docstring"}.</p>`}
      ${(route.warnings ?? []).map((warning) => html`<p class="warn">⚠ ${visible(warning)}</p>`)}
      ${route.params?.length > 0 && html`
        <p>Path parameters: ${route.params.map(({ name, type }, index) => html`${index > 0 && ", "}<code>${visible(name)}</code> <span class="dim">(${visible(type)})</span>`)}</p>
      `}
      <p><code>${visible(route.handler)}</code> <span class="dim">in</span> <${SourceLink} file=${route.file} line=${route.line} target=${route.id && { route: route.id }} />${route.mode && html` <span class="dim">· ${visible(execution(route))}</span>`}</p>
      ${route.batch && html`<p>One call takes up to ${pluralize(route.batch.max_size, "request")}; the first waits at most ${milliseconds(route.batch.max_wait_ms)} for others.</p>`}
      ${route.workers && html`<p>Runs in ${pluralize(route.workers, "worker")} of its own.</p>`}
      ${route.via && route.via.length > 0 && html`
        <p>Hooks, in their order: ${route.via.map((hook, index) => html`${index > 0 && ", "}<code>${visible(hook)}</code>`)}</p>
      `}
      ${url && html`<p><a href=${url} target="_blank" rel="noopener noreferrer">Open ${visible(url)}</a></p>`}
      ${isServed && html`
        <div class="columns">
          <div>
            <section><h3>Source${isRust ? "" : ", as loaded"}</h3><${Source} id=${route.id} generation=${generation} /></section>
            <section><h3>Recent requests</h3>${isRust
              ? html`<p class="dim">Requests to handlers in Rust are not recorded.</p>`
              : html`<${RecentRequests} route=${route} stats=${stats} /><${ProfileSwitch} key=${route.id} id=${route.id} />`}</section>
            <${RouteSchema} route=${route} generation=${generation} />
          </div>
          <section><h3>Try it</h3>${route.methods.includes("WS") ? html`<${TryWebSocket} key=${route.id} route=${route} buildPath=${buildPath} />` : html`<${TryRoute} key=${route.id} route=${route} lastId=${stats?.recent[0]?.id ?? null} runId=${runId} generation=${generation} />`}</section>
        </div>
      `}
    </div>
  `;
}

/** @param {{ id: string, generation: number }} props */
function Source({ id, generation }) {
  const { data: source, problem } = useFetch(`routes/${encodeURIComponent(id)}/source`, { version: generation });
  if (problem) return html`<p class="dim">Cannot show the source: ${visible(problem)}.</p>`;
  if (!source) return html`<p class="dim">Loading the source…</p>`;
  const pieces = linePieces(source.file ?? "", source.lines.map((/** @type {{ text: string }} */ { text }) => text));
  return html`
    <pre class="source bordered" tabindex="0" data-testid="route-source">${source.lines.map((/** @type {{ line: number }} */ { line }, /** @type {number} */ index) => html`
      <span class="line" key=${line}><span class="gutter">${line}</span><code>${colored(pieces[index])}</code></span>
    `)}</pre>
    <p class="dim">${source.generation === null ? "as it is on disk" : `as loaded in ${version(source.generation)}`}${source.is_cut && " (first lines only)"}</p>
  `;
}

/** @param {{ route: RouteInfo, stats?: RouteStats }} props */
function RecentRequests({ route, stats }) {
  if (!stats) return html`<p class="dim">none received by this page</p>`;
  const allRequests = formatHash({ tab: "requests", q: `route:${quoteValue(route.path)} handler:${quoteValue(route.handler)}` });
  return html`
    <p>${pluralize(stats.hits, "hit")} · p95 ${milliseconds(stats.p95_ms)} · <span class=${stats.errors ? "bad" : ""}>${pluralize(stats.errors, "server error")}</span></p>
    <ul>
      ${stats.recent.map(({ id, time_ms, method, path, status, total_ms }) => html`
        <li key=${id}><a href=${formatHash({ tab: "requests", open: id })}>#${visible(id)}</a>
          ${" "}<span class="dim">${timeOfDay(time_ms)}</span> <code>${visible(method)} ${visible(path)}</code>
          ${" "}<b class=${statusClass(status)}>${status}</b> <span class="dim">${milliseconds(total_ms)}</span></li>
      `)}
    </ul>
    <p><a href=${allRequests}>All requests of this route</a></p>
  `;
}
