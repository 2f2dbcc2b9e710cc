//! The variables of OpenTelemetry that name the collector, and the attributes of this service.
//!
//! Knows the names and formats of the specification. Reads the environment of the process; an `.env` of
//! the project is for Python, which reads it later.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

/// The path below `OTEL_EXPORTER_OTLP_ENDPOINT`.
const TRACES_PATH: &str = "/v1/traces";
/// The collector, if only `OTEL_TRACES_EXPORTER` asks for one.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";

/// Where spans are exported to, and how.
#[derive(Debug)]
pub(super) struct SpanSettings {
    pub(super) url: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// A file with the certificates that sign the collector's, in place of the system's.
    pub(super) certificates: Option<PathBuf>,
    /// The limit of an export, its repetitions included.
    pub(super) timeout: Duration,
    /// How long a span waits for others.
    pub(super) delay: Duration,
    pub(super) max_waiting: usize,
    pub(super) max_batch: usize,
    /// The attributes of the service.
    pub(super) resource: Vec<(String, String)>,
}

/// Returns a variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|it| !it.is_empty())
}

impl SpanSettings {
    /// # Errors
    ///
    /// A value is not valid; as a sentence.
    pub(super) fn from_environment() -> Result<Self, String> {
        Self::read(variable)
    }

    fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        // The variables for traces come before those for all signals.
        let either = |name: &str| {
            let [special, general] = ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"]
                .map(|it| format!("{it}{name}"));
            get(&special)
                .map(|value| (special, value))
                .or_else(|| Some((general.clone(), get(&general)?)))
        };
        if let Some((name, protocol)) = either("PROTOCOL")
            && !["http/json", "http/protobuf"].contains(&&*protocol)
        {
            return Err(format!(
                "`{name}` is `{protocol}`; set it to http/json, with the collector's port for HTTP, 4318"
            ));
        }
        let endpoint = match get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            Some(endpoint) => endpoint,
            None => {
                let base = get("OTEL_EXPORTER_OTLP_ENDPOINT");
                let base = base.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
                base.trim_end_matches('/').to_owned() + TRACES_PATH
            }
        };
        let url = endpoint.parse::<Uri>().ok().filter(|url| {
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
        });
        let headers = either("HEADERS").map_or(Ok(Vec::new()), |(name, value)| {
            pairs(&value).map(|pair| header(pair).ok_or_else(|| invalid_list(&name))).collect()
        })?;
        let number = |name: &str, default: usize| match get(name) {
            None => Ok(default),
            Some(value) => match value.parse() {
                Ok(number @ 1..) => Ok(number),
                _ => Err(format!("`{name}` is `{value}`; it must be a number above 0")),
            },
        };
        let timeout =
            either("TIMEOUT").map_or("OTEL_EXPORTER_OTLP_TIMEOUT".into(), |(name, _)| name);
        let milliseconds = |number: usize| Duration::from_millis(number as u64);
        let max_waiting = number("OTEL_BSP_MAX_QUEUE_SIZE", 2048)?;
        Ok(Self {
            url: url.ok_or_else(|| {
                format!("`{endpoint}` is not a URL; set OTEL_EXPORTER_OTLP_ENDPOINT to one, such as {DEFAULT_ENDPOINT}")
            })?,
            headers,
            certificates: either("CERTIFICATE").map(|(_, path)| path.into()),
            timeout: milliseconds(number(&timeout, 10_000)?),
            delay: milliseconds(number("OTEL_BSP_SCHEDULE_DELAY", 5000)?),
            max_waiting,
            max_batch: number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)?.min(max_waiting),
            resource: resource(&get)?,
        })
    }
}

/// The attributes of the service: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(get: &impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, String> {
    const LIST: &str = "OTEL_RESOURCE_ATTRIBUTES";
    const NAME: &str = "service.name";
    let list = get(LIST).unwrap_or_default();
    let mut found: Vec<_> = pairs(&list)
        .map(|pair| pair.ok_or_else(|| invalid_list(LIST)))
        .collect::<Result<_, _>>()?;
    if let Some(name) = get("OTEL_SERVICE_NAME") {
        found.retain(|(key, _)| key != NAME);
        found.push((NAME.to_owned(), name));
    } else if found.iter().all(|(key, _)| key != NAME) {
        found.push((NAME.to_owned(), "unknown_service:snaxum".to_owned()));
    }
    Ok(found)
}

/// Parses `a=b,c=d` with percent-encoded values.
fn pairs(list: &str) -> impl Iterator<Item = Option<(String, String)>> {
    list.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        (!key.trim().is_empty()).then(|| (key.trim().to_owned(), value.into_owned()))
    })
}

fn header(pair: Option<(String, String)>) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair?;
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// Without the value, which may be a secret.
fn invalid_list(name: &str) -> String {
    format!("`{name}` is not a list such as a=b,c=d")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<SpanSettings, String> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        SpanSettings::read(|name| variables.get(name).map(|&value| value.to_owned()))
    }

    #[test]
    fn the_variables_for_traces_come_first_and_have_the_whole_path() {
        let url = |variables: &[(&str, &str)]| read(variables).expect("valid").url.to_string();
        assert_eq!(url(&[]), "http://localhost:4318/v1/traces");
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a.example/otlp/");
        assert_eq!(url(&[general]), "https://a.example/otlp/v1/traces");
        let special = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://b.example/x");
        assert_eq!(url(&[general, special]), "http://b.example/x");
    }

    #[test]
    fn lists_are_decoded_and_the_name_of_the_service_is_last() {
        let found = read(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x = y"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=old,deployment.environment=live%2Ceu"),
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ]);
        let found = found.expect("valid");
        let text = |value: &HeaderValue| value.to_str().expect("ASCII").to_owned();
        let headers: Vec<_> =
            found.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        assert_eq!(headers, [("api-key", "a b".to_owned()), ("x", "y".to_owned())]);
        let resource: Vec<_> = found.resource.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(resource, [("deployment.environment", "live,eu"), ("service.name", "shop")]);
        assert_eq!((found.timeout.as_millis(), found.max_batch), (250, 100));
        assert_eq!(read(&[]).expect("valid").resource[0].1, "unknown_service:snaxum");
    }

    #[test]
    fn a_value_that_is_not_valid_is_named() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
            ("OTEL_RESOURCE_ATTRIBUTES", "=x"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ] {
            let problem = read(&[(name, value)]).expect_err(name);
            assert!(problem.contains(name), "{problem}");
        }
    }
}
