// A PDF: its facts, and a link that opens it in a tab of its own. It is not drawn in the page, because the viewers of
// browsers run the scripts in it.

import { html } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { documentUrl } from "../server/api.js";

/** @param {{ bytes: Uint8Array, path: string }} props */
export function Pdf({ bytes, path }) {
  const text = new TextDecoder("latin1").decode(bytes);
  const version = text.match(/^%PDF-(\d\.\d)/)?.[1];
  const pages = text.match(/\/Type\s*\/Page(?!s)/g)?.length;
  const title = text.match(/\/Title\s*\(((?:[^()\\]|\\.){0,200})\)/)?.[1];
  return html`
    <table class="facts" data-testid="pdf">
      <tbody>
        <tr><th scope="row">PDF</th><td>version ${visible(version ?? "unknown")}</td></tr>
        ${pages && html`<tr><th scope="row">Pages</th><td>${pages}</td></tr>`}
        ${title && html`<tr><th scope="row">Title</th><td>${visible(title)}</td></tr>`}
      </tbody>
    </table>
    <p><a href=${documentUrl(path)} target="_blank" rel="noopener noreferrer">Open it in a tab</a> <span class="dim">A PDF is not drawn here: the browser's viewer runs the scripts in it. A figure that is returned as SVG or PNG is shown.</span></p>
  `;
}
