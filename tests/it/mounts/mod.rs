//! Applications of other frameworks below a prefix: `mount`, with applications written here.

mod direct;
mod http;
mod lifespan;
mod refused;
mod target;
mod websocket;
mod wsgi;
