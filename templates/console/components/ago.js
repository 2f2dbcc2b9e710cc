// The time since a moment, which counts on: "just now", "12 s ago", "5 min ago".

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { duration, timeOfDay } from "./format.js";

/**
 * "12 s ago". `now` differs from the clock in tests only.
 * @param {number} time_ms
 * @param {number} [now]
 */
export function agoText(time_ms, now = Date.now()) {
  const seconds = Math.max(0, (now - time_ms) / 1000);
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

/** @param {{ time_ms: number }} props */
export function Ago({ time_ms }) {
  const [, setTick] = useState(0);
  const isRecent = Date.now() - time_ms < 60_000;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && setTick((tick) => tick + 1), isRecent ? 1000 : 20_000);
    return () => clearInterval(timer);
  }, [time_ms, isRecent]);
  return html`<time title=${timeOfDay(time_ms)}>${agoText(time_ms)}</time>`;
}
