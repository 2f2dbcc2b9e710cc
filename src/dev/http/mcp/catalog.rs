//! The tools as an assistant finds them: names, words, arguments.
//!
//! What they do is in `tools.rs`. One that changes something says so here, and is there only where
//! that is allowed.

use std::time::Duration;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Value, json};

/// Items of a list, if the assistant says nothing; of a list of what is long, and at most.
pub(super) const USUAL: usize = 20;
pub(super) const FEW: usize = 3;
pub(super) const MAX_LIMIT: usize = 200;
/// Time that a tool waits, if the assistant says nothing, and at most.
pub(super) const USUAL_WAIT: Duration = Duration::from_secs(10);
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);

/// What there is for an assistant that may, or may not, change something.
pub(super) fn list(may_write: bool) -> Vec<Tool> {
    OFFERS
        .iter()
        .filter(|offer| may_write || !offer.writes)
        .map(|offer| {
            let takes = match (offer.takes)() {
                Value::Object(schema) => schema,
                _ => unreachable!("a schema is an object"),
            };
            let hints = ToolAnnotations::new().read_only(!offer.writes).open_world(false);
            Tool::new(offer.name, offer.tells, takes).with_annotations(hints)
        })
        .collect()
}

struct Offer {
    name: &'static str,
    tells: &'static str,
    takes: fn() -> Value,
    writes: bool,
}

const OFFERS: [Offer; 10] = [
    Offer {
        name: "routes",
        tells: "The routes that serve now, in the order of the table: {state, routes: [{methods, \
            path, pattern, params, handler (module.function), file, line, end_line, doc, mode \
            (in-thread | async | process pool), warnings, generation}]}. state is `failing` while \
            some code on disk does not load and older code serves on.",
        takes: || page(USUAL),
        writes: false,
    },
    Offer {
        name: "errors",
        tells: "What failed, newest first: {state, errors: [a request that raised or was answered \
            with 5xx {kind: request, id, time_ms, method, path, query, status, generation, route, \
            handler, error, traceback, logs}, or a reload that was rejected {kind: reload, id, \
            time_ms, generation (that serves on), files, modules, traceback}]}. A traceback is \
            {type, message, hint, notes, frames (oldest first: file, line, function, user, source, \
            locals), cause, relation, text}.",
        takes: || page(FEW),
        writes: false,
    },
    Offer {
        name: "requests",
        tells: "The newest requests, newest first: {requests: [{id, time_ms, method, path, query, \
            status, generation, route, handler, mode, phases, total_ms, error}]}; phases and \
            total_ms are milliseconds. With `id` (as in the header x-request-id) that one alone: \
            its headers, traceback and logs besides. Kept are the newest 500.",
        takes: || {
            let mut schema = page(USUAL);
            schema["properties"]["id"] = json!({
                "type": "string", "description": "tells this request alone, whole"
            });
            schema
        },
        writes: false,
    },
    Offer {
        name: "reloads",
        tells: "The newest attempts to load the code, newest first: {reloads: [{id, time_ms, \
            generation (that serves afterwards), outcome (ok | failed | noop), cause (start | save \
            | manual), strategy (none | lines | dependents | all | restart), reason, files (that changed), \
            modules (that ran), phases and total_ms (milliseconds), diff (of the routes), \
            state_reset, warnings, notes, traceback}]}. Kept are the newest 100.",
        takes: || page(FEW),
        writes: false,
    },
    Offer {
        name: "logs",
        tells: "What code has printed and logged, newest first: {logs: [{time_ms, request (its id, \
            or null), reload (the id of the load that wrote it, or null), stream (stdout | stderr), \
            line}]}. Kept are the newest 5000 lines.",
        takes: || page(USUAL),
        writes: false,
    },
    Offer {
        name: "workers",
        tells: "The server and who works for it: {version, python, pid, run_id, generation, state \
            (ok | failing), paused (whether saves wait), routes (how many), uptime_s (seconds), \
            dispatch_workers (threads for `def` handlers), pool (of processes: {size, busy, \
            waiting, done, failed, replaced, workers: [{pid, busy, task}], exits: [{time_ms, pid, \
            task, exit_code, was_killed, successor}] (died and replaced)}, null while a module \
            loads)}.",
        takes: || schema(json!({})),
        writes: false,
    },
    Offer {
        name: "await_reload",
        tells: "Waits until everything on disk is live or rejected, then tells the newest attempt: \
            {settled (false: the time was up, it still loads), waited_ms, state (ok: what is on \
            disk serves | failing: not all of it loads), paused (true: saves wait for the \
            developer, so what is on disk may not be live), needs_restart (true: only a new process \
            takes in what is on disk; one takes over soon if the code loads there, so call this \
            again), generation, last_reload (as in `reloads`)}. Call it after an edit, before a request that should meet the new code.",
        takes: || schema(json!({ "timeout_ms": timeout() })),
        writes: false,
    },
    Offer {
        name: "reload",
        tells: "Looks at all files now and loads what differs from what serves, also during a \
            pause; runs the app's code. {status (as in `workers`), reload (as in `reloads`; null: \
            there was nothing to do), restart ({accepted, refusal}: whether a new process takes \
            over; null: none was wanted)}.",
        takes: || {
            schema(json!({ "full": {
                "type": "boolean", "default": false,
                "description": "runs all modules again, whatever the files hold"
            }}))
        },
        writes: true,
    },
    Offer {
        name: "replay",
        tells: "Sends a recorded request to the app again as it was, its secrets included, and tells \
            what came of it: {id (of the new request), replay_of, status, generation, total_ms, \
            response_headers, response_body ({size (bytes), text, note}; a long text is cut), \
            traceback, logs, and the rest of an item of `requests`}. Runs the app's code, with \
            whatever it does.",
        takes: || {
            let mut schema = schema(json!({
                "id": { "type": "string", "description": "of the recorded request" },
                "timeout_ms": timeout(),
            }));
            schema["required"] = json!(["id"]);
            schema
        },
        writes: true,
    },
    Offer {
        name: "call_route",
        tells: "Sends a request to the app and tells what came of it, as `replay` does. It goes to \
            this app alone, never to another host, and past what a proxy or a Rust program around \
            the app adds. Of an answer that is a stream, the beginning is told. Runs the app's \
            code, with whatever it does.",
        takes: || {
            let mut schema = schema(json!({
                "method": { "type": "string", "default": "GET" },
                "path": {
                    "type": "string",
                    "description": "path and query, percent-encoded, from the first slash: /a?b=1"
                },
                "headers": { "type": "object", "additionalProperties": { "type": "string" } },
                "body": {
                    "type": "string",
                    "description": "sent as it is, in UTF-8; name its type in `headers`"
                },
                "timeout_ms": timeout(),
            }));
            schema["required"] = json!(["path"]);
            schema
        },
        writes: true,
    },
];

fn timeout() -> Value {
    json!({
        "type": "integer", "minimum": 0, "maximum": ms(MAX_WAIT), "default": ms(USUAL_WAIT),
        "description": "milliseconds to wait at most"
    })
}

/// Arguments of a list, of which `usual` items are told.
fn page(usual: usize) -> Value {
    schema(json!({
        "limit": {
            "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": usual,
            "description": "items to tell at most; fewer if they are long, then `left_out` says \
                how many there are besides, and `next_skip` where to go on"
        },
        "skip": {
            "type": "integer", "minimum": 0, "default": 0,
            "description": "items to pass over, from the first"
        },
    }))
}

fn schema(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
