// One operation of an OpenAPI document as the form needs it, and a request as the values of that form.
//
// Pure. Without a document an operation has the parameters of its path, and any query, headers and body.

import { exampleOf, givenSchema } from "./schema.js";

/** @import { ApiDocument, Operation, Parameter, Schema } from "./schema.js" */

/** The values of the form: texts by place and name, and the free texts below them. @typedef {{ path: Texts, query: Texts, header: Texts, moreQuery: string, moreHeaders: string, kind: string, body: string }} Values */
/** @typedef {Record<string, string>} Texts */
/** A route: its pattern has its parameters in braces, in their order. @typedef {{ pattern: string, params: { name: string, type?: string }[] }} Target */
/** @typedef {{ path: string, query?: string | null, request_headers: [string, string][], request_body?: { text?: string | null, note?: string | null } | null }} EarlierRequest */

const MASK = "••••";
// Headers that a browser sends by itself, or that a page must not set.
const NOT_FILLED = /^(accept|accept-encoding|accept-language|cache-control|connection|content-length|content-type|cookie|dnt|host|origin|pragma|priority|referer|te|traceparent|upgrade-insecure-requests|user-agent|x-request-id)$|^sec-/;

/** The types of converters in a route's pattern. @type {Record<string, Schema>} */
const CONVERTERS = {
  int: { type: "integer", minimum: 0 },
  float: { type: "number", minimum: 0 },
  uuid: { type: "string", format: "uuid" },
};

/** The names of the kinds of body by their media type. @type {Record<string, string>} */
export const KINDS = {
  "application/json": "json",
  "application/x-www-form-urlencoded": "form",
  "multipart/form-data": "multipart",
};

/**
 * Returns the operation of a method of a route; null if the document has none.
 * @param {ApiDocument | null} api
 * @param {string} method
 * @param {string} pattern
 * @returns {Operation | null}
 */
export function operationOf(api, method, pattern) {
  const shape = (/** @type {string} */ path) => decodeURI(path).replace(/\{[^{}]*\}/g, "{}");
  const wanted = shape(pattern.replace(/\{\{|\}\}/g, (brace) => (brace === "{{" ? "%7B" : "%7D")));
  const path = Object.keys(api?.paths ?? {}).find((each) => shape(each) === wanted);
  return (path && api?.paths?.[path]?.[method.toLowerCase()]) || null;
}

/**
 * Returns the parameters of the form: first the ones in the path, by the names of the route.
 * @param {Target} target
 * @param {Operation | null} operation
 * @returns {Parameter[]}
 */
export function parametersOf({ params }, operation) {
  const described = operation?.parameters ?? [];
  const inPath = described.filter((each) => each.in === "path");
  const own = params.map(({ name, type }, index) => ({
    ...(inPath[index] ?? {}), name, in: "path", required: true, schema: inPath[index]?.schema ?? CONVERTERS[type ?? ""] ?? { type: "string", minLength: 1 },
  }));
  return [...own, ...described.filter((each) => each.in === "query" || each.in === "header")];
}

/**
 * Returns the media types of the body by kind; a media type that has no kind is a text.
 * @param {Operation | null} operation
 * @returns {{ kind: string, type: string, schema?: Schema }[]}
 */
export function bodiesOf(operation) {
  const content = operation?.requestBody?.content;
  if (!content) return ["json", "form", "text"].map((kind) => ({ kind, type: "" }));
  const found = Object.entries(content).map(([type, { schema }]) => ({ kind: KINDS[type] ?? type, type, schema }));
  return found.length ? found : [{ kind: "text", type: "" }];
}

/** @returns {Values} */
export function noValues(kind = "json") {
  return { path: {}, query: {}, header: {}, moreQuery: "", moreHeaders: "", kind, body: "" };
}

/**
 * Returns values that fit the operation: its own examples, or made up ones for required values.
 * @param {Target} target
 * @param {Operation | null} operation
 * @param {ApiDocument | null} api
 * @returns {Values}
 */
