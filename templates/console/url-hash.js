// What is looked at, as the part of the address behind `#`: `#requests?q=status:5xx&open=118`.
//
// Pure. Reloading the page, going back and a link that is passed on lead to the same view. Requests
// are counted anew by each process, so a link to one names the `run` too, and the `part` of it that is shown.

/**
 * The tab, the filter `q`, the opened row `open`, its `run` and the `part` of it that is shown, as a hash
 * names them; what it leaves out is empty.
 */
export function readAddress(hash) {
  const [tab, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const values = new URLSearchParams(query);
  return { tab, q: values.get("q") ?? "", open: values.get("open"), run: values.get("run"), part: values.get("part") };
}

/** The hash of a view. */
export function addressOf({ tab, q, open, run, part }) {
  const values = new URLSearchParams();
  if (q) values.set("q", q);
  if (open != null) values.set("open", open);
  if (open != null && run) values.set("run", run);
  if (open != null && part) values.set("part", part);
  const query = values.toString();
  return `#${tab}${query && `?${query}`}`;
}
