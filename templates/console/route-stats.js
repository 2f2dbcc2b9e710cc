// How each route has done so far: counted from the requests that this page knows.
//
// Pure. Never asks the server, which keeps fewer requests.

const NEWEST = 5;

/** By the name that `statsName` gives: { hits, errors, p95_ms, newest }, the newest requests first. */
export function statsOf(requests) {
  const all = new Map();
  for (const request of requests) {
    if (request.route == null) continue;
    const name = statsName(request.route, request.handler);
    let stats = all.get(name);
    if (!stats) all.set(name, (stats = { hits: 0, errors: 0, times: [], newest: [] }));
    stats.hits += 1;
    if (request.status >= 500) stats.errors += 1;
    stats.times.push(request.total_ms);
    if (stats.newest.length < NEWEST) stats.newest.push(request);
  }
  for (const stats of all.values()) {
    const sorted = Float64Array.from(stats.times).sort();
    stats.p95_ms = sorted[Math.ceil(sorted.length * 0.95) - 1];
  }
  return all;
}

/** A route's name in the statistics: its pattern alone may have several handlers. */
export function statsName(path, handler) {
  return `${handler} ${path}`;
}
