// The errors as the console lists them, and the files that have changed since one.
//
// Pure functions over the state of store.js. Knows nothing of how an error is shown.

import { fileLine } from "../components/format.js";

/** @import { Reload, TrackedError } from "snaxum-events" */

/**
 * Returns where an error occurs: the line that raised, else the request or the modules.
 * @param {TrackedError} tracked
 */
export function placeOf({ error, method, path, modules }) {
  if (error.file != null) return `${fileLine(error.file, error.line)} in ${error.function}`;
  return method ? `${method} ${path}` : modules.join(", ");
}

/**
 * Returns what failed because of an error: the newest request, or the modules.
 * @param {TrackedError} tracked
 */
export function victimsOf({ method, path, modules }) {
  const [first, ...others] = modules;
  const loading = first && `${first} does not load${others.length ? `, nor ${others.length === 1 ? others[0] : `${others.length} modules that import it`}` : ""}`;
  return [method && `${method} ${path}`, loading].filter(Boolean).join(" · ");
}

/** @param {TrackedError[]} errors */
export function openErrors(errors) {
  return errors.filter(({ state }) => state === "open");
}

/**
 * Returns the error because of which a reload failed, if it is recorded.
 * @param {TrackedError[]} errors
 * @param {Reload | null} reload
 */
export function errorOfReload(errors, reload) {
  return errors.find((error) => reload !== null && error.reload === reload.id && error.state === "open") ?? null;
}

/**
 * Returns the files that have changed since a failure in `generation` at `time_ms`. A change that failed to
 * load counts too, unless it was undone.
 * @param {Reload[]} reloads
 * @param {{ generation?: number | null, time_ms: number }} failure
 */
export function changedSince(reloads, { generation, time_ms }) {
  /** @type {Set<string>} */
  const changed = new Set();
  const undone = new Set();
  for (const reload of reloads) {
    const isLater = reload.outcome === "failed" ? reload.time_ms > time_ms : reload.outcome === "ok" && reload.generation > (generation ?? 0);
    for (const file of reload.files) {
      if (isLater && !(reload.outcome === "failed" && undone.has(file))) changed.add(file);
      if (reload.outcome !== "failed") undone.add(file);
    }
  }
  return changed;
}

/**
 * Returns the files that have changed since a failed reload, in any later reload: an undone change counts.
 * @param {Reload[]} reloads
 * @param {{ last_ms: number }} error
 */
export function changedSinceReload(reloads, { last_ms }) {
  return new Set(reloads.filter((reload) => reload.time_ms > last_ms).flatMap(({ files }) => files));
}
