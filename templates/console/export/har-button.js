// The button that saves the listed requests as an HTTP Archive: fetches the details of each, a few at a time.

import { html, useState } from "../vendor/preact-htm.js";
import { fetchRequest } from "../server/api.js";
import { saveHar } from "./copy-menu.js";

/** @import { ListedRequest } from "../types.js" */
/** @import { RequestDetail } from "snaxum-events" */

// The server stores this many; older ones of the list have no details any more.
const MAX_REQUESTS = 500;
// A browser opens six connections to one server, and others need some.
const PARALLEL = 4;

/** @param {{ requests: ListedRequest[] }} props */
export function HarButton({ requests }) {
  const [status, setStatus] = useState("");

  async function save() {
    if (status.endsWith("…")) return;
    const wanted = requests.filter(({ is_call: isCall }) => !isCall).slice(0, MAX_REQUESTS);
    const found = /** @type {RequestDetail[]} */ ([]);
    const rest = [...wanted];
    const fetchNext = async () => {
      for (let next = rest.pop(); next; next = rest.pop()) {
        setStatus(`Reading ${wanted.length - rest.length} of ${wanted.length}…`);
        const request = await fetchRequest(next.id, AbortSignal.timeout(30_000)).catch(() => null);
        if (request) found.push(request);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, fetchNext));
    if (found.length) saveHar(found);
    const isCut = wanted.length === MAX_REQUESTS && requests.length > MAX_REQUESTS;
    setStatus(`${isCut ? `the first ${MAX_REQUESTS}: ` : ""}${found.length} saved${found.length < wanted.length ? `, ${wanted.length - found.length} no longer stored` : ""}`);
  }
  return html`
    <button type="button" onClick=${save} disabled=${!requests.length}>Save as HAR</button>
    <span role="status" class="dim">${status}</span>
  `;
}
