// All details of one request: fetched when a component shows them, and cached for the next time.
//
// Never fetches a request that is not shown: the event stream carries summaries only.

/** @import { RequestDetail } from "snaxum-events" */

import { useEffect, useState } from "../vendor/preact-htm.js";
import { fetchRequest } from "./api.js";

const MAX_ENTRIES = 50;
// A stream that is shown while it is sent is fetched so often.
const REFRESH_MS = 500;
/** @type {Map<string, RequestDetail>} */
const cache = new Map();

/**
 * `version` changes when the details have; with `isGrowing` they may change at any time.
 * Returns { request, problem }; both are null until the server has responded.
 * `runId` is part of the key because a restarted server numbers its requests from 1 again.
 * @param {string | null} runId
 * @param {string | null | undefined} id
 */
export function useRequest(runId, id, version = "", isGrowing = false) {
  const key = id == null ? null : `${runId} ${id} ${version}`;
  const [result, setResult] = useState(/** @type {{ key?: string, request?: RequestDetail, problem?: string }} */ ({}));

  useEffect(() => {
    if (id == null || key === null || cache.has(key)) return;
    const controller = new AbortController();
    fetchRequest(id, controller.signal).then(
      (request) => {
        store(key, request);
        setResult({ key, request });
      },
      (error) => {
        if (!controller.signal.aborted) setResult({ key, problem: error.message });
      },
    );
    return () => controller.abort();
  }, [key]);

  useEffect(() => {
    if (id == null || key === null || !isGrowing) return undefined;
    const controller = new AbortController();
    /** @type {number | undefined} */
    let timer;
    async function refresh() {
      // A fetch that fails is repeated: the server may be restarting.
      const request = document.hidden ? null : await fetchRequest(String(id), controller.signal).catch(() => null);
      if (controller.signal.aborted) return;
      if (request && hasGrown(cache.get(String(key)), request)) {
        store(String(key), request);
        setResult({ key: String(key), request });
      }
      timer = setTimeout(refresh, REFRESH_MS);
    }
    timer = setTimeout(refresh, REFRESH_MS);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, isGrowing]);

  if (key === null) return { request: null, problem: null };
  const problem = result.key === key ? (result.problem ?? null) : null;
  return { request: cache.get(key) ?? null, problem };
}

/**
 * @param {RequestDetail | undefined} before
 * @param {RequestDetail} now
 */
function hasGrown(before, now) {
  return before?.response_body?.size !== now.response_body?.size || before?.logs.length !== now.logs.length;
}

/**
 * @param {string} key
 * @param {RequestDetail} request
 */
function store(key, request) {
  cache.set(key, request);
  if (cache.size > MAX_ENTRIES) cache.delete(cache.keys().next().value ?? "");
}
