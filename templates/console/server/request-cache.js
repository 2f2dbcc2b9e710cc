// All details of one request: fetched when a component shows them, and cached for the next time.
//
// Never fetches a request that is not shown: the event stream carries summaries only.

/** @import { RequestDetail } from "snaxum-events" */

import { useEffect, useState } from "../vendor/preact-htm.js";
import { fetchRequest } from "./api.js";

const MAX_ENTRIES = 50;
/** @type {Map<string, RequestDetail>} */
const cache = new Map();

/**
 * `version` changes when the details have.
 * Returns { request, problem }; both are null until the server has responded.
 * `runId` is part of the key because a restarted server numbers its requests from 1 again.
 * @param {string | null} runId
 * @param {string | null | undefined} id
 */
export function useRequest(runId, id, version = "") {
  const key = id == null ? null : `${runId} ${id} ${version}`;
  const [result, setResult] = useState(/** @type {{ key?: string, request?: RequestDetail, problem?: string }} */ ({}));

  useEffect(() => {
    if (id == null || key === null || cache.has(key)) return;
    const controller = new AbortController();
    fetchRequest(id, controller.signal).then(
      (request) => {
        cache.set(key, request);
        if (cache.size > MAX_ENTRIES) cache.delete(cache.keys().next().value ?? "");
        setResult({ key, request });
      },
      (error) => {
        if (!controller.signal.aborted) setResult({ key, problem: error.message });
      },
    );
    return () => controller.abort();
  }, [key]);

  if (key === null) return { request: null, problem: null };
  const problem = result.key === key ? (result.problem ?? null) : null;
  return { request: cache.get(key) ?? null, problem };
}
