// The list of failures: failed reloads, and failed requests grouped by exception type and location.
//
// Pure functions over the state of store.js. Knows nothing of how a failure is shown.

import { fileLine } from "../components/format.js";

/**
 * Returns the failures in `state`, newest first, as { key, time_ms, type, message, about, count }. A
 * reload also has `traceback` and `reloadId`; a group of requests has `requestId` (the newest one's),
 * `firstGeneration` and `lastGeneration`.
 */
export function failures(state) {
  const reloads = state.reloads
    // At startup some modules may fail while the others are served: outcome "ok" with a traceback.
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
 * Returns the files that have changed since a failure in `generation` at `time_ms`. A change that failed to
 * load counts too, unless it was undone.
 */
export function changedSince(reloads, { generation, time_ms }) {
  const changed = new Set();
  const undone = new Set();
  for (const reload of reloads) {
    const isLater = reload.outcome === "failed" ? reload.time_ms > time_ms : reload.outcome === "ok" && reload.generation > (generation ?? 0);
    for (const file of reload.files) {
      if (isLater && !(reload.outcome === "failed" && undone.has(file))) changed.add(file);
      if (reload.outcome !== "failed") undone.add(file);
    }
  }
  return changed;
}

/** Returns the files that have changed since a failed reload, in any later reload: an undone change counts. */
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
    // The message may contain data of the request, so it identifies the failure only without a location.
    const location = error.file == null ? [method, route ?? path, error.message] : [error.file, error.function];
    const key = JSON.stringify([error.type, ...location]);
    const group = groups.get(key);
    if (group) {
      group.count += 1;
      group.firstGeneration = generation ?? group.firstGeneration;
      continue;
    }
    const about = error.file == null ? `${method} ${path}` : `${method} ${path} · ${fileLine(error.file, error.line)} in ${error.function}`;
    groups.set(key, { key, time_ms, ...error, about, count: 1, requestId: id, firstGeneration: generation, lastGeneration: generation });
  }
  return [...groups.values()];
}
