// The rate of requests and their percentiles over the last minute, whole and second by second.
//
// Counts what it is given, one bucket a second; of requests that this page was not told of, the server
// says how many there were. Never sees what a request was about.

const SECONDS = 60;
// A second with more requests than this is sampled from its first ones.
const DURATIONS_A_SECOND = 256;

export class Traffic {
  #buckets = new Map();
  // Whether this page has missed requests since the server last said how many there were.
  #hasMissed = false;

  /** Takes the requests that are in `state` and were not in `before`. */
  follow(before, state) {
    if (state.runId !== before.runId) this.#buckets.clear();
    if (state.missed > before.missed) this.#hasMissed = true;
    if (state.metrics !== before.metrics && state.metrics) this.#hear(state.metrics);
    if (state.requests === before.requests) return;
    const newest = before.requests[0];
    for (const request of state.requests) {
      if (newest && request.id === newest.id && request.time_ms === newest.time_ms) break;
      this.#add(request);
    }
  }

  #add({ time_ms, total_ms }) {
    const second = Math.floor(time_ms / 1000);
    if (second <= now() - SECONDS) return;
    const bucket = this.#bucket(second);
    bucket.count += 1;
    if (bucket.durations.length < DURATIONS_A_SECOND) bucket.durations.push(total_ms);
  }

  #hear({ requests_per_s }) {
    if (!this.#hasMissed) return;
    this.#hasMissed = false;
    const bucket = this.#bucket(now() - 1);
    bucket.count = Math.max(bucket.count, Math.round(requests_per_s));
  }

  #bucket(second) {
    let bucket = this.#buckets.get(second);
    if (!bucket) {
      this.#buckets.set(second, (bucket = { count: 0, durations: [] }));
      this.#forgetOld();
    }
    return bucket;
  }

  /**
   * How many requests the last minute had, and the times that half, 95 % and 99 % of them stayed within;
   * `seconds` has the same for each of its seconds, oldest first.
   */
  measure() {
    this.#forgetOld();
    const durations = [];
    let count = 0;
    for (const bucket of this.#buckets.values()) {
      count += bucket.count;
      durations.push(...bucket.durations);
    }
    return { count, perSecond: count / SECONDS, ...percentiles(durations), seconds: this.#seconds() };
  }

  #seconds() {
    const newest = now();
    return Array.from({ length: SECONDS }, (_, index) => {
      const bucket = this.#buckets.get(newest - SECONDS + 1 + index);
      // Whole seconds that have passed do not change any more.
      if (!bucket) return { count: 0, ...percentiles([]) };
      if (bucket.measured?.count !== bucket.count) bucket.measured = { count: bucket.count, ...percentiles(bucket.durations) };
      return bucket.measured;
    });
  }

  isFlowing() {
    return this.#buckets.size > 0;
  }

  #forgetOld() {
    const oldest = now() - SECONDS;
    for (const second of this.#buckets.keys()) if (second <= oldest) this.#buckets.delete(second);
  }
}

function percentiles(durations) {
  const sorted = Float64Array.from(durations).sort();
  const within = (part) => (sorted.length ? sorted[Math.ceil(sorted.length * part) - 1] : null);
  return { p50_ms: within(0.5), p95_ms: within(0.95), p99_ms: within(0.99) };
}

function now() {
  return Math.floor(Date.now() / 1000);
}
