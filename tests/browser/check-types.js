// Checks the types of the console's modules: TypeScript reads their JSDoc and emits nothing.
//
// The types of messages and responses of the server come from docs/events.schema.json, so a field that the
// server does not have is an error. They are written below node_modules, as the module "snaxum-events".
// Templates are not checked: to TypeScript, what html`…` contains is unknown.

const { spawnSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const { compile } = require("json-schema-to-typescript");

const CONSOLE = path.join(__dirname, "../../templates/console");
const SCHEMA = path.join(__dirname, "../../docs/events.schema.json");
const DECLARATIONS = path.join(__dirname, "node_modules/.snaxum/events.d.ts");

// Older modules without types. A module that has them must leave the list, and a new one may not join it.
const UNTYPED = new Set([
  "live.js",
  "requests/request-details.js",
  "requests/request-filter.js",
  "requests/request-parts.js",
  "requests/requests.js",
  "routes/route-details.js",
  "routes/routes.js",
]);

async function main() {
  await declareEvents();
  const errors = errorsByFile();
  const passing = [...UNTYPED].filter((file) => !errors.has(file));
  for (const file of passing) console.log(`${file}: it has types now; remove it from the list in tests/browser/check-types.js`);
  const failing = [...errors].filter(([file]) => !UNTYPED.has(file));
  for (const [, lines] of failing) console.log(lines.join("\n"));
  process.exitCode = passing.length || failing.length ? 1 : 0;
}

async function declareEvents() {
  const schema = JSON.parse(fs.readFileSync(SCHEMA, "utf8"), asCompiled);
  schema.title = "Message";
  const options = { additionalProperties: false, format: false, unreachableDefinitions: true, bannerComment: "" };
  fs.mkdirSync(path.dirname(DECLARATIONS), { recursive: true });
  fs.writeFileSync(DECLARATIONS, await compile(schema, "Message", options));
}

/**
 * Removes what is beside a reference: the compiler would make a type of its own for each. Names the members of pairs as
 * older schemas do, which is the only form that it reads.
 */
function asCompiled(key, value) {
  if (value?.prefixItems) return { ...value, items: value.prefixItems };
  return value?.$ref ? { $ref: value.$ref } : value;
}

/** Returns the lines that TypeScript printed about each file. */
function errorsByFile() {
  const command = ["node_modules/typescript/bin/tsc", "--project", "tsconfig.json", "--pretty", "false"];
  const { stdout, stderr, error } = spawnSync(process.execPath, command, { cwd: __dirname, encoding: "utf8" });
  if (error) throw error;
  const errors = new Map();
  let file = "TypeScript itself";
  for (const line of (stdout + stderr).split("\n").filter(Boolean)) {
    const place = line.match(/^(\S+)\(\d+,\d+\): error/);
    if (place) file = path.relative(CONSOLE, path.join(__dirname, place[1]));
    errors.set(file, [...(errors.get(file) ?? []), line]);
  }
  return errors;
}

main();
