//! The Python API, as users of Flask and FastAPI expect it: one file an area.

mod background;
mod blueprints;
mod bodies;
mod compressed_bodies;
mod event_stream;
mod http_layers;
mod missing_hooks;
mod openapi;
mod parameters;
mod responses;
mod several_bodies;
mod static_files;
mod templates;
mod websocket;
mod websocket_handshakes;
mod websocket_limits;
mod websocket_reload;
