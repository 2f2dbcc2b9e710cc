// The request rate and the latency percentiles of the last minute, in total and for each second.
//
// Counts requests in one bucket per second. If this page missed requests, the server's metrics correct
// the count. Knows nothing of a request but its time and duration.

/** @import { State } from "./store.js" */

const SECONDS = 60;
// A second with more requests is sampled from its first ones.
const MAX_DURATIONS_PER_SECOND = 256;

/** @typedef {{ p50_ms: number | null, p95_ms: number | null, p99_ms: number | null }} Percentiles */
/** @typedef {{ count: number } & Percentiles} Second */
/** @typedef {{ perSecond: number, seconds: Second[] } & Second} Measured */

export class Traffic {
  /** @type {Map<number, { count: number, durations: number[], measured?: Second }>} */
  #buckets = new Map();
  // Whether this page has missed requests since the last metrics.
  #hasMissed = false;

  /**
   * Adds the requests that are in `state` and were not in `before`.
   * @param {State} before
   * @param {State} state
   */
  update(before, state) {
    if (state.runId !== before.runId) this.#buckets.clear();
    if (state.droppedEvents > before.droppedEvents) this.#hasMissed = true;
    if (state.metrics !== before.metrics && state.metrics) this.#correctCount(state.metrics);
    if (state.requests === before.requests) return;
    const newest = before.requests[0];
    for (const request of state.requests) {
      if (newest && request.id === newest.id && request.time_ms === newest.time_ms) break;
      this.#add(request);
    }
  }

  /** @param {{ time_ms: number, total_ms: number }} request */
  #add({ time_ms, total_ms }) {
    const second = Math.floor(time_ms / 1000);
    if (second <= currentSecond() - SECONDS) return;
    const bucket = this.#bucket(second);
    bucket.count += 1;
    if (bucket.durations.length < MAX_DURATIONS_PER_SECOND) bucket.durations.push(total_ms);
  }

  /** @param {{ requests_per_s: number }} metrics */
  #correctCount({ requests_per_s }) {
    if (!this.#hasMissed) return;
    this.#hasMissed = false;
    const bucket = this.#bucket(currentSecond() - 1);
    bucket.count = Math.max(bucket.count, Math.round(requests_per_s));
  }

  /** @param {number} second */
  #bucket(second) {
    let bucket = this.#buckets.get(second);
    if (!bucket) {
      this.#buckets.set(second, (bucket = { count: 0, durations: [] }));
      this.#dropOld();
    }
    return bucket;
  }

  /**
   * Returns the number of requests in the last minute and the percentiles of their durations; `seconds`
   * has the same for each of its seconds, oldest first.
   * @returns {Measured}
   */
  measure() {
    this.#dropOld();
    /** @type {number[]} */
    const durations = [];
    let count = 0;
    for (const bucket of this.#buckets.values()) {
      count += bucket.count;
      durations.push(...bucket.durations);
    }
    return { count, perSecond: count / SECONDS, ...percentiles(durations), seconds: this.#seconds() };
  }

  /** @returns {Second[]} */
  #seconds() {
    const newest = currentSecond();
    return Array.from({ length: SECONDS }, (_, index) => {
      const bucket = this.#buckets.get(newest - SECONDS + 1 + index);
      if (!bucket) return { count: 0, ...percentiles([]) };
      // Most buckets no longer change, so their percentiles are computed once.
      if (bucket.measured?.count !== bucket.count) bucket.measured = { count: bucket.count, ...percentiles(bucket.durations) };
      return bucket.measured;
    });
  }

  isActive() {
    return this.#buckets.size > 0;
  }

  #dropOld() {
    const oldest = currentSecond() - SECONDS;
    for (const second of this.#buckets.keys()) if (second <= oldest) this.#buckets.delete(second);
  }
}

/**
 * @param {number[]} durations
 * @returns {Percentiles}
 */
function percentiles(durations) {
  const sorted = Float64Array.from(durations).sort();
  const percentile = (/** @type {number} */ share) => (sorted.length ? sorted[Math.ceil(sorted.length * share) - 1] : null);
  return { p50_ms: percentile(0.5), p95_ms: percentile(0.95), p99_ms: percentile(0.99) };
}

function currentSecond() {
  return Math.floor(Date.now() / 1000);
}
