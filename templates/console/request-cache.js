// One request whole, fetched when somebody looks at it and kept for the next look.
//
// Never fetches what nobody looks at: the event stream carries summaries only.

import { useEffect, useState } from "./vendor/preact-htm.js";
import { fetchRequest } from "./server.js";

const KEPT = 50;
const fetched = new Map();

/**
 * Gives { request, problem }; both are null until the server has answered.
 * `runId` is part of the name because a restarted server counts from 1 again.
 */
export function useWholeRequest(runId, id) {
  const name = id == null ? null : `${runId} ${id}`;
  const [answer, setAnswer] = useState({});

  useEffect(() => {
    if (name === null || fetched.has(name)) return;
    const stop = new AbortController();
    fetchRequest(id, stop.signal).then(
      (request) => {
        fetched.set(name, request);
        if (fetched.size > KEPT) fetched.delete(fetched.keys().next().value);
        setAnswer({ name, request });
      },
      (error) => {
        if (!stop.signal.aborted) setAnswer({ name, problem: error.message });
      },
    );
    return () => stop.abort();
  }, [name]);

  if (name === null) return { request: null, problem: null };
  const problem = answer.name === name ? (answer.problem ?? null) : null;
  return { request: fetched.get(name) ?? null, problem };
}
