//! The rules for the options of CORS: their values, and the combinations that browsers refuse.

use axum::http::{HeaderName, Method, Uri};

use super::options::ServerOptions;

/// Parses an origin: a scheme, a host and perhaps a port; `*` is any.
pub(super) fn parse_origin(value: &str) -> Result<&str, String> {
    let is_origin = || {
        let uri: Uri = value.parse().ok()?;
        let authority = uri.authority()?.as_str();
        let written = format!("{}://{authority}", uri.scheme_str()?);
        (written.eq_ignore_ascii_case(value) && !authority.contains(['@', '*'])).then_some(())
    };
    if value == "*" || is_origin().is_some() {
        return Ok(value);
    }
    Err(format!(
        "`{value}`; it must be a scheme, a host and perhaps a port, without a path, such as \
         https://a.example or http://localhost:5173, or `*` for any"
    ))
}

/// Parses a method, in any case; `*` is any.
pub(super) fn parse_method(value: &str) -> Result<String, String> {
    let method = value.to_ascii_uppercase();
    match Method::from_bytes(method.as_bytes()) {
        Ok(_) => Ok(method),
        Err(_) => Err(format!("`{value}`; it must be a method such as GET, or `*` for any")),
    }
}

/// Parses the name of a header; `*` is any.
pub(super) fn parse_header(value: &str) -> Result<&str, String> {
    match HeaderName::from_bytes(value.as_bytes()) {
        Ok(_) => Ok(value),
        Err(_) => Err(format!("`{value}`; it must be a header such as X-Token, or `*` for any")),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_no_pattern() {
        for good in ["*", "https://a.example", "http://localhost:5173", "http://[::1]:80"] {
            assert_eq!(parse_origin(good), Ok(good));
        }
        for bad in [
            "",
            "a.example",
            "https://a.example/",
            "https://a.example/b",
            "https://*.a.example",
            "null",
        ] {
            let error = parse_origin(bad).expect_err(bad);
            assert!(error.contains("without a path"), "{error}");
        }
    }
}
