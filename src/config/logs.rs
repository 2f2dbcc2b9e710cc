//! The options of logs and metrics, and the parsers of their values.
//!
//! Each error continues the sentence "`name` is".

use std::env;
use std::net::{Ipv4Addr, SocketAddr};

use super::values::parse_switch;

/// The format of the logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether the environment names a collector for spans, by the variables of OpenTelemetry; never in a
/// build without the cargo feature `otel`.
pub(crate) fn exports_spans() -> bool {
    if !cfg!(feature = "otel") {
        return false;
    }
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let is_named = || {
        let names = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
        names.iter().any(|name| variable(name).is_some())
    };
    let is_wanted = || match variable("OTEL_TRACES_EXPORTER") {
        Some(exporters) => exporters.split(',').any(|exporter| exporter.trim() == "otlp"),
        None => is_named(),
    };
    !is_off && is_wanted()
}

/// Parses the format of the logs.
pub(super) fn parse_log_format(value: &str) -> Result<LogFormat, String> {
    match value {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{value}`; it must be text or json")),
    }
}

/// Parses the path of a log; `-` or a switch that is on is stdout, and an empty path turns it off.
pub(super) fn parse_log_path(value: &str) -> Result<&str, String> {
    Ok(match parse_switch(value) {
        Ok(true) => "-",
        Ok(false) => "",
        Err(_) => value,
    })
}

/// Parses an IP address and a port, or a port of this machine.
pub(super) fn parse_address(value: &str) -> Result<SocketAddr, String> {
    let bad = || format!("`{value}`; it must be an IP address and a port such as 127.0.0.1:9464");
    if let Ok(port) = value.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    if let Some(port) = value.strip_prefix("localhost:") {
        let port = port.parse::<u16>().map_err(|_| bad())?;
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    value.parse().map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_a_log_may_be_a_switch() {
        let address = |value: &str| parse_address(value).map(|address| address.to_string());
        assert_eq!(address("9464"), Ok("127.0.0.1:9464".to_owned()));
        assert_eq!(address("localhost:0"), Ok("127.0.0.1:0".to_owned()));
        assert_eq!(address("[::]:9464"), Ok("[::]:9464".to_owned()));
        for bad in ["", "127.0.0.1", "example.com:80", "localhost:", "70000", "1.2.3.4:x"] {
            let error = parse_address(bad).expect_err(bad);
            assert!(error.contains("such as 127.0.0.1:9464"), "{error}");
        }
        let paths = ["-", "true", "off", "a.log"].map(parse_log_path);
        assert_eq!(paths, ["-", "-", "", "a.log"].map(Ok));
    }
}
