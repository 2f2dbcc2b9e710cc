// Data of the API that is fetched while a component shows it: a route's source, workers, logs, modules.
//
// Owns fetching and refetching. Discards the data when the component goes: request-cache.js does not.

import { useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { BusyError, fetchJson } from "./api.js";

// A server that is busy is asked again after this time, then after twice as long, and so on.
const [BUSY_MS, MAX_BUSY_MS] = [1000, 30_000];

/**
 * Returns { data, problem } for a path of the API; both are null until it has responded. Fetches again
 * when `version` changes, and every `interval_ms` if that is given. A page that is hidden fetches when it is shown.
 * When `refresh` changes it fetches once more, after a fetch that is running, and shows the old data
 * until then.
 * @param {string} path
 * @param {{ version?: unknown, interval_ms?: number, refresh?: unknown }} [options]
 * @returns {{ data: any, problem: string | null }}
 */
export function useFetch(path, { version, interval_ms, refresh } = {}) {
  const [result, setResult] = useState(/** @type {{ key?: string, data?: any, problem?: string }} */ ({}));
  const loader = useRef(/** @type {any} */ (null));
  const key = `${path} ${version}`;

  useEffect(() => {
    const controller = new AbortController();
    /** @type {number | undefined} */
    let timer;
    let isFetching = false;
    let mustRefetch = false;
    let isOverdue = false;
    let busy_ms = BUSY_MS;
    async function load() {
      if (isFetching) {
        mustRefetch = true;
        return;
      }
      clearTimeout(timer);
      isOverdue = document.hidden;
      if (isOverdue) return;
      isFetching = true;
      let next_ms = interval_ms;
      try {
        const data = await fetchJson(path, controller.signal);
        setResult({ key, data });
      } catch (error) {
        if (controller.signal.aborted) return;
        if (error instanceof BusyError) {
          next_ms ??= busy_ms;
          busy_ms = Math.min(2 * busy_ms, MAX_BUSY_MS);
        }
        setResult((before) => ({ key, data: before.key === key ? before.data : null, problem: String(/** @type {Error} */ (error).message) }));
      }
      if (controller.signal.aborted) return;
      isFetching = false;
      if (mustRefetch) {
        mustRefetch = false;
        load();
      } else if (next_ms) {
        timer = setTimeout(load, next_ms);
      }
    }
    const loadIfOverdue = () => void (isOverdue && load());
    document.addEventListener("visibilitychange", loadIfOverdue);
    loader.current = { load, refresh };
    load();
    return () => {
      document.removeEventListener("visibilitychange", loadIfOverdue);
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, interval_ms]);

  useEffect(() => {
    if (loader.current.refresh === refresh) return; // the first fetch has just started
    loader.current.refresh = refresh;
    loader.current.load();
  }, [refresh]);

  if (result.key !== key) return { data: null, problem: null };
  return { data: result.data ?? null, problem: result.problem ?? null };
}
