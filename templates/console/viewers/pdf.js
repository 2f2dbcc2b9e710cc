// A PDF: its facts. It is not drawn, because the viewers of browsers run the scripts in it.

import { html } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";

/** @param {{ bytes: Uint8Array }} props */
export function Pdf({ bytes }) {
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
    <p class="dim">A PDF is not drawn here: a browser's viewer would run the scripts in it. Save it to open it.</p>
  `;
}
