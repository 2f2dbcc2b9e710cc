//! The options of the configuration that Python uses, as JSON.
//!
//! Plain data: calls nothing.

use crate::build_info;
use crate::config::{self, LogFormat, SnaxumConfig};
use crate::venv::Venv;

use super::interpreter::Origin;

/// The options for Python; `is_preload`: this process loads the code for its forks.
pub(super) fn options(
    config: &SnaxumConfig,
    venv: Option<&Venv>,
    origin: Origin,
    is_preload: bool,
) -> String {
    serde_json::json!({
        "python_dir": config.python_dir,
        "project_dir": config.project_dir,
        "modules": config.modules,
        "app": config.app.as_ref().map(|target| {
            serde_json::json!({
                "target": target, "factory": config.factory, "interface": config.interface,
            })
        }),
        "event_loop": config.event_loop,
        "pool": config.pool,
        "pool_workers": config.pool_workers,
        "pool_retries": config.pool_retries,
        "max_queue": config.max_queue,
        "max_stuck": config.max_stuck,
        "max_body_size": config.max_body_size,
        "max_form_fields": config.max_form_fields,
        "request_timeout_s": config.request_timeout.as_secs_f64(),
        "import_warning_s": config.import_warning.as_secs_f64(),
        "import_timeout_s": config.import_timeout.as_secs_f64(),
        "watch_dirs": config.watch_dirs,
        "env_file": config.env_file,
        "first_generation": config.first_generation,
        "dev": config.dev,
        "timed": config.dev || config.is_recorded(),
        "traced": config::exports_spans(),
        "json_log": config.log_format == LogFormat::Json && !config.dev,
        "raw_output": config.raw_output,
        "templates_dir": config.templates_dir,
        "redact_extra": config.redact_extra,
        "openapi_url": config.openapi_path(),
        "docs_url": config.docs_path(),
        "load_only": config.load_only,
        "is_preload": is_preload,
        "process": (config.process.number, config.process.count),
        "crash_fd": config.crash_record.as_ref().map(|record| record.fd()),
        "origin": match origin {
            Origin::Ours => "ours",
            Origin::Adopted => "adopted",
            Origin::Host => "host",
        },
        "venv": venv.map(|venv| &venv.root),
        "build_python": build_info::python(),
    })
    .to_string()
}
