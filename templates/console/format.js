// Numbers, moments and text as a person reads them.
//
// Never touches the page or the state.

// Control characters and those that reorder text could make one path look like another.
const DECEPTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Any value from the user's code as a string that shows what is in it. */
export function visible(value) {
  if (value == null) return "";
  return String(value).replace(DECEPTIVE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** "0.4 ms", "48 ms", "1.2 s": three digits at most. */
export function milliseconds(ms) {
  if (typeof ms !== "number") return "–";
  if (ms >= 9950) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 9.95) return `${ms.toFixed(0)} ms`;
  if (ms >= 0.05 || ms === 0) return `${ms.toFixed(1)} ms`;
  return "<0.1 ms";
}

/** "14:02:11", in the person's own time zone. */
export function clock(time_ms) {
  return new Date(time_ms).toLocaleTimeString("en-GB");
}

/** "40 s", "12 min", "3 h 5 min". */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "1 route", "12 routes". */
export function counted(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/** "31 req/s", or by the minute when it is slow. */
export function rate({ count, perSecond }) {
  if (perSecond < 1) return `${count} req/min`;
  return `${perSecond < 10 ? perSecond.toFixed(1) : perSecond.toFixed(0)} req/s`;
}

/** "python/app.py:31", or less when less is known. */
export function place(file, line) {
  return visible(file) + (line == null ? "" : `:${line}`);
}

/** The class whose colour says how a response went; the number says it too. */
export function statusClass(status) {
  if (status >= 500) return "bad";
  if (status >= 400) return "warn";
  return status >= 300 ? "dim" : "good";
}

/** Whether a request was given up by its client. A handler may answer 499, too: then it has a generation. */
export function isGivenUp({ status, generation }) {
  return status === 499 && generation == null;
}
