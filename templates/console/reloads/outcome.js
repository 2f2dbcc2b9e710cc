// The outcome of a reload in one line, in the words of the page.
//
// The server's own summary is for terminals.

/** @import { Reload } from "snaxum-events" */

import { fileLine, milliseconds, version, visible } from "../components/format.js";
import { failingFrame } from "../errors/traceback.js";

/**
 * "live as version 7 in 19 ms", "not live: SyntaxError: invalid syntax (python/app.py:3)".
 * @param {Reload} reload
 */
export function outcomeText({ outcome, generation, total_ms, reason, traceback, others }) {
  const failure = traceback && failureText(traceback, others);
  if (outcome === "noop") return `nothing to run${reason && `: ${visible(reason)}`}; ${version(generation)} is still live`;
  if (outcome === "failed") return `not live: ${failure ?? "the reload failed"}; ${generation ? `${version(generation)} is still live` : "nothing is live yet"}`;
  const live = `live as ${version(generation)} in ${milliseconds(total_ms)}`;
  return failure ? `${live}, but not all modules load: ${failure}` : live;
}

/**
 * @param {NonNullable<Reload["traceback"]>} traceback
 * @param {Reload["others"]} others
 */
function failureText(traceback, others) {
  const frame = failingFrame(traceback);
  const place = frame ? ` (${fileLine(frame.file, frame.line)})` : "";
  const message = traceback.message.split("\n")[0];
  return visible(`${traceback.type}: ${message}${place}${others.length ? ` and ${others.length} more` : ""}`);
}
