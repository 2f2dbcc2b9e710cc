//! The rules for the options of CORS: the combinations that browsers refuse.
//!
//! `values.rs` parses a single value.

use super::options::ServerOptions;
use super::values::{parse_header, parse_method, parse_origin};

/// Checks the values that the builder set, and their combination. An error is the option and its
/// fault.
pub(crate) fn check(options: &ServerOptions) -> Result<(), (&'static str, String)> {
    let ServerOptions {
        cors_allow_origins: origins,
        cors_allow_methods: methods,
        cors_allow_headers: headers,
        cors_expose_headers: exposed,
        ..
    } = options;
    for origin in origins {
        parse_origin(origin).map_err(|problem| ("cors-allow-origins", problem))?;
    }
    for method in methods {
        parse_method(method).map_err(|problem| ("cors-allow-methods", problem))?;
    }
    for name in headers {
        parse_header(name).map_err(|problem| ("cors-allow-headers", problem))?;
    }
    for name in exposed {
        parse_header(name).map_err(|problem| ("cors-expose-headers", problem))?;
    }
    let lists = [
        ("cors-allow-origins", origins, "the origins"),
        ("cors-allow-methods", methods, "the methods"),
        ("cors-allow-headers", headers, "the headers"),
        ("cors-expose-headers", exposed, "the headers"),
    ];
    for (name, values, what) in lists {
        let is_any = values.iter().any(|value| value == "*");
        if is_any && values.len() > 1 {
            let problem = format!("`*` and other values; leave out `*` or {what}");
            return Err((name, problem));
        }
        if is_any && options.cors_allow_credentials == Some(true) {
            let problem = format!(
                "true, and `{name}` is `*`, which browsers refuse together; list {what}, or drop \
                 `cors-allow-credentials`"
            );
            return Err(("cors-allow-credentials", problem));
        }
    }
    Ok(())
}

/// Checks that options of CORS come with the origins they are for.
pub(super) fn check_has_origins(options: &ServerOptions) -> Result<(), (&'static str, String)> {
    if !options.cors_allow_origins.is_empty() {
        return Ok(());
    }
    let is_set = [
        ("cors-allow-methods", !options.cors_allow_methods.is_empty()),
        ("cors-allow-headers", !options.cors_allow_headers.is_empty()),
        ("cors-expose-headers", !options.cors_expose_headers.is_empty()),
        ("cors-allow-credentials", options.cors_allow_credentials == Some(true)),
        ("cors-max-age", options.cors_max_age.is_some()),
    ];
    match is_set.into_iter().find(|(_, is_set)| *is_set) {
        None => Ok(()),
        Some((name, _)) => {
            Err((name, "set without `cors-allow-origins`; add the origins that may call".into()))
        }
    }
}
