// Numbers, times and text, formatted for display.
//
// Never touches the page or the state.

// Control characters and bidi overrides can make one path look like another.
const DECEPTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Converts any value from the user's code to a string, with deceptive characters escaped.
 * @param {unknown} value
 */
export function visible(value) {
  if (value == null) return "";
  return String(value).replace(DECEPTIVE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/**
 * "0.4 ms", "48 ms", "1.2 s": at most three digits.
 * @param {number | null | undefined} ms
 */
export function milliseconds(ms) {
  if (typeof ms !== "number") return "–";
  if (ms >= 9950) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 9.95) return `${ms.toFixed(0)} ms`;
  if (ms >= 0.05 || ms === 0) return `${ms.toFixed(1)} ms`;
  return "<0.1 ms";
}

/**
 * "14:02:11", in the browser's time zone.
 * @param {number} time_ms
 */
export function timeOfDay(time_ms) {
  return new Date(time_ms).toLocaleTimeString("en-GB");
}

/**
 * "40 s", "12 min", "3 h 5 min".
 * @param {number} seconds
 */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * "version 7" of the user's code: what the server calls generation 7.
 * @param {number | null | undefined} generation
 */
export function version(generation) {
  return `version ${generation ?? "–"}`;
}

/**
 * "1 route", "12 routes".
 * @param {number} number
 * @param {string} word
 */
export function pluralize(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/**
 * "31 req/s", or requests per minute if there is less than one per second.
 * @param {{ count: number, perSecond: number }} traffic
 */
export function rate({ count, perSecond }) {
  if (perSecond < 1) return `${count} req/min`;
  return `${perSecond < 10 ? perSecond.toFixed(1) : perSecond.toFixed(0)} req/s`;
}

/**
 * "python/app.py:31", or the file alone if the line is unknown.
 * @param {string | null | undefined} file
 * @param {number | null} [line]
 */
export function fileLine(file, line) {
  return visible(file) + (line == null ? "" : `:${line}`);
}

/**
 * Returns the color class of a status. The number is always shown too.
 * @param {number} status
 */
export function statusClass(status) {
  if (status >= 500) return "bad";
  if (status >= 400) return "warn";
  return status >= 300 ? "dim" : "good";
}

/**
 * Returns whether the client disconnected before the response. A 499 with a generation is a handler's own.
 * @param {{ status: number, generation?: number | null }} request
 */
export function isClientClosed({ status, generation }) {
  return status === 499 && generation == null;
}

/**
 * "async", "workers: 2, batch of 32": where the handler of a route runs, and how.
 * @param {{ mode?: string, batch?: { max_size: number } | null, workers?: number | null }} route
 */
export function execution({ mode, batch, workers }) {
  const text = workers ? `${mode}: ${workers}` : mode ?? "";
  return batch ? `${text}, batch of ${batch.max_size}` : text;
}