export function exampleValues(target, operation, api) {
  const [first] = bodiesOf(operation);
  const values = noValues(first.kind);
  for (const { name, in: place, required, schema } of parametersOf(target, operation)) {
    if (!required && !givenSchema(schema, api).examples?.length) continue;
    const example = exampleOf(schema, api);
    values[/** @type {"path" | "query" | "header"} */ (place)][name] = Array.isArray(example) ? example.map(asText).join("\n") : asText(example);
  }
  if (operation?.requestBody) values.body = exampleBody(operation, first, api);
  return values;
}

/**
 * Returns the text of an example of a body.
 * @param {Operation} operation
 * @param {{ kind: string, type: string, schema?: Schema }} body
 * @param {ApiDocument | null} api
 */
export function exampleBody(operation, { kind, type, schema }, api) {
  const media = operation.requestBody?.content?.[type];
  const given = Object.values(media?.examples ?? {}).find(({ value }) => value !== undefined)?.value;
  const example = given ?? media?.example ?? exampleOf(schema, api);
  if (kind === "json") return JSON.stringify(example, null, 2);
  if (kind === "form" || kind === "multipart") {
    const { properties = {} } = givenSchema(schema, api);
    const isFile = (/** @type {string} */ name) => isFileSchema(properties[name], api);
    return Object.entries(Object(example)).filter(([name]) => !isFile(name)).map(([name, value]) => `${name}=${asText([value].flat()[0])}`).join("\n");
  }
  return typeof example === "string" && type.startsWith("text/") ? "" : "";
}

/**
 * Whether a part of a form is a file, or several.
 * @param {Schema | undefined} schema
 * @param {ApiDocument | null} api
 */
export function isFileSchema(schema, api) {
  const found = givenSchema(schema, api);
  return (found.items ? givenSchema(found.items, api) : found).format === "binary";
}

/**
 * Returns the values of an earlier request. Masked values are left out.
 * @param {EarlierRequest} request
 * @param {Target} target
 * @param {Operation | null} operation
 * @returns {Values}
 */
export function valuesOf(request, target, operation) {
  const bodies = bodiesOf(operation);
  const type = request.request_headers.find(([name]) => name === "content-type")?.[1] ?? "";
  const known = Object.entries(KINDS).find(([media]) => type.toLowerCase().startsWith(media))?.[1];
  const kind = [known, "text", bodies[0].kind].find((each) => bodies.some((body) => body.kind === each)) ?? bodies[0].kind;
  const values = noValues(kind);
  const isMasked = (/** @type {string} */ text) => text.includes(MASK);
  values.path = Object.fromEntries(Object.entries(pathValues(request.path, target)).map(([name, text]) => [name, isMasked(text) ? "" : text]));
  const parameters = parametersOf(target, operation);
  const isNamed = (/** @type {string} */ place, /** @type {string} */ name) => parameters.some((each) => each.in === place && each.name.toLowerCase() === name.toLowerCase());
  const rest = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(request.query ?? "")) {
    if (isMasked(value)) continue;
    if (isNamed("query", name)) values.query[name] = name in values.query ? `${values.query[name]}\n${value}` : value;
    else rest.append(name, value);
  }
  values.moreQuery = rest.toString();
  const lines = [];
  for (const [name, value] of request.request_headers) {
    if (isMasked(value)) continue;
    if (isNamed("header", name)) values.header[name] = value;
    else if (!NOT_FILLED.test(name)) lines.push(`${name}: ${value}`);
  }
  values.moreHeaders = lines.join("\n");
  const { text, note } = request.request_body ?? {};
  if (!text || note || isMasked(text) || kind === "multipart") return values;
  values.body = kind === "form" ? [...new URLSearchParams(text)].map(([name, value]) => `${name}=${value}`).join("\n") : text;
  return values;
}

/**
 * @param {string} path
 * @param {Target} target
 * @returns {Texts}
 */
function pathValues(path, { pattern, params }) {
  const source = pattern.replace(/\{\{|\}\}|\{(\*?)([^{}]+)\}|[^{}]+/g, (part, rest, name) => {
    if (name !== undefined) return rest ? "(.+)" : "([^/]+)";
    return (part === "{{" || part === "}}" ? part[0] : part).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  const found = path.match(new RegExp(`^${source}$`, "s"));
  return Object.fromEntries(params.map(({ name }, index) => [name, found?.[index + 1] ?? ""]));
}

/** @param {unknown} value */
function asText(value) {
  return typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
}
