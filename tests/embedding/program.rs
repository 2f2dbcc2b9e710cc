//! A server of the user's own that passes state to Python and calls Python functions, for
//! `tests/it/function_calls.rs`. It has a route for each thing that a test does from Rust.
//!
//! Its arguments are `dev`, `serve` or `retry`, and the time limit in milliseconds; `retry` starts first
//! on the directory `broken`, where nothing loads, and serves after the error.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use snaxum::prelude::*;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Clone)]
struct App {
    runtime: Arc<PythonRuntime>,
    /// The calls that a test has begun, by their function.
    begun: Arc<Mutex<HashMap<String, JoinHandle<String>>>>,
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_ansi(false).init();
    let mut terminate = signal(SignalKind::terminate())?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_dev = args.first().is_some_and(|mode| mode == "dev");
    let is_retry = args.first().is_some_and(|mode| mode == "retry");
    if is_retry {
        let broken = SnaxumConfig::builder().python_dir("./broken").build()?;
        println!("first: {}", PythonRuntime::with_config(broken).expect_err("nothing loads"));
    }
    let limit = args.get(1).map_or(Ok(30_000), |limit| limit.parse())?;
    let config = SnaxumConfig::builder()
        .python_dir("./python")
        .dispatch_workers(1)
        .max_queue(if is_dev { 2000 } else { 1 })
        .request_timeout(Duration::from_millis(limit))
        .send_timeout(Duration::from_millis(limit))
        .dev(is_dev)
        .build()?;
    let runtime = Arc::new(PythonRuntime::with_config(config.clone())?);
    if is_retry {
        println!("second: {}", PythonRuntime::with_config(config).expect_err("one runs"));
    }
    let app = App { runtime: runtime.clone(), begun: Arc::default() };

    let mut router = Router::new()
        .route("/python/{*path}", any(handle_python_request))
        .layer(middleware::from_fn(add_user))
        .layer(Extension(PythonState::new(json!({"region": "eu", "user": null}))?))
        .route("/bare/{*path}", any(handle_python_request))
        .with_state(runtime.clone())
        .merge(
            Router::new()
                .route("/call/{function}", post(call))
                .route("/number/{function}", get(number))
                .route("/keywords", get(keywords))
                .route("/many", get(many))
                .route("/begin/{function}", post(begin))
                .route("/result/{function}", get(result))
                .route("/drop/{function}", post(drop_call))
                .with_state(app.clone()),
        );
    if is_dev {
        router = router.merge(snaxum::dev::router(&runtime)?);
    }

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    terminate.recv().await;
    let mut stop = Box::pin(runtime.shutdown(snaxum::server::DRAIN_TIMEOUT));
    let stopped = poll_once(&mut stop).await;
    println!("stopping"); // now later calls are refused
    if stopped.is_none() {
        stop.await;
    }
    let begun: Vec<_> = app.begun.lock().expect("no panic").drain().collect();
    for (function, call) in begun {
        println!("{function}: {}", call.await?);
    }
    println!("later: {}", text(runtime.call_function::<Value>("shop:add", (1, 2)).await));
    serving.abort();
    Ok(())
}

/// Adds the user that a header names to the state of the request.
async fn add_user(mut request: Request, next: Next) -> std::result::Result<Response, StatusCode> {
    let header = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    if let Some(user) = header.map(str::to_owned) {
        PythonState::add(request.extensions_mut(), json!({ "user": { "name": user } }))
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    }
    if let Some(list) = request.headers().get("x-list") {
        let list: Vec<_> = list.as_bytes().to_vec();
        let state = PythonState::new(list).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        request.extensions_mut().insert(state);
    }
    Ok(next.run(request).await)
}

/// Calls a function with the body as its arguments.
async fn call(
    State(app): State<App>,
    Path(function): Path<String>,
    Json(arguments): Json<Value>,
) -> Json<Value> {
    let result = app.runtime.call_function::<Value>(&function, arguments).await;
    Json(match result {
        Ok(value) => json!({ "value": value }),
        Err(error) => {
            let frames = error.traceback().map(|traceback| {
                traceback.frames.iter().map(|frame| frame.line).collect::<Vec<_>>()
            });
            json!({ "error": kind(&error), "text": error.to_string(), "lines": frames })
        }
    })
}

fn kind(error: &FunctionError) -> &'static str {
    match error {
        FunctionError::NoSuchFunction { .. } => "NoSuchFunction",
        FunctionError::Raised { .. } => "Raised",
        FunctionError::Arguments { .. } => "Arguments",
        FunctionError::Result { .. } => "Result",
        FunctionError::QueueFull { .. } => "QueueFull",
        FunctionError::TimedOut { .. } => "TimedOut",
        FunctionError::Stopped { .. } => "Stopped",
        _ => "another",
    }
}

/// Wants a number as the result, and lets the error respond.
async fn number(
    State(app): State<App>,
    Path(function): Path<String>,
) -> std::result::Result<Json<i64>, FunctionError> {
    Ok(Json(app.runtime.call_function(&function, (20, 22)).await?))
}

async fn keywords(State(app): State<App>) -> std::result::Result<Json<Value>, FunctionError> {
    let arguments = CallArguments::new((1,)).keyword("scale", 2.5);
    Ok(Json(app.runtime.call_function("shop:scaled", arguments).await?))
}

/// Calls two functions 500 times each, all at once; returns the sum of the results.
async fn many(State(app): State<App>) -> std::result::Result<Json<i64>, FunctionError> {
    let calls: Vec<_> = (0..1000)
        .map(|number| {
            let runtime = app.runtime.clone();
            tokio::spawn(async move {
                let function = if number % 2 == 0 { "shop:add" } else { "shop:add_later" };
                runtime.call_function::<i64>(function, (number, 1)).await
            })
        })
        .collect();
    let mut sum = 0;
    for call in calls {
        sum += call.await.expect("no panic")?;
    }
    Ok(Json(sum))
}

/// Begins a call without arguments in the background, and returns when it has been polled.
async fn begin(State(app): State<App>, Path(function): Path<String>) {
    let (runtime, name) = (app.runtime.clone(), function.clone());
    let (began, begins) = oneshot::channel();
    let call = tokio::spawn(async move {
        let mut call = Box::pin(runtime.call_function::<Value>(&name, ()));
        let result = poll_once(&mut call).await;
        let _ = began.send(());
        text(match result {
            Some(result) => result,
            None => call.await,
        })
    });
    app.begun.lock().expect("no panic").insert(function, call);
    begins.await.expect("no panic");
}

/// Polls a future once; returns its output if it is ready.
async fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Waits for the result of a call that was begun.
async fn result(State(app): State<App>, Path(function): Path<String>) -> String {
    let call = app.begun.lock().expect("no panic").remove(&function);
    call.expect("it was begun").await.expect("no panic")
}

/// Drops the future of a call that was begun.
async fn drop_call(State(app): State<App>, Path(function): Path<String>) -> String {
    let call = app.begun.lock().expect("no panic").remove(&function).expect("it was begun");
    call.abort();
    match call.await {
        Err(error) if error.is_cancelled() => "dropped".to_owned(),
        other => format!("{other:?}"),
    }
}

fn text(result: std::result::Result<Value, FunctionError>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => format!("{}: {error}", kind(&error)),
    }
}
