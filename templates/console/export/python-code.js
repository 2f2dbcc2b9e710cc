// A request as Python code: a script for httpx or requests, and a test for pytest.
//
// Pure functions over what the server sent, in which secrets are masked: a masked value has a comment.

import { maskedParts } from "./curl.js";
import { MASK, sentHeaders, targetOf } from "./recorded-request.js";
import { pythonFromJson, pythonString } from "./python-literals.js";

/** @import { RequestDetail } from "snaxum-events" */

const MAX_TEXT = 4000;
// Only a client that sets them itself has a reason to send them again.
const BROWSER_HEADERS = /^(accept|accept-language|cache-control|dnt|pragma|priority|referer|upgrade-insecure-requests|user-agent|origin)$|^sec-/;
const REMARK = "  # masked: replace it";

/**
 * Returns a script that sends the request by `library`.
 * @param {RequestDetail} request
 * @param {string} origin
 * @param {"httpx" | "requests"} library
 */
export function pythonScript(request, origin, library) {
  const options = [...requestOptions(request), ...(library === "requests" ? ["allow_redirects=False,"] : [])];
  const call = `${library}.request(${callArguments([pythonString(request.method)], pythonString(origin + targetOf(request)), request, options, "")})`;
  return `import ${library}\n\nresponse = ${call}\nprint(response.status_code, response.headers.get("content-type"))\nprint(response.text)\n`;
}

/**
 * Returns a test that sends the request and asserts the response.
 * @param {RequestDetail} request
 */
export function pytestCase(request) {
  const { asserts, usesAny } = assertions(request);
  // By default a client raises the exception of the handler.
  const isFailure = request.status >= 500;
  const verb = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"].includes(request.method) ? request.method.toLowerCase() : null;
  const client = `Client(${isFailure ? "raise_exceptions=False" : ""})`;
  const method = verb ? [] : [pythonString(request.method)];
  return [
    ...(usesAny ? ["from unittest.mock import ANY", ""] : []),
    "from snaxum.testing import Client",
    "",
    "",
    `def ${testName(request)}() -> None:`,
    `    response = ${client}.${verb ?? "request"}(${callArguments(method, pythonString(targetOf(request)), request, requestOptions(request, "    "), "    ")})`,
    "",
    ...asserts.map((line) => `    ${line}`),
    "",
  ].join("\n");
}

/**
 * @param {string[]} method
 * @param {string} target the path or the URL, as a literal
 * @param {RequestDetail} request
 * @param {string[]} options
 * @param {string} indent
 */
function callArguments(method, target, { path, query }, options, indent) {
  const isMasked = maskedParts({ path, query, request_headers: [] }).length > 0;
  if (!options.length && !isMasked) return [...method, target].join(", ");
  const lines = [...method.map((each) => `${each},`), `${target},${isMasked ? REMARK : ""}`, ...options].map((line) => `${indent}    ${line}\n`);
  return `\n${lines.join("")}${indent}`;
}

/**
 * Returns the headers and the body as arguments of a call, each with its comma.
 * @param {RequestDetail} request
 * @param {string} indent
 */
function requestOptions(request, indent = "") {
  const options = [];
  const deeper = `${indent}    `;
  const isFromBrowser = (request.request_headers ?? []).some(([name]) => name.startsWith("sec-fetch-"));
  const headers = sentHeaders(request).filter(([name, value]) => {
    if (name === "content-type") return bodyKind(request) === "data";
    if (name === "accept" && value === "*/*") return false;
    return name !== "user-agent" && !(isFromBrowser && BROWSER_HEADERS.test(name));
  });
  if (headers.length) {
    // A name may be there twice; of those the client of tests sends one.
    const lines = [...new Map(headers)].map(([name, value]) => `${deeper}    ${pythonString(name)}: ${pythonString(value)},${value.includes(MASK) ? REMARK : ""}\n`);
    options.push(`headers={\n${lines.join("")}${deeper}},`);
  }
  const text = request.request_body?.text ?? "";
  const kind = bodyKind(request);
  const remark = text.includes(MASK) ? REMARK : "";
  if (kind === "json") options.push(`json=${pythonFromJson(text, deeper)},${remark}`);
  if (kind === "form") {
    const pairs = [...new URLSearchParams(text)];
    const names = [...new Set(pairs.map(([name]) => name))];
    const value = (/** @type {string} */ name) => {
      const values = pairs.filter(([each]) => each === name).map(([, each]) => pythonString(each));
      return values.length > 1 ? `[${values.join(", ")}]` : values[0];
    };
    options.push(`data={${names.map((name) => `${pythonString(name)}: ${value(name)}`).join(", ")}},${remark}`);
  }
  if (kind === "data") options.push(`data=${pythonString(text)}.encode(),${remark}`);
  if (kind === "missing") options.push(`# The body of ${request.request_body?.size} bytes was not recorded whole.`);
  return options;
}

/**
 * @param {RequestDetail} request
 * @returns {"json" | "form" | "data" | "missing" | "none"}
 */
function bodyKind({ request_headers: headers, request_body: body }) {
  if (!body?.size) return "none";
  if (body.text == null || body.note) return "missing";
  const type = (headers ?? []).find(([name]) => name === "content-type")?.[1] ?? "";
  if (/^application\/json\b/i.test(type) && pythonFromJson(body.text, "") !== null) return "json";
  return /^application\/x-www-form-urlencoded\b/i.test(type) ? "form" : "data";
}

/** @param {RequestDetail} request */
function assertions({ id, method, status, response_headers: headers, response_body: body }) {
  const asserts = [`assert response.status == ${status}`];
  const header = (/** @type {string} */ name) => (headers ?? []).find(([each]) => each === name)?.[1];
  for (const name of ["content-type", "location"]) {
    const value = header(name);
    if (value && !value.includes(MASK)) asserts.push(`assert response.headers[${pythonString(name)}] == ${pythonString(value)}`);
  }
  const text = body?.text;
  let usesAny = false;
  if (method === "HEAD" || status >= 500 || !body) return { asserts, usesAny };
  if (text == null || body.note) {
    if (!body.note && body.size === 0) asserts.push('assert response.content == b""');
    return { asserts, usesAny };
  }
  const type = header("content-type") ?? "";
  const isJson = /^application\/([\w.-]+\+)?json\b/i.test(type);
  const isProblem = /^application\/problem\+json\b/i.test(type);
  const replace = (/** @type {string} */ value) => {
    // A problem document names the request, whose id is another one each time.
    if (!value.includes(MASK) && !(isProblem && value === id)) return null;
    usesAny = true;
    return "ANY";
  };
  const json = isJson ? pythonFromJson(text, "    ", replace) : null;
  if (json !== null) asserts.push(`assert response.json() == ${json}`);
  else if (text.includes(MASK)) asserts.push("# The body has masked values.");
  else if (text.length <= MAX_TEXT) asserts.push(`assert response.text == ${pythonString(text)}`);
  else asserts.push(`assert response.text.startswith(${pythonString(text.slice(0, 200))})`);
  return { asserts, usesAny };
}

/** @param {RequestDetail} request */
function testName({ method, path }) {
  const words = `${method} ${path}`.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
  return `test_${words}`.slice(0, 60);
}
