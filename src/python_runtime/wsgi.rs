//! The requests for WSGI applications: their environ, and the usual call.

mod call;
mod environ;
mod start_response;

pub(super) use call::WsgiTarget;
pub(super) use environ::WsgiApplication;
