//! Parsers of option values.
//!
//! Each error continues the sentence "`name` is".

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderName, Method, Uri};

use super::trusted_peers::TrustedPeers;

/// Accepts any text.
pub(super) fn parse_text(value: &str) -> Result<&str, String> {
    Ok(value)
}

/// Parses `module:attribute`, both with dots if they need some.
pub(super) fn parse_target(value: &str) -> Result<&str, String> {
    let is_name = |name: &str| {
        name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        })
    };
    match value.split_once(':') {
        Some((module, attribute)) if is_name(module) && is_name(attribute) => Ok(value),
        _ => Err(format!("`{value}`; it must be a module and its attribute, such as main:app")),
    }
}

/// Parses the interface of an application.
pub(super) fn parse_interface(value: &str) -> Result<&str, String> {
    match value {
        "asgi" | "wsgi" => Ok(value),
        _ => Err(format!("`{value}`; it must be asgi or wsgi")),
    }
}

/// Parses the name of an event loop.
pub(super) fn parse_loop(value: &str) -> Result<&str, String> {
    match value {
        "auto" | "asyncio" | "uvloop" => Ok(value),
        _ => Err(format!("`{value}`; it must be auto, asyncio or uvloop")),
    }
}

/// Parses the kind of the pool, with the address of a cluster to join.
pub(super) fn parse_pool(value: &str) -> Result<&str, String> {
    let is_address = |address: &str| {
        let (host, port) = address.rsplit_once(':')?;
        let is_host = !host.is_empty() && !host.contains(['/', '@', ' ', '{', '}']);
        let is_name = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        Some(is_host && is_name && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    match value {
        "processes" | "dask" => Ok(value),
        _ if value.strip_prefix("dask://").and_then(is_address) == Some(true) => Ok(value),
        _ => Err(format!(
            "`{value}`; it must be processes, dask, or dask:// with a host and a port, such as \
             dask://10.0.0.5:8786"
        )),
    }
}

/// Parses the path of a URL, or an empty text.
pub(super) fn parse_url_path(value: &str) -> Result<&str, String> {
    let is_path = value.starts_with('/') && !value.starts_with("//") && value.len() > 1;
    let is_plain = value.bytes().all(|c| c.is_ascii_graphic() && !b"<>?#%\"\\".contains(&c));
    if value.is_empty() || (is_path && is_plain) {
        return Ok(value);
    }
    Err(format!("`{value}`; it must be a path such as /api/docs, or empty"))
}

/// Parses an IP address; `localhost` is 127.0.0.1.
pub fn parse_host(value: &str) -> Result<IpAddr, String> {
    let address = if value == "localhost" { "127.0.0.1" } else { value };
    address.parse().map_err(|_| format!("`{value}`; it must be an IP address such as 127.0.0.1"))
}

/// Parses a host name that `*` or a dot may begin.
pub(super) fn parse_host_pattern(value: &str) -> Result<&str, String> {
    let name = value.strip_prefix('*').unwrap_or(value);
    let is_whole = name.len() == value.len() || name.is_empty() || name.starts_with('.');
    let is_name = !value.is_empty() && !name.contains(['*', '/', '@', ' ']);
    let has_port = name.contains(':') && !name.starts_with('[');
    if is_whole && is_name && !has_port {
        return Ok(value);
    }
    Err(format!(
        "`{value}`; it must be a name without scheme and port: a.example, *.example for one level \
         below it, .example for all levels, or *"
    ))
}

/// Parses a port.
pub fn parse_port(value: &str) -> Result<u16, String> {
    value.parse().map_err(|_| format!("`{value}`; it must be a number from 0 to 65535"))
}

/// Parses a boolean.
pub fn parse_switch(value: &str) -> Result<bool, String> {
    match &*value.to_ascii_lowercase() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("`{value}`; it must be true or false")),
    }
}

/// Parses a name of one or more words: `iban`, `national-id`.
pub fn parse_words(value: &str) -> Result<String, String> {
    match value.chars().any(char::is_alphanumeric) {
        true => Ok(value.to_owned()),
        false => Err(format!("`{value}`; it must be a name such as iban or national-id")),
    }
}

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

/// Parses a count of 1 to 65536.
pub fn parse_count(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(count @ 1..=65_536) => Ok(count),
        _ => Err(format!("`{value}`; it must be a whole number from 1 to 65536")),
    }
}

/// Parses a maximum of connections; 0 disables it.
pub(super) fn parse_connections(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(count @ 0..=1_048_576) => Ok(count),
        _ => Err(format!("`{value}`; it must be a whole number from 0 to 1048576")),
    }
}

