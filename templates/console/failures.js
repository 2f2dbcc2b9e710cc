// Which failures there are: failed reloads, and failed requests grouped by what went wrong.
//
// Pure, like store.js, which it reads. Never knows how a failure is drawn.

/**
 * The failures in `state`, newest first, as { key, time_ms, type, message, about, count } with
 * `traceback` for a reload and `requestId` (of the newest) for requests.
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
      traceback: reload.traceback,
    }));
  return [...reloads, ...requestFailures(state.requests)].sort((a, b) => b.time_ms - a.time_ms);
}

export function reloadKey({ id }) {
  return `reload ${id}`;
}

function requestFailures(requests) {
  const groups = new Map();
  for (const { id, time_ms, method, path, route, error } of requests) {
    if (!error) continue;
    const key = JSON.stringify([method, route ?? path, error.type, error.message]);
    const group = groups.get(key);
    if (group) group.count += 1;
    else groups.set(key, { key, time_ms, ...error, about: `${method} ${path}`, count: 1, requestId: id });
  }
  return [...groups.values()];
}
