//! The app in dev mode, behind the Host check alone.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures_util::future::Either;
use tower::Service;

use super::super::Dev;
use super::host;

/// Answers from an app what names this machine, and refuses the rest. No layer of the app's: those
/// cost each request an allocation or two.
#[derive(Clone)]
pub struct Protected {
    pub(in crate::dev) dev: Dev,
    pub(in crate::dev) app: Router,
}

impl Service<Request> for Protected {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.app, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let guard = &self.dev.inner.guard;
        match host::check(&request, &guard.allow_hosts) {
            Ok(_) => Either::Right(self.app.call(request)),
            Err(refusal) => Either::Left(ready(Ok(guard.refuse(refusal)))),
        }
    }
}
