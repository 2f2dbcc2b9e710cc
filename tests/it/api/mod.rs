//! The Python API, as users of Flask and FastAPI expect it: one file an area.

mod background;
mod blueprints;
mod bodies;
mod event_stream;
mod http_layers;
mod openapi;
mod parameters;
mod responses;
mod static_files;
mod templates;
mod websocket;
