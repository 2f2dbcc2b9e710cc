//! The catalog of tools: their names, descriptions and arguments.
//!
//! `tools.rs` runs them. A tool that changes state is marked here, and listed only with write
//! access.

use std::time::Duration;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Value, json};

/// Items of a list by default; of a list with large items, and at most.
pub(super) const DEFAULT_LIMIT: usize = 20;
pub(super) const DEFAULT_LIMIT_LARGE: usize = 3;
pub(super) const MAX_LIMIT: usize = 200;
/// How long a tool waits by default, and at most.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the tools for an assistant with or without write access.
pub(super) fn list(may_write: bool) -> Vec<Tool> {
    TOOLS
        .iter()
        .filter(|tool| may_write || !tool.writes)
        .map(|tool| {
            let schema = match (tool.schema)() {
                Value::Object(schema) => schema,
                _ => unreachable!("a schema is an object"),
            };
            let hints = ToolAnnotations::new().read_only(!tool.writes).open_world(false);
            Tool::new(tool.name, tool.description, schema).with_annotations(hints)
        })
        .collect()
}

struct ToolSpec {
    name: &'static str,
    description: &'static str,
    schema: fn() -> Value,
    writes: bool,
}

const TOOLS: [ToolSpec; 10] = [
    ToolSpec {
        name: "routes",
        description: "Returns the serving routes, in the order of the table: {state, routes: \
            [{methods, path, pattern, params, handler (module.function), file, line, end_line, doc, \
            mode (in-thread | async | process pool | static), warnings, generation}]}. state is `failing` \
            while some code on disk does not load and older code is still serving.",
        schema: || list_schema(DEFAULT_LIMIT),
        writes: false,
    },
    ToolSpec {
        name: "errors",
        description: "Returns the newest failures, newest first: {state, errors: [a request that \
            raised or got a 5xx response {kind: request, id, time_ms, method, path, query, status, \
            generation, route, handler, error, traceback, logs}, or a reload that was rejected \
            {kind: reload, id, time_ms, summary, generation (still serving), files, modules, \
            traceback}]}. A \
            traceback is {type, message, hint, notes, frames (oldest first: file, line, function, \
            user, source, locals), cause, relation, text}.",
        schema: || list_schema(DEFAULT_LIMIT_LARGE),
        writes: false,
    },
    ToolSpec {
        name: "requests",
        description: "Returns the newest requests, newest first: {requests: [{id, time_ms, method, \
            path, query, status, generation, route, handler, mode, phases, total_ms, error}]}; \
            phases and total_ms are milliseconds. With `id` (as in the header x-request-id) only \
            that request, also with its headers, traceback and logs. The server records the newest \
            500.",
        schema: || {
            let mut schema = list_schema(DEFAULT_LIMIT);
            schema["properties"]["id"] = json!({
                "type": "string", "description": "returns only this request, in full"
            });
            schema
        },
        writes: false,
    },
    ToolSpec {
        name: "reloads",
        description: "Returns the newest attempts to load the code, newest first: {reloads: [{id, \
            time_ms, generation (serving afterwards), outcome (ok | failed | noop), summary (the \
            outcome in one line), cause (start | save | manual), strategy (none | lines | dependents | all | restart | build), reason, files \
            (that changed), modules (that ran), phases and total_ms (milliseconds), diff (of the \
            routes), contract (what changed for clients of the API, compared soon after the reload: \
            {changes: [{kind, effect (breaking | warning | compatible), operation, place, text}], \
            left_out}, or null), state_reset, warnings, notes, traceback}]}. The server records the newest 100.",
        schema: || list_schema(DEFAULT_LIMIT_LARGE),
        writes: false,
    },
    ToolSpec {
        name: "logs",
        description: "Returns the newest lines that code printed or logged, newest first: {logs: \
            [{time_ms, request (its id, or null), reload (the id of the load that wrote it, or \
            null), stream (stdout | stderr), line}]}. The server records the newest 5000 lines.",
        schema: || list_schema(DEFAULT_LIMIT),
        writes: false,
    },
    ToolSpec {
        name: "workers",
        description: "Returns the state of the server and its workers: {version, python, pid, \
            run_id, generation, state (ok | failing), paused (whether saves wait), routes (their \
            number), uptime_s (seconds), dispatch_workers (threads for `def` handlers), pool (of \
            processes: {size, busy, waiting, done, failed, replaced, workers: [{pid, busy, task}], \
            exits: [{time_ms, pid, task, exit_code, was_killed, successor}] (crashed and \
            replaced)}, null while a module loads)}.",
        schema: || schema(json!({})),
        writes: false,
    },
    ToolSpec {
        name: "await_reload",
        description: "Waits until all files on disk are live or rejected, then returns the newest \
            attempt: {settled (false: still loading at the timeout), waited_ms, state (ok: the \
            files on disk are serving | failing: some of them do not load), paused (true: the \
            developer has paused reloading, so the files on disk may not be live), needs_restart \
            (true: the files on disk require a new process; it takes over soon if the code loads \
            there, so call this again), generation, last_reload (as in `reloads`)}. Call it after \
            an edit, before a request to the new code.",
        schema: || schema(json!({ "timeout_ms": timeout_schema() })),
        writes: false,
    },
    ToolSpec {
        name: "reload",
        description: "Checks all files now and loads the modules that differ from the serving \
            ones, even while reloading is paused; runs the app's code. Returns {status (as in \
            `workers`), summary (the outcome in one line), reload (as in `reloads`; null: no file \
            had changed), restart ({accepted, \
            refusal}: whether a new process takes over; null: not needed)}.",
        schema: || {
            schema(json!({ "full": {
                "type": "boolean", "default": false,
                "description": "runs all modules again, even if no file has changed"
            }}))
        },
        writes: true,
    },
    ToolSpec {
        name: "replay",
        description: "Sends a recorded request to the app again, unchanged and with its secrets, \
            and returns the outcome: {id (of the new request), replay_of, status, generation, \
            total_ms, response_headers, response_body ({size (bytes), text, note}; a long text is \
            cut), traceback, logs, and the other fields of `requests`}. Runs the app's code, with \
            all its side effects.",
        schema: || {
            let mut schema = schema(json!({
                "id": { "type": "string", "description": "the id of the recorded request" },
                "timeout_ms": timeout_schema(),
            }));
            schema["required"] = json!(["id"]);
            schema
        },
        writes: true,
    },
    ToolSpec {
        name: "call_route",
        description: "Sends a request to the app and returns the outcome, like `replay`. It reaches \
            only this app, never another host, and bypasses any proxy or Rust middleware around \
            the app. A streamed response is returned up to a limit. Runs the app's code, with all \
            its side effects.",
        schema: || {
            let mut schema = schema(json!({
                "method": { "type": "string", "default": "GET" },
                "path": {
                    "type": "string",
                    "description": "path and query, percent-encoded, from the first slash: /a?b=1"
                },
                "headers": { "type": "object", "additionalProperties": { "type": "string" } },
                "body": {
                    "type": "string",
                    "description": "sent unchanged, in UTF-8; name its type in `headers`"
                },
                "timeout_ms": timeout_schema(),
            }));
            schema["required"] = json!(["path"]);
            schema
        },
        writes: true,
    },
];

fn timeout_schema() -> Value {
    json!({
        "type": "integer", "minimum": 0, "maximum": ms(MAX_TIMEOUT), "default": ms(DEFAULT_TIMEOUT),
        "description": "maximum wait in milliseconds"
    })
}

/// The arguments of a list.
fn list_schema(default_limit: usize) -> Value {
    schema(json!({
        "limit": {
            "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": default_limit,
            "description": "maximum number of items; fewer if they are long: then `left_out` is \
                the number of items that follow, and `next_skip` the `skip` of the next call"
        },
        "skip": {
            "type": "integer", "minimum": 0, "default": 0,
            "description": "number of items to skip, from the first"
        },
    }))
}

fn schema(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
