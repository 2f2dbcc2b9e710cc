// What the server is asked for while somebody looks at it: a source, the workers, logs, modules.
//
// Owns the asking and the asking again. Never keeps an answer that nobody looks at.

import { useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { fetchJson } from "./server.js";

/**
 * Gives { answer, problem } for a path of the API; both null until it has answered. Asks again when
 * `version` is another, and every `every_ms` if that is given, but not while the page is hidden. When
 * `again` is another it asks once more, after an answer that is on its way; the one before stays until
 * then.
 */
export function useFetched(path, { version, every_ms, again } = {}) {
  const [told, setTold] = useState({});
  const asking = useRef(null);
  const name = `${path} ${version}`;

  useEffect(() => {
    const stop = new AbortController();
    let timer = null;
    let isAsking = false;
    let isWanted = false;
    async function ask() {
      if (isAsking) {
        isWanted = true;
        return;
      }
      isAsking = true;
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const answer = await fetchJson(path, stop.signal);
          setTold({ name, answer });
        } catch (error) {
          if (stop.signal.aborted) return;
          setTold((before) => ({ name, answer: before.name === name ? before.answer : null, problem: error.message }));
        }
      }
      if (stop.signal.aborted) return;
      isAsking = false;
      if (isWanted) {
        isWanted = false;
        ask();
      } else if (every_ms) {
        timer = setTimeout(ask, every_ms);
      }
    }
    asking.current = { ask, again };
    ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [name, every_ms]);

  useEffect(() => {
    if (asking.current.again === again) return; // it has just begun
    asking.current.again = again;
    asking.current.ask();
  }, [again]);

  if (told.name !== name) return { answer: null, problem: null };
  return { answer: told.answer ?? null, problem: told.problem ?? null };
}
