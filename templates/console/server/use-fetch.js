// Data of the API that is fetched while a component shows it: a route's source, workers, logs, modules.
//
// Owns fetching and refetching. Discards the data when the component goes: request-cache.js does not.

import { useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { fetchJson } from "./api.js";

/**
 * Returns { data, problem } for a path of the API; both are null until it has responded. Fetches again
 * when `version` changes, and every `interval_ms` if that is given, but not while the page is hidden.
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
    async function load() {
      if (isFetching) {
        mustRefetch = true;
        return;
      }
      isFetching = true;
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const data = await fetchJson(path, controller.signal);
          setResult({ key, data });
        } catch (error) {
          if (controller.signal.aborted) return;
          setResult((before) => ({ key, data: before.key === key ? before.data : null, problem: String(/** @type {Error} */ (error).message) }));
        }
      }
      if (controller.signal.aborted) return;
      isFetching = false;
      if (mustRefetch) {
        mustRefetch = false;
        load();
      } else if (interval_ms) {
        timer = setTimeout(load, interval_ms);
      }
    }
    loader.current = { load, refresh };
    load();
    return () => {
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
