// What is looked at, as the part of the address behind `#`: `#requests?q=status:5xx&open=118`.
//
// Pure. Reloading the page, going back and a link that is passed on lead to the same view.

/** The tab, the filter `q` and the opened row `open` that a hash names; what it leaves out is empty. */
export function readAddress(hash) {
  const [tab, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const values = new URLSearchParams(query);
  return { tab, q: values.get("q") ?? "", open: values.get("open") };
}

/** The hash of a view. */
export function addressOf({ tab, q, open }) {
  const values = new URLSearchParams();
  if (q) values.set("q", q);
  if (open != null) values.set("open", open);
  const query = values.toString();
  return `#${tab}${query && `?${query}`}`;
}
