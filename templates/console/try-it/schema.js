// JSON schemas of an OpenAPI document: what an input must accept, an example of a value, and the type as text.
//
// Pure. A schema comes from the user's code: it may refer to itself, or to nothing.

/**
 * @typedef {{
 *   $ref?: string, type?: string | string[], enum?: unknown[], const?: unknown, format?: string, properties?: Record<string, Schema>,
 *   required?: string[], items?: Schema, anyOf?: Schema[], oneOf?: Schema[], allOf?: Schema[], additionalProperties?: Schema | boolean,
 *   default?: unknown, examples?: unknown[], description?: string, title?: string, pattern?: string, minimum?: number, maximum?: number,
 *   exclusiveMinimum?: number, exclusiveMaximum?: number, multipleOf?: number, minLength?: number, maxLength?: number, deprecated?: boolean,
 * }} Schema
 */
/** @typedef {{ paths?: Record<string, Record<string, Operation>>, components?: { schemas?: Record<string, Schema> } }} ApiDocument */
/** @typedef {{ name: string, in: string, required?: boolean, description?: string, deprecated?: boolean, schema?: Schema }} Parameter */
/** @typedef {{ schema?: Schema, examples?: Record<string, { value?: unknown }>, example?: unknown }} Media */
/** @typedef {{ parameters?: Parameter[], requestBody?: { required?: boolean, description?: string, content?: Record<string, Media> }, responses?: Record<string, { description?: string, content?: Record<string, Media> }> }} Operation */

const PREFIX = "#/components/schemas/";
// A schema may contain itself, and be too large to read.
const MAX_DEPTH = 6;
const MAX_TEXT = 4000;

