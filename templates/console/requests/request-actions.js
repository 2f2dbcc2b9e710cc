// The actions of keys and of the command palette on a request: the open one, else the focused one.

import { useContext } from "../vendor/preact-htm.js";
import { fetchRequest } from "../server/api.js";
import { replay } from "../server/commands.js";
import { Editor, openSource } from "../components/source-link.js";
import { failingFrame, frameNumbers } from "../errors/traceback.js";
import { copyText, notify, useActions } from "../page/actions.js";
import { curlCommand } from "../export/curl.js";
import { pytestCase, pythonScript } from "../export/python-code.js";

/** @import { RequestDetail } from "snaxum-events" */
/** @import { State } from "../server/store.js" */

const TIMEOUT_MS = 30_000;

/** @param {{ state: State, selected: string | null, onOpen: (id: string) => void }} context */
export function useRequestActions({ state, selected, onOpen }) {
  const editor = useContext(Editor);
  const target = () => {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest("[data-id]") ?? null);
    const id = selected ?? focused?.dataset.id ?? null;
    if (id === null) throw new Error("Open a request, or move to its row with j or k");
    return id;
  };
  const details = () => fetchRequest(target(), AbortSignal.timeout(TIMEOUT_MS));
  /**
   * @param {(request: RequestDetail) => string} format
   * @param {string} what
   */
  const copy = (format, what) => async () => {
    const request = await details();
    if (request.is_call) throw new Error("A call from Rust has no HTTP request");
    await copyText(`#${request.id} ${what}`, format(request));
  };

  useActions([
    {
      title: "Replay the request", key: "r",
      async run() {
        const sent = await replay(target(), {});
        if (selected !== null) onOpen(sent.id);
        else notify(`Replayed as #${sent.id}`);
      },
    },
    { title: "Copy the request as cURL", key: "c", run: copy((request) => curlCommand(request, location.origin), "as cURL") },
    { title: "Copy the request for httpx", run: copy((request) => pythonScript(request, location.origin, "httpx"), "for httpx") },
    { title: "Copy the request for requests", run: copy((request) => pythonScript(request, location.origin, "requests"), "for requests") },
    { title: "Copy the request as a pytest case", run: copy((request) => pytestCase(request), "as a pytest case") },
    {
      title: "Open the code of the request in the editor", key: "e",
      async run() {
        const { id, traceback, route, handler } = await details();
        const frame = failingFrame(traceback);
        if (frame?.user) return openSource(editor, { ...frame, target: { request: id, frame: frameNumbers(/** @type {any} */ (traceback)).get(frame) } });
        const served = state.routes.find((each) => each.path === route && each.handler === handler);
        if (!served) throw new Error("No route of the code that is live has handled this request");
        return openSource(editor, { file: served.file, line: served.line, target: { route: served.id } });
      },
    },
  ]);
}
