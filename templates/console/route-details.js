// One route opened: what it is for, its source as loaded, how it has done, and a form to try it.
//
// Shows what the row knows at once and the source when it has been fetched.

import { html } from "./vendor/preact-htm.js";
import { addressOf } from "./address.js";
import { Place } from "./editor.js";
import { useFetched } from "./fetched.js";
import { clock, counted, milliseconds, statusClass, visible } from "./format.js";
import { quoted } from "./query.js";
import { appAddress } from "./server.js";
import { TryIt } from "./try-it.js";

/** `stats` is of route-stats.js, or undefined; `serves` is false for a route that is gone. */
export function RouteDetails({ route, stats, serves, generation }) {
  const canOpen = serves && route.methods.includes("GET") && route.params?.length === 0;
  const address = canOpen ? appAddress(route.path) : null;
  return html`
    <div class="unfolded-content" data-testid="route-details">
      ${route.doc ? html`<p class="doc">${visible(route.doc)}</p>` : html`<p class="dim">The handler has no docstring.</p>`}
      ${(route.warnings ?? []).map((warning) => html`<p class="warn">⚠ ${visible(warning)}</p>`)}
      ${route.params?.length > 0 && html`
        <p>Takes ${route.params.map(({ name, type }, index) => html`${index > 0 && ", "}<code>${visible(name)}</code> <span class="dim">(${visible(type)})</span>`)}</p>
      `}
      <p><code>${visible(route.handler)}</code> <span class="dim">in</span> <${Place} file=${route.file} line=${route.line} target=${route.id && { route: route.id }} />${route.mode && html` <span class="dim">· ${visible(route.mode)}</span>`}</p>
      ${address && html`<p><a href=${address} target="_blank" rel="noopener noreferrer">Open ${visible(address)}</a></p>`}
      ${serves && html`
        <div class="columns">
          <section><h3>Source, as loaded</h3><${Source} id=${route.id} generation=${generation} /></section>
          <section><h3>Recent requests</h3><${Recent} route=${route} stats=${stats} /></section>
          <section><h3>Try it</h3><${TryIt} key=${route.id} route=${route} /></section>
        </div>
      `}
    </div>
  `;
}

function Source({ id, generation }) {
  const { answer, problem } = useFetched(`routes/${encodeURIComponent(id)}/source`, { version: generation });
  if (problem) return html`<p class="dim">It cannot be shown: ${visible(problem)}.</p>`;
  if (!answer) return html`<p class="dim">Loading the source…</p>`;
  return html`
    <pre class="source framed" tabindex="0" data-testid="route-source">${answer.lines.map(({ line, text }) => html`
      <span class="line" key=${line}><span class="gutter">${line}</span><code>${visible(text)}</code></span>
    `)}</pre>
    <p class="dim">of G${answer.generation}${answer.is_cut && ", its first lines"}</p>
  `;
}

function Recent({ route, stats }) {
  if (!stats) return html`<p class="dim">none that this page knows</p>`;
  const all = addressOf({ tab: "requests", q: `route:${quoted(route.path)} handler:${quoted(route.handler)}` });
  return html`
    <p>${counted(stats.hits, "hit")} · p95 ${milliseconds(stats.p95_ms)} · <span class=${stats.errors ? "bad" : ""}>${counted(stats.errors, "server error")}</span></p>
    <ul>
      ${stats.newest.map(({ id, time_ms, method, path, status, total_ms }) => html`
        <li key=${id}><a href=${addressOf({ tab: "requests", open: id })}>#${visible(id)}</a>
          ${" "}<span class="dim">${clock(time_ms)}</span> <code>${visible(method)} ${visible(path)}</code>
          ${" "}<b class=${statusClass(status)}>${status}</b> <span class="dim">${milliseconds(total_ms)}</span></li>
      `)}
    </ul>
    <p><a href=${all}>All of them</a></p>
  `;
}
