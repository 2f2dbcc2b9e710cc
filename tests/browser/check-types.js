// Checks the types of the console's modules: TypeScript reads their JSDoc and emits nothing.
//
// The types of messages and responses of the server come from docs/events.schema.json, so a field that the
// server does not have is an error. They are written below node_modules, as the module "snaxum-events".
// Templates are not checked: to TypeScript, what html`…` contains is unknown.

const { spawnSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const { compile } = require("json-schema-to-typescript");

const SCHEMA = path.join(__dirname, "../../docs/events.schema.json");
const DECLARATIONS = path.join(__dirname, "node_modules/.snaxum/events.d.ts");

async function main() {
  await declareEvents();
  const command = ["node_modules/typescript/bin/tsc", "--project", "tsconfig.json", "--pretty", "false"];
  const { status, error } = spawnSync(process.execPath, command, { cwd: __dirname, stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
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

main();
