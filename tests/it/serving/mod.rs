//! Serving for production, area by area.

mod batches;
mod handler_workers;