/** The formats of texts that a browser has an input for, or that have one pattern. @type {Record<string, Record<string, string>>} */
const FORMATS = {
  date: { type: "date" },
  time: { type: "time", step: "1" },
  email: { type: "email" },
  uri: { type: "url" },
  password: { type: "password" },
  uuid: { type: "text", pattern: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", placeholder: "123e4567-e89b-12d3-a456-426614174000" },
  "date-time": { type: "text", placeholder: "2026-01-31T12:00:00Z" },
};
/** @type {Record<string, string>} */
const EXAMPLES = {
  date: "2026-01-31", time: "12:00:00", "date-time": "2026-01-31T12:00:00Z", duration: "P1D", email: "ada@example.com",
  uuid: "123e4567-e89b-12d3-a456-426614174000", uri: "urn:isbn:9780131103627",
};

/**
 * Returns the schema that a reference leads to, and the members of `allOf` as one.
 * @param {Schema | undefined} schema
 * @param {ApiDocument | null} api
 * @returns {Schema}
 */
export function resolve(schema, api) {
  let found = schema ?? {};
  for (let step = 0; found.$ref && step < MAX_DEPTH; step += 1) {
    const { $ref, ...beside } = found;
    const name = $ref.startsWith(PREFIX) ? decodeURIComponent($ref.slice(PREFIX.length)) : "";
    const target = Object.hasOwn(api?.components?.schemas ?? {}, name) ? api?.components?.schemas?.[name] : {};
    found = { ...target, ...beside };
  }
  if (!found.allOf) return found;
  const { allOf, ...own } = found;
  const parts = [...allOf.map((part) => (part.allOf ? part : resolve(part, api))), own];
  return Object.assign({}, ...parts, {
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
    required: parts.flatMap(({ required }) => required ?? []),
  });
}

/**
 * Returns the schema of a value that is given: of `X | None`, that of `X`.
 * @param {Schema | undefined} schema
 * @param {ApiDocument | null} api
 */
export function givenSchema(schema, api) {
  const found = resolve(schema, api);
  const choices = (found.anyOf ?? found.oneOf ?? []).map((each) => resolve(each, api)).filter(({ type }) => type !== "null");
  const { anyOf: _, oneOf: __, ...own } = found;
  return choices.length === 1 ? { ...choices[0], ...own } : found;
}

/** @param {Schema} schema */
export function typeOf({ type }) {
  return Array.isArray(type) ? type.find((each) => each !== "null") : type;
}

/**
 * Returns the choices of a select, or null if the value is free.
 * @param {Schema} schema
 */
export function choicesOf(schema) {
  if (schema.enum) return schema.enum.filter((value) => value !== null);
  if (schema.const !== undefined) return [schema.const];
  return typeOf(schema) === "boolean" ? [true, false] : null;
}

/**
 * Returns the attributes of the input for a value.
 * @param {Schema} schema
 * @returns {Record<string, string | number | null>}
 */
export function inputAttributes(schema) {
  const type = typeOf(schema);
  if (type === "integer" || type === "number") {
    const isInteger = type === "integer";
    const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema;
    const above = isInteger && exclusiveMinimum !== undefined ? exclusiveMinimum + 1 : exclusiveMinimum;
    const below = isInteger && exclusiveMaximum !== undefined ? exclusiveMaximum - 1 : exclusiveMaximum;
    return { type: "number", step: isInteger ? "1" : "any", inputmode: isInteger ? "numeric" : "decimal", min: minimum ?? above ?? null, max: maximum ?? below ?? null };
  }
  const { minLength, maxLength, pattern, format } = schema;
  return { type: "text", ...(Object.hasOwn(FORMATS, format ?? "") ? FORMATS[format ?? ""] : {}), minlength: minLength ?? null, maxlength: maxLength ?? null, ...(pattern && isPattern(pattern) ? { pattern: `.*(?:${pattern}).*` } : {}) };
}

/** JavaScript may not accept a pattern of Python. @param {string} pattern */
function isPattern(pattern) {
  try {
    return Boolean(new RegExp(pattern, "v"));
  } catch {
    return false;
  }
}

/**
 * Returns a value that fits: an example of the schema, its default, or one that is made up.
 * @param {Schema | undefined} schema
 * @param {ApiDocument | null} api
 * @returns {unknown}
 */
export function exampleOf(schema, api, depth = 0) {
  const found = givenSchema(schema, api);
  if (found.examples?.length) return found.examples[0];
  if (found.default !== undefined) return found.default;
  const choices = choicesOf(found);
  if (choices) return choices[0];
  const alternative = found.anyOf?.[0] ?? found.oneOf?.[0];
  if (alternative && depth < MAX_DEPTH) return exampleOf(alternative, api, depth + 1);
  switch (typeOf(found) ?? (found.properties ? "object" : "")) {
    case "object": return exampleObject(found, api, depth);
    case "array": return depth < MAX_DEPTH && found.items ? [exampleOf(found.items, api, depth + 1)] : [];
    case "integer": return exampleNumber(found, 1);
    case "number": return exampleNumber(found, 0.5);
    case "null": return null;
    case "string": return exampleText(found);
    default: return depth ? "text" : {};
  }
}

/**
 * @param {Schema} schema
 * @param {ApiDocument | null} api
 * @param {number} depth
 */
function exampleObject({ properties = {}, required = [] }, api, depth) {
  if (depth >= MAX_DEPTH) return {};
  const names = Object.keys(properties).filter((name) => !required.length || required.includes(name));
  return Object.fromEntries(names.map((name) => [name, exampleOf(properties[name], api, depth + 1)]));
}

/**
 * @param {Schema} schema
 * @param {number} step
 */
function exampleNumber({ minimum, exclusiveMinimum, maximum, exclusiveMaximum, multipleOf }, step) {
  if (multipleOf) return multipleOf * Math.max(1, Math.ceil((minimum ?? 1) / multipleOf));
  const low = minimum ?? (exclusiveMinimum === undefined ? 1 : exclusiveMinimum + step);
  const high = maximum ?? (exclusiveMaximum === undefined ? Infinity : exclusiveMaximum - step);
  return Math.min(Math.max(low, 1), high);
}

/** @param {Schema} schema */
function exampleText({ format = "", minLength = 0, maxLength = Infinity, title }) {
  if (Object.hasOwn(EXAMPLES, format)) return EXAMPLES[format];
  return (title && title.length <= maxLength ? title : "text").padEnd(minLength, "x").slice(0, maxLength);
}

/**
 * Returns a schema as a short text in the manner of TypeScript.
 * @param {Schema | undefined} schema
 * @param {ApiDocument | null} api
 */
export function schemaText(schema, api) {
  const text = typeText(schema, api, 0, new Set());
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

/**
 * @param {Schema | undefined} schema
 * @param {ApiDocument | null} api
 * @param {number} depth
 * @param {Set<string>} above the names of the schemas around this one
 * @returns {string}
 */
function typeText(schema, api, depth, above) {
  const name = schema?.$ref?.slice(PREFIX.length) ?? "";
  if (name && (above.has(name) || depth >= MAX_DEPTH)) return name;
  const inside = name ? new Set([...above, name]) : above;
  const found = resolve(schema, api);
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = found.anyOf ?? found.oneOf;
  if (choices) return choices.map((each) => typeText(each, api, depth, inside)).join(" | ");
  const types = [found.type ?? (found.properties ? "object" : "any")].flat();
  return types.map((type) => {
    if (type === "array") return `${typeText(found.items, api, depth, inside).replace(/^(.* \| .*)$/s, "($1)")}[]`;
    if (type === "object") return objectText(found, api, depth, inside);
    return limits(found.format ? `${type} (${found.format})` : type, found);
  }).join(" | ");
}

/**
 * @param {Schema} schema
 * @param {ApiDocument | null} api
 * @param {number} depth
 * @param {Set<string>} above
 */
function objectText({ properties, required = [], additionalProperties }, api, depth, above) {
  const names = Object.keys(properties ?? {});
  if (!names.length) return additionalProperties && additionalProperties !== true ? `{ [name]: ${typeText(additionalProperties, api, depth + 1, above)} }` : "object";
  if (depth >= MAX_DEPTH) return "object";
  const indent = "  ".repeat(depth + 1);
  const lines = names.map((name) => {
    const property = resolve(properties?.[name], api);
    const about = property.default !== undefined ? ` = ${JSON.stringify(property.default)}` : "";
    return `${indent}${name}${required.includes(name) ? "" : "?"}: ${typeText(properties?.[name], api, depth + 1, above)}${about}\n`;
  });
  return `{\n${lines.join("")}${"  ".repeat(depth)}}`;
}

/**
 * @param {string} type
 * @param {Schema} schema
 */
function limits(type, { minimum, exclusiveMinimum, maximum, exclusiveMaximum }) {
  const parts = [
    minimum !== undefined && `≥ ${minimum}`, exclusiveMinimum !== undefined && `> ${exclusiveMinimum}`,
    maximum !== undefined && `≤ ${maximum}`, exclusiveMaximum !== undefined && `< ${exclusiveMaximum}`,
  ];
  return [type, ...parts].filter(Boolean).join(" ");
}
