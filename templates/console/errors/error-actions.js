// The actions of keys and of the command palette on the error that the Errors tab shows.

import { useContext } from "../vendor/preact-htm.js";
import { Editor, openSource } from "../components/source-link.js";
import { curlCommand } from "../export/curl.js";
import { copyText, notify, useActions } from "../page/actions.js";
import { fetchRequest } from "../server/api.js";
import { replay } from "../server/commands.js";
import { failingFrame, frameNumbers } from "./traceback.js";

/** @import { Traceback, TrackedError } from "snaxum-events" */

const TIMEOUT_MS = 30_000;

/**
 * @param {TrackedError} tracked
 * @param {Traceback | null} traceback null until the server has responded
 */
export function useErrorActions({ id, request }, traceback) {
  const editor = useContext(Editor);
  const raised = () => {
    if (!traceback) throw new Error("The traceback has not loaded yet");
    return traceback;
  };
  const details = async () => {
    if (request == null) throw new Error("No request failed because of this error");
    const found = await fetchRequest(request, AbortSignal.timeout(TIMEOUT_MS));
    if (found.is_call) throw new Error("A call from Rust has no HTTP request");
    return found;
  };

  useActions([
    {
      title: "Replay the newest request of the error", key: "r",
      async run() {
        const sent = await replay((await details()).id, {});
        notify(`Replayed as #${sent.id}: ${sent.status}`);
      },
    },
    {
      title: request == null ? "Copy the traceback" : "Copy the newest request of the error as cURL", key: "c",
      async run() {
        if (request == null) await copyText("the traceback", String(raised().text));
        else await copyText(`#${request} as cURL`, curlCommand(await details(), location.origin));
      },
    },
    {
      title: "Open the code of the error in the editor", key: "e",
      async run() {
        const frame = failingFrame(raised());
        if (!frame?.user) throw new Error("No line of your own code is in the traceback");
        await openSource(editor, { ...frame, target: { error: id, frame: frameNumbers(traceback).get(frame) } });
      },
    },
  ]);
}
