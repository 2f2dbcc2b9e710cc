//! State that belongs to one request: context variables and what libraries store in them.

use crate::support::Project;

/// Each handler reports the state that it finds, and then changes it.
const APP: &str = r#"
import tasks
from snaxum import route
from tasks import found

@route("/def")
def plain(request):
    return found()

@route("/def-fails")
def fails(request):
    raise RuntimeError(found())

@route("/generator")
def generator(request):
    def pieces(before):
        yield before
        yield found()
        yield found()
    return pieces(found())

@route("/async")
async def coroutine(request):
    return found()

@route("/async-generator")
async def async_generator(request):
    return async_pieces(found())

@route("/def-async-generator")
def plain_async_generator(request):
    return async_pieces(found())

async def async_pieces(before):
    yield before
    yield found()

@route("/pool", use_process_pool=True)
def pool(request, pool):
    before = found()
    pool.submit(int, 1).result()
    return before + found()

@route("/task", use_process_pool=True)
def task(request, pool):
    return pool.submit(tasks.found).result()

@route("/pool-generator", use_process_pool=True)
def pool_generator(request, pool):
    return generator(request)
"#;

const TASKS: &str = r#"
import decimal
from contextvars import ContextVar

import numpy

user = ContextVar("user", default="nobody")

def found():
    state = f"{user.get()} {decimal.getcontext().prec} {numpy.geterr()['divide']} "
    user.set("alice")
    decimal.getcontext().prec = 3
    numpy.seterr(divide="raise")
    return state
"#;

#[tokio::test]
async fn a_request_sees_no_context_variable_of_another_request_in_any_kind_of_handler() {
    let project = Project::new().packages().file("app.py", APP).file("tasks.py", TASKS);
    let args = ["--dispatch-workers", "1", "--pool-workers", "1"];
    let one = project.args(&args).serve().await;
    let (clean, changed) = ("nobody 28 warn ", "alice 3 raise ");

    for _ in 0..3 {
        for (path, pieces) in [
            ("/def", vec![clean]),
            ("/generator", vec![clean, changed, changed]),
            ("/async", vec![clean]),
            ("/async-generator", vec![clean, changed]),
            ("/def-async-generator", vec![clean, changed]),
            ("/pool", vec![clean, changed]),
            ("/task", vec![clean]),
            ("/pool-generator", vec![clean, changed, changed]),
        ] {
            assert_eq!(one.get(path).await.text(), pieces.concat(), "{path}");
        }
        assert_eq!(one.get("/def-fails").await.status, 500);
    }
}

#[tokio::test]
async fn streams_that_take_turns_do_not_share_their_context() {
    let app = r#"
import _gate
from contextvars import ContextVar
from snaxum import route

user = ContextVar("user", default="nobody")

@route("/stream/<name>")
def stream(request):
    def pieces():
        user.set(request.path_params["name"])
        yield "begun "
        _gate.wait(user.get())
        yield user.get()
    return pieces()
"#;
    let server = Project::new().gate().file("app.py", app).serve().await;
    let names = ["ann", "bob", "eve"];
    let replies = names.map(|name| server.begin(&format!("/stream/{name}")));
    let mut held = Vec::new();
    for _ in names {
        held.push(server.arrival().await);
    }

    for held in held {
        held.open().await;
    }

    for (name, reply) in names.iter().zip(replies) {
        assert_eq!(reply.await.expect("a response").text(), format!("begun {name}"));
    }
}
