// Which failures there are: failed reloads, and failed requests grouped by what went wrong and where.
//
// Pure, like store.js, which it reads. Never knows how a failure is drawn.

import { place } from "./format.js";

/**
 * The failures in `state`, newest first, as { key, time_ms, type, message, about, count } with
 * `traceback` and `reloadId` for a reload, and for requests `requestId` (of the newest),
 * `firstGeneration` and `lastGeneration`.
 */
export function failures(state) {
  const reloads = state.reloads
    // At the start some modules may have failed while the others serve: an "ok" with a traceback.
    .filter(({ traceback }) => traceback)
    .map((reload) => ({
      key: reloadKey(reload),
      time_ms: reload.time_ms,
      type: reload.traceback?.type ?? "Error",
      message: reload.traceback?.message ?? "",
      about: `reload of ${reload.files.join(", ") || reload.cause}`,
      count: 1,
      lastGeneration: reload.generation,
      traceback: reload.traceback,
      reloadId: reload.id,
    }));
  return [...reloads, ...requestFailures(state.requests)].sort((a, b) => b.time_ms - a.time_ms);
}

/**
 * The files that have changed since something failed in `generation` at `time_ms`: those of a later
 * generation, and those of later saves that did not load, unless they were taken back.
 */
export function changedSince(reloads, { generation, time_ms }) {
  const changed = new Set();
  const takenBack = new Set();
  for (const reload of reloads) {
    const isLater = reload.outcome === "failed" ? reload.time_ms > time_ms : reload.outcome === "ok" && reload.generation > (generation ?? 0);
    for (const file of reload.files) {
      if (isLater && !(reload.outcome === "failed" && takenBack.has(file))) changed.add(file);
      if (reload.outcome !== "failed") takenBack.add(file);
    }
  }
  return changed;
}

/** The same for a reload that failed: whatever came after it, a save that took it back too. */
export function changedSinceReload(reloads, { time_ms }) {
  return new Set(reloads.filter((reload) => reload.time_ms > time_ms).flatMap(({ files }) => files));
}

export function reloadKey({ id }) {
  return `reload ${id}`;
}

function requestFailures(requests) {
  const groups = new Map();
  for (const { id, time_ms, method, path, route, generation, error } of requests) {
    if (!error) continue;
    // The same line is the same mistake, whatever the message says of this request.
    const where = error.file == null ? [method, route ?? path, error.message] : [error.file, error.function];
    const key = JSON.stringify([error.type, ...where]);
    const group = groups.get(key);
    if (group) {
      group.count += 1;
      group.firstGeneration = generation ?? group.firstGeneration;
      continue;
    }
    const about = error.file == null ? `${method} ${path}` : `${method} ${path} · ${place(error.file, error.line)} in ${error.function}`;
    groups.set(key, { key, time_ms, ...error, about, count: 1, requestId: id, firstGeneration: generation, lastGeneration: generation });
  }
  return [...groups.values()];
}
