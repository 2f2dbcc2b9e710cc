// What a person types as headers and as a body, read into what is sent.
//
// Pure. Says what is wrong with the text; never sends anything.

/**
 * The kinds of body: the content type, what the text area stands for, and `problem` and `encode` of
 * its text. The content type holds unless a header says another.
 */
export const BODIES = {
  json: { label: "JSON", type: "application/json", placeholder: '{"name": "tea"}', problem: jsonProblem, encode: (text) => text },
  form: {
    label: "Form",
    type: "application/x-www-form-urlencoded",
    placeholder: "name=tea\none field a line, as it is meant",
    problem: formProblem,
    encode: (text) => new URLSearchParams(lines(text).map((line) => cut(line, "="))).toString(),
  },
  text: { label: "Text", type: "text/plain;charset=utf-8", placeholder: "", problem: () => null, encode: (text) => text },
};

/**
 * Lines of `name: value`. Gives { pairs, problem, kept }: what cannot be sent is the problem; what
 * a browser keeps to itself, and would leave out without a word, is `kept`, by name.
 */
export function headersOf(text) {
  const pairs = lines(text).map((line) => cut(line, ":").map((part) => part.trim()));
  const odd = lines(text).find((line) => line.indexOf(":") < 1);
  if (odd !== undefined) return { pairs: [], problem: `"${odd}" is no header; write it as in x-kind: tea`, kept: [] };
  try {
    const sent = new Request(location.origin, { headers: pairs }).headers;
    return { pairs, problem: null, kept: pairs.map(([name]) => name).filter((name) => !sent.has(name)) };
  } catch {
    const bad = pairs.find((pair) => !isSendable(pair)) ?? pairs[0];
    return { pairs: [], problem: `"${bad.join(": ")}" cannot be sent as a header`, kept: [] };
  }
}

function isSendable(pair) {
  try {
    return Boolean(new Headers([pair]));
  } catch {
    return false;
  }
}

function lines(text) {
  return text.split("\n").filter((line) => line.trim());
}

/** Both sides of the first `mark`; the second is empty without one. */
function cut(line, mark) {
  const at = line.indexOf(mark);
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + mark.length)];
}

function formProblem(text) {
  const odd = lines(text).find((line) => line.indexOf("=") < 1);
  return odd === undefined ? null : `"${odd}" is no field; write it as in name=tea`;
}

function jsonProblem(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return `This is no JSON: ${error.message}`;
  }
}
