// A body of a request or response: a viewer of its content, a choice of others, its size, and a file of it.

import { html, useEffect, useMemo, useState } from "../vendor/preact-htm.js";
import { pluralize, visible } from "../components/format.js";
import { saveFile } from "../components/save.js";
import { fetchBody } from "../server/api.js";
import { contentOf, viewersOf } from "./contents.js";
import { useRemembered } from "./remembered.js";

/** @import { BodyContent } from "snaxum-events" */
/** @import { Viewer } from "./contents.js" */

/** The end of a file's name, by the kind of a body. @type {Record<string, string>} */
const FILE_ENDS = { png: "png", jpeg: "jpg", gif: "gif", webp: "webp", pdf: "pdf", arrow: "arrow", parquet: "parquet" };
/** By the content type of a text. @type {Record<string, string>} */
const TEXT_ENDS = { "application/json": "json", "text/csv": "csv", "text/html": "html", "image/svg+xml": "svg" };
const NAMES = new Map([["image/png", "a PNG"], ["image/jpeg", "a JPEG"], ["image/webp", "a WebP"], ["image/gif", "a GIF"], ["application/pdf", "a PDF"], ["application/vnd.apache.parquet", "a Parquet file"], ["application/vnd.apache.arrow.stream", "an Arrow stream"], ["application/vnd.apache.arrow.file", "an Arrow file"]]);

/**
 * `part` is "request" or "response"; `id` is the request, and `time_ms` when it began: a restarted server
 * numbers its requests from 1 again.
 * @param {{ id: string, time_ms: number, part: "request" | "response", body: BodyContent, headers: [string, string][] }} props
 */
export function Body({ id, time_ms, part, body, headers }) {
  const place = `${part} ${id} ${time_ms}`;
  const path = `${encodeURIComponent(id)}/body/${part}`;
  const content = useMemo(() => contentOf(body, headers, { fileName: `${part}-${id}`, place, path }), [body]);
  const viewers = useMemo(() => viewersOf(content), [content]);
  const [chosen, choose] = useRemembered(`${place} viewer`, /** @type {Viewer | null} */ (null));
  const viewer = chosen && viewers.includes(chosen) ? chosen : viewers[0];
  const { bytes, problem } = useBytes(viewer?.needsBytes ? path : null);
  // The first bytes of a body that is compressed, or not stored whole, are not checked.
  const isOther = NAMES.has(content.type) && body.kind === null && (body.note === null || body.note === "it is not text");
  function save() {
    if (bytes) saveFile(`${content.fileName}.${FILE_ENDS[body.kind ?? ""] ?? "bin"}`, bytes, "application/octet-stream");
    else saveFile(`${content.fileName}.${TEXT_ENDS[content.type] ?? "txt"}`, content.text, "text/plain");
  }
  return html`
    <div class="content" data-testid="content">
      <div class="viewer-bar">
        ${viewers.length > 1 && html`
          <div class="chips" role="group" aria-label="Show as">
            ${viewers.map((each) => html`<button key=${each.title} type="button" aria-pressed=${each === viewer} onClick=${() => choose(each)}>${each.title}</button>`)}
          </div>
        `}
        <span class="dim">${pluralize(body.size, "byte")}${content.type && ` · ${visible(content.type)}`}${body.note && `: ${body.note}`}</span>
        <span class="spacer"></span>
        ${(bytes || content.text) && html`<button type="button" onClick=${save}>Save</button>`}
      </div>
      ${isOther && html`<p class="warn" data-testid="other-type">▲ Its type is ${visible(content.type)}, but it does not begin like ${NAMES.get(content.type)}.</p>`}
      ${problem && html`<p class="warn" role="alert">▲ It cannot be shown: ${visible(problem)}.</p>`}
      ${viewer && (viewer.needsBytes ? bytes && viewer.view(content, bytes) : viewer.view(content, new Uint8Array()))}
    </div>
  `;
}

/**
 * Fetches the bytes of a body, if there is a path.
 * @param {string | null} path
 * @returns {{ bytes?: Uint8Array, problem?: string }}
 */
function useBytes(path) {
  const [result, setResult] = useState(/** @type {{ path?: string, bytes?: Uint8Array, problem?: string }} */ ({}));
  useEffect(() => {
    if (path === null) return;
    const controller = new AbortController();
    fetchBody(path, controller.signal).then(
      (bytes) => setResult({ path, bytes }),
      (error) => controller.signal.aborted || setResult({ path, problem: error.message }),
    );
    return () => controller.abort();
  }, [path]);
  return result.path === path ? result : {};
}