/// Parses the number of an open file.
pub(super) fn parse_descriptor(value: &str) -> Result<i32, String> {
    match value.parse() {
        Ok(fd @ 0..) => Ok(fd),
        _ => Err(format!("`{value}`; it must be the number of an open socket, such as 3")),
    }
}

/// Parses addresses and networks with commas between them.
pub(super) fn parse_peers(value: &str) -> Result<TrustedPeers, String> {
    value.parse()
}

/// Parses a switch, or the same: on stands for any peer.
pub(super) fn parse_proxies(value: &str) -> Result<TrustedPeers, String> {
    match parse_switch(value) {
        Ok(true) => parse_peers("*"),
        Ok(false) => Ok(TrustedPeers::default()),
        Err(_) => parse_peers(value),
    }
}

/// Parses a count of 0 to 100.
pub(super) fn parse_retries(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(count @ 0..=100) => Ok(count),
        _ => Err(format!("`{value}`; it must be a whole number from 0 to 100")),
    }
}

/// Parses a count of server processes; 0 stands for the number of cores.
pub(super) fn parse_processes(value: &str) -> Result<usize, String> {
    let cores = cores();
    // Each one loads the code again, and more than the cores run no faster.
    let most = (16 * cores).max(64);
    match value.parse::<u64>() {
        Ok(count) if count <= most as u64 => Ok(usize::try_from(count).unwrap_or(most)),
        Ok(count) => Err(format!(
            "{count}; this machine has {cores} cores, and each process loads the code again: use 0, \
             which is one for each core, or at most {most}"
        )),
        Err(_) => Err(format!("`{value}`; it must be a whole number from 0 to {most}")),
    }
}

/// The number of cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Parses a whole number from 0.
pub(super) fn parse_number(value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("`{value}`; it must be a whole number, such as 10000"))
}

/// Parses seconds, or a number with `ms`, `s`, `m` or `h`.
pub fn parse_duration(value: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(value);
    let scale = match unit {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    number
        .parse::<f64>()
        .ok()
        .zip(scale)
        .and_then(|(number, scale)| Duration::try_from_secs_f64(number * scale).ok())
        .ok_or_else(|| format!("`{value}`; it must be seconds, such as 30, or 500ms, 2m"))
}

/// Parses bytes, or a number with `kB`, `MB`, `GB` (powers of 1000) or `KiB`, `MiB`, `GiB`.
pub fn parse_size(value: &str) -> Result<usize, String> {
    let (number, unit) = split_unit(value);
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" => Some(1000),
        "m" | "mb" => Some(1000 * 1000),
        "g" | "gb" => Some(1000 * 1000 * 1000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    number
        .parse::<usize>()
        .ok()
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale))
        .ok_or_else(|| format!("`{value}`; it must be bytes, such as 1048576, or 16MiB"))
}

fn split_unit(value: &str) -> (&str, &str) {
    let value = value.trim();
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    (&value[..end], value[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_pattern_is_a_name_without_scheme_and_port() {
        for good in ["a.example", "*.a.example", ".a.example", "*", "[::1]", "10.0.0.1"] {
            assert_eq!(parse_host_pattern(good), Ok(good));
        }
        for bad in ["", "https://a.example", "a.example:80", "*a.example", "a.*.b", "**", "a b"] {
            let error = parse_host_pattern(bad).expect_err(bad);
            assert!(error.contains("*.example for one level"), "{error}");
        }
    }

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

    #[test]
    fn durations_and_sizes_take_units() {
        assert_eq!(parse_duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert!(parse_duration("-1").is_err() && parse_duration("soon").is_err());
        assert_eq!(parse_size("16MiB"), Ok(16 << 20));
        assert_eq!(parse_size("10 kB"), Ok(10_000));
        assert!(parse_size("1.5").is_err() && parse_size("99999999999999GiB").is_err());
    }
    #[test]
    fn a_pool_names_a_cluster_by_host_and_port() {
        for valid in [
            "processes",
            "dask",
            "dask://127.0.0.1:8786",
            "dask://dask.example:1",
            "dask://[::1]:2",
        ] {
            assert_eq!(parse_pool(valid), Ok(valid));
        }
        for invalid in [
            "",
            "Dask",
            "dask://",
            "dask://a",
            "dask://:1",
            "dask://a:0",
            "dask://::1:2",
            "dask://a:1/x",
            "tcp://a:1",
        ] {
            assert!(parse_pool(invalid).is_err(), "{invalid}");
        }
        assert_eq!(parse_retries("0"), Ok(0));
        assert!(parse_retries("101").is_err());
    }
}
