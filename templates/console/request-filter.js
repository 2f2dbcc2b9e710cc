// The language of the requests' filter: text in, a test for one request out.
//
// Pure: never touches the page or the state. Terms stand side by side and all of them must hold;
// what cannot be read is told of, and the others still apply.

const TIMES = ["total", "read", "queue", "gil", "py", "convert", "send"];
const UNITS = { us: 0.001, "µs": 0.001, ms: 1, s: 1000, "": 1 };

/** What `field:value` means, by field: a value gives the test, or null if it says nothing. */
const FIELDS = {
  status: {
    example: "status:5xx",
    read(value) {
      if (/^[1-5]xx$/i.test(value)) return ({ status }) => Math.floor(status / 100) === Number(value[0]);
      return /^\d{3}$/.test(value) ? ({ status }) => status === Number(value) : null;
    },
  },
  method: {
    example: "method:POST",
    read: (value) => (value ? ({ method }) => method.toLowerCase() === value.toLowerCase() : null),
  },
  path: { example: "path:/orders*", read: (value) => byGlob(value, ({ path }) => path) },
  route: { example: "route:/users/<int:id>", read: (value) => byGlob(value, ({ route }) => route) },
  handler: { example: "handler:orders.create", read: (value) => byPart(value, ({ handler }) => [handler]) },
  mode: { example: "mode:async", read: (value) => byPart(value, ({ mode }) => [mode]) },
  gen: {
    example: "gen:8",
    read: (value) => (/^g?\d+$/i.test(value) ? ({ generation }) => generation === Number(value.replace(/^g/i, "")) : null),
  },
  id: { example: "id:118", read: (value) => (value ? ({ id }) => String(id) === value : null) },
  error: {
    example: "error:ZeroDiv",
    read(value) {
      if (value === "*") return ({ error }) => Boolean(error);
      return byPart(value, ({ error }) => [error?.type, error?.message]);
    },
  },
};

/** The terms that can be put in and taken out by a click. */
export const CHIPS = [
  { term: "status:5xx", label: "5xx" },
  { term: "status:4xx", label: "4xx" },
  { term: "error:*", label: "exceptions" },
  { term: ">100ms", label: "slow >100 ms" },
  { term: "queue>50ms", label: "waited >50 ms" },
];

/**
 * Reads a filter. `matches` tests a request; `problems` has a sentence for each term that was
 * left out because it means nothing.
 */
export function parse(text) {
  const tests = [];
  const problems = [];
  for (const term of terms(text)) {
    const isNot = term.length > 1 && term.startsWith("-");
    const { test, problem } = readTerm(isNot ? term.slice(1) : term);
    if (problem) problems.push(problem);
    else tests.push(isNot ? (request) => !test(request) : test);
  }
  return { matches: (request) => tests.every((test) => test(request)), problems };
}

/** Tells whether `term` stands in `text` by itself. */
export function hasTerm(text, term) {
  return terms(text).includes(term);
}

/** The text with `term` put at its end, or taken out where it stood. */
export function toggleTerm(text, term) {
  const all = terms(text);
  const others = all.filter((each) => each !== term);
  return (others.length < all.length ? others : [...all, term]).join(" ");
}

/** A value as the language wants it: in quotes where it has spaces. A quote in it ends the value. */
export function quoted(value) {
  const text = String(value);
  return /[\s"]/.test(text) ? `"${text.split('"')[0]}"` : text;
}

// A quote that is not closed yet reaches to the end: somebody is still typing.
function terms(text) {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

function readTerm(term) {
  const plain = term.replaceAll('"', "");
  if (term.startsWith('"')) return { test: byText(plain) };
  const time = plain.match(/^([a-z]*)([<>])(=?)(.*)$/i);
  if (time && !term.includes(":")) return readTime(term, time);
  const [field, value] = cut(plain);
  if (field === null) return { test: byText(plain) };
  if (!Object.hasOwn(FIELDS, field)) {
    const known = Object.keys(FIELDS).join(", ");
    return { problem: `\`${field}:\` is no field; there are ${known}. For the text itself write "${plain}"` };
  }
  const test = FIELDS[field].read(value);
  return test ? { test } : { problem: `\`${plain}\` says nothing; write it as in \`${FIELDS[field].example}\`` };
}

function cut(plain) {
  const colon = plain.indexOf(":");
  return colon < 1 ? [null, plain] : [plain.slice(0, colon).toLowerCase(), plain.slice(colon + 1)];
}

function readTime(term, [, name, sign, orEqual, rest]) {
  const key = name.toLowerCase() || "total";
  if (!TIMES.includes(key)) return { problem: `\`${name}\` is no time; there are ${TIMES.join(", ")}` };
  const amount = rest.match(/^(\d+(?:\.\d+)?)(us|µs|ms|s|)$/i);
  if (!amount) return { problem: `\`${term}\` says no time; write it as in \`>100ms\` or \`queue>50ms\`` };
  const limit = Number(amount[1]) * UNITS[amount[2].toLowerCase()];
  const took = key === "total" ? ({ total_ms }) => total_ms : ({ phases }) => phases?.[key] ?? 0;
  if (sign === ">") return { test: orEqual ? (request) => took(request) >= limit : (request) => took(request) > limit };
  return { test: orEqual ? (request) => took(request) <= limit : (request) => took(request) < limit };
}

/** Somewhere in what a row shows. */
function byText(text) {
  const wanted = text.toLowerCase();
  return ({ method, path, query, status, error }) =>
    `${method} ${path}${query ? `?${query}` : ""} ${status} ${error ? `${error.type}: ${error.message}` : ""}`.toLowerCase().includes(wanted);
}

function byPart(value, textsOf) {
  const wanted = value.toLowerCase();
  return wanted ? (request) => textsOf(request).some((text) => text?.toLowerCase().includes(wanted)) : null;
}

/** The whole text, where each `*` stands for any text. No expression is built: it could take for ever. */
function byGlob(value, textOf) {
  if (!value) return null;
  const [first, ...rest] = value.toLowerCase().split("*");
  const last = rest.pop();
  return (request) => {
    const text = textOf(request)?.toLowerCase();
    if (text == null || last === undefined) return text === first;
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return text.length - last.length >= at && text.endsWith(last);
  };
}
