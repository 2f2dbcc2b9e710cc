// The menu of an open request that copies it as code, or saves it as a file.

import { html } from "../vendor/preact-htm.js";
import { page } from "../server/api.js";
import { CopyButton } from "../components/copy-button.js";
import { Menu } from "../components/menu.js";
import { saveFile } from "../components/save.js";
import { harOf } from "./har.js";
import { pytestCase, pythonScript } from "./python-code.js";

/** @import { RequestDetail } from "snaxum-events" */

/** @param {{ request: RequestDetail }} props */
export function CopyMenu({ request }) {
  const origin = location.origin;
  return html`
    <${Menu} label="Copy as…" testid="copy-menu">
      <${CopyButton} label="Copy for httpx" text=${() => pythonScript(request, origin, "httpx")} />
      <${CopyButton} label="Copy for requests" text=${() => pythonScript(request, origin, "requests")} />
      <${CopyButton} label="Copy as a pytest case" text=${() => pytestCase(request)} />
      <button type="button" data-closes onClick=${() => saveHar([request])}>Save as HAR</button>
    </>
  `;
}

/** @param {RequestDetail[]} requests */
export function saveHar(requests) {
  const server = { origin: location.origin, version: page?.dataset.version ?? "" };
  saveFile(requests.length === 1 ? `request-${requests[0].id}.har` : "requests.har", harOf(requests, server), "application/json");
}
