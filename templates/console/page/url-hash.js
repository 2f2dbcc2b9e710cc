// The current view as the hash of the URL: `#requests?q=status:5xx&open=118`.
//
// Pure. Reloading the page, going back and opening a shared link show the same view. Each process
// numbers its requests from 1, so a link to a request also has its `run`, and the `part` that is shown.

/**
 * Parses a hash: the tab, its filter `q`, the opened row `open`, its `run` and its shown `part`, and the `sort`
 * and the `view` of its list. The filter is empty and the others are null if they are missing.
 * @param {string} hash
 */
export function parseHash(hash) {
  const [tab, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const values = new URLSearchParams(query);
  return { tab, q: values.get("q") ?? "", open: values.get("open"), run: values.get("run"), part: values.get("part"), sort: values.get("sort"), view: values.get("view") };
}

/**
 * Returns the hash of a view.
 * @param {{ tab: string, q?: string | null, open?: string | null, run?: string | null, part?: string | null, sort?: string | null, view?: string | null }} view
 */
export function formatHash({ tab, q, open, run, part, sort, view }) {
  const values = new URLSearchParams();
  if (q) values.set("q", q);
  if (sort) values.set("sort", sort);
  if (view) values.set("view", view);
  if (open != null) values.set("open", open);
  if (open != null && run) values.set("run", run);
  if (open != null && part) values.set("part", part);
  const query = values.toString();
  return `#${tab}${query && `?${query}`}`;
}
