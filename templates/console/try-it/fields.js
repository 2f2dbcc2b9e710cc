// The typed fields of the form: one for each parameter, and one for each member of a body.
//
// Shows and edits texts; what they mean is in schema.js. Never sends anything.

import { html } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { choicesOf, givenSchema, inputAttributes, schemaText, typeOf } from "./schema.js";

/** @import { Input } from "../types.js" */
/** @import { ApiDocument, Schema } from "./schema.js" */

/**
 * A field for a text. A list has a line for each item.
 * @param {{ name: string, schema?: Schema, api: ApiDocument | null, isRequired?: boolean, about?: string, value: string, change: (text: string) => void, place: string }} props
 */
export function Field({ name, schema, api, isRequired = false, about, value, change, place }) {
  const given = givenSchema(schema, api);
  const type = schemaText(schema, api).replace(/\s+/g, " ");
  const onInput = (/** @type {Input} */ event) => change(event.target.value);
  const common = { name, value, required: isRequired, onInput, title: about, "data-place": place };
  return html`
    <label class=${typeOf(given) === "array" ? "wide" : ""}>
      <span>${visible(name)}${isRequired && html`<span aria-hidden="true" title="required">*</span>`} <span class="dim">${visible(type.length > 40 ? typeOf(given) : type)}</span></span>
      <${Control} schema=${given} common=${common} isRequired=${isRequired} />
      ${about && html`<span class="dim about">${visible(about)}</span>`}
    </label>
  `;
}

/** @param {{ schema: Schema, common: Record<string, any>, isRequired: boolean }} props */
function Control({ schema, common, isRequired }) {
  const choices = choicesOf(schema);
  const { onInput, ...rest } = common;
  if (choices) {
    const texts = choices.map((choice) => (typeof choice === "string" ? choice : JSON.stringify(choice)));
    const { default: usual } = schema;
    const none = isRequired ? "choose one" : usual == null ? "not sent" : `not sent: ${typeof usual === "string" ? usual : JSON.stringify(usual)}`;
    return html`<select ...${rest} onChange=${onInput}>
      ${(!isRequired || rest.value === "") && html`<option value="">${visible(none)}</option>`}
      ${texts.map((text) => html`<option key=${text} value=${text}>${visible(text)}</option>`)}
    </select>`;
  }
  if (typeOf(schema) === "array") return html`<textarea rows="2" placeholder="one on each line" spellcheck=${false} ...${common}></textarea>`;
  const placeholder = schema.default === undefined || schema.default === null ? undefined : String(schema.default);
  return html`<input autocomplete="off" spellcheck=${false} ...${placeholder === undefined ? {} : { placeholder }} ...${inputAttributes(schema)} ...${common} />`;
}

/**
 * The members of a JSON body that are single values. The text is the truth: a field changes one member of it.
 * @param {{ schema?: Schema, api: ApiDocument | null, text: string, change: (text: string) => void }} props
 */
export function JsonFields({ schema, api, text, change }) {
  const { properties = {}, required = [] } = givenSchema(schema, api);
  const value = parsedObject(text);
  if (!value) return null;
  const names = Object.keys(properties).filter((name) => isSingle(givenSchema(properties[name], api)));
  return names.map((name) => {
    const member = givenSchema(properties[name], api);
    const present = value[name];
    const shown = present == null ? "" : typeof present === "string" ? present : JSON.stringify(present);
    return html`<${Field} key=${name} name=${name} schema=${properties[name]} api=${api} about=${member.description} value=${shown} isRequired=${required.includes(name) && (typeOf(member) !== "string" || choicesOf(member) !== null)} place="body"
      change=${(/** @type {string} */ typed) => change(JSON.stringify(withMember(value, name, typed, member, required.includes(name)), null, 2))} />`;
  });
}

/** @param {Schema} schema */
function isSingle(schema) {
  return choicesOf(schema) !== null || ["integer", "number", "string"].includes(typeOf(schema) ?? "");
}

/**
 * For JSON.parse: a number that JavaScript would round or write in another way remains as it was typed.
 * @param {string} _name
 * @param {unknown} value
 * @param {{ source?: string }} [text] missing in an older browser, as `rawJSON` is
 */
function withDigits(_name, value, text) {
  const { rawJSON } = /** @type {{ rawJSON?: (text: string) => unknown }} */ (/** @type {unknown} */ (JSON));
  return typeof value === "number" && rawJSON && text?.source !== undefined && String(value) !== text.source ? rawJSON(text.source) : value;
}

/** @param {string} typed */
function numberOf(typed) {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(typed) ? JSON.parse(typed, withDigits) : Number(typed);
}

/** @param {string} text @returns {Record<string, unknown> | null} */
function parsedObject(text) {
  try {
    const value = JSON.parse(text || "{}", withDigits);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * @param {Record<string, unknown>} object
 * @param {string} name
 * @param {string} typed
 * @param {Schema} schema
 * @param {boolean} isRequired
 */
function withMember(object, name, typed, schema, isRequired) {
  const { [name]: _, ...others } = object;
  if (typed === "" && (!isRequired || typeOf(schema) !== "string")) return others;
  const choice = choicesOf(schema)?.find((each) => (typeof each === "string" ? each : JSON.stringify(each)) === typed);
  const isNumber = ["integer", "number"].includes(typeOf(schema) ?? "");
  const value = choice !== undefined ? choice : isNumber && Number.isFinite(Number(typed)) ? numberOf(typed) : typed;
  // In its old place.
  return name in object ? { ...object, [name]: value } : { ...others, [name]: value };
}

/**
 * The members of a form; files are apart, as no text can contain them.
 * @param {{ schema?: Schema, api: ApiDocument | null, text: string, change: (text: string) => void, isFile: (name: string) => boolean, setFiles: (name: string, files: File[]) => void }} props
 */
export function FormFields({ schema, api, text, change, isFile, setFiles }) {
  const { properties = {}, required = [] } = givenSchema(schema, api);
  const lines = text.split("\n").filter(Boolean);
  /**
   * @param {string} name
   * @param {string} typed
   */
  function set(name, typed) {
    const others = lines.filter((line) => line.split("=")[0] !== name);
    change([...others, ...typed.split("\n").filter((each) => each !== "").map((each) => `${name}=${each}`)].join("\n"));
  }
  const valueOf = (/** @type {string} */ name) => lines.filter((line) => line.split("=")[0] === name).map((line) => line.slice(name.length + 1)).join("\n");
  return Object.entries(properties).map(([name, member]) => {
    const isRequired = required.includes(name);
    if (!isFile(name)) return html`<${Field} key=${name} name=${name} schema=${member} api=${api} about=${member.description} value=${valueOf(name)} isRequired=${isRequired} change=${(/** @type {string} */ typed) => set(name, typed)} place="body" />`;
    const isList = typeOf(givenSchema(member, api)) === "array";
    return html`<label key=${name} class="wide"><span>${visible(name)} <span class="dim">${isList ? "files" : "file"}</span></span>
      <input type="file" name=${name} multiple=${isList} required=${isRequired} onChange=${(/** @type {Input} */ event) => setFiles(name, [...(event.target.files ?? [])])} /></label>`;
  });
}
