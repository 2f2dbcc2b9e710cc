//! Decides which traces are recorded (`OTEL_TRACES_SAMPLER`).

use super::environment;

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// Decides by the id of a trace, so that all servers with the same part agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) enum Sampler {
    /// No span is recorded: passes the flags of clients on.
    Unrecorded,
    /// Ignores the client.
    Own(RecordedPart),
    /// Follows the client, if it has a trace.
    Parent(RecordedPart),
}

/// The part of traces that is recorded: a trace whose lower half is below this part of 2^64; `None` for all.
type RecordedPart = Option<u64>;

impl Sampler {
    pub(in crate::telemetry) fn from_environment() -> Self {
        if !crate::config::exports_spans() {
            return Self::Unrecorded;
        }
        let get = |name| environment::variable(name);
        let name = get("OTEL_TRACES_SAMPLER");
        let parsed = Self::parse(name.as_deref(), get("OTEL_TRACES_SAMPLER_ARG").as_deref());
        parsed.unwrap_or_else(|problem| {
            tracing::warn!("all traces are recorded: {problem}");
            Self::Parent(None)
        })
    }

    fn parse(name: Option<&str>, argument: Option<&str>) -> Result<Self, String> {
        let part = || match argument.map(str::parse::<f64>) {
            None => Ok(None),
            Some(Ok(part)) if part >= 1.0 => Ok(None),
            Some(Ok(part)) if part >= 0.0 => Ok(Some((part * 2f64.powi(64)) as u64)),
            _ => Err(format!(
                "`OTEL_TRACES_SAMPLER_ARG` is `{}`; it must be from 0 to 1",
                argument.unwrap_or_default()
            )),
        };
        Ok(match name.unwrap_or("parentbased_always_on") {
            "always_on" => Self::Own(None),
            "always_off" => Self::Own(Some(0)),
            "traceidratio" => Self::Own(part()?),
            "parentbased_always_on" => Self::Parent(None),
            "parentbased_always_off" => Self::Parent(Some(0)),
            "parentbased_traceidratio" => Self::Parent(part()?),
            other => {
                return Err(format!(
                    "`OTEL_TRACES_SAMPLER` is `{other}`; it must be always_on, always_off or \
                     traceidratio, also with parentbased_ before it"
                ));
            }
        })
    }

    /// Returns the flags of a trace, which may have the flags of a client.
    pub(in crate::telemetry) fn flags(self, trace: u128, of_client: Option<u8>) -> u8 {
        let is_recorded = |part: RecordedPart| part.is_none_or(|part| (trace as u64) < part);
        match (self, of_client) {
            (Self::Unrecorded, _) => of_client.unwrap_or(SAMPLED),
            (Self::Parent(_), Some(flags)) => flags,
            (Self::Own(part) | Self::Parent(part), _) => {
                if is_recorded(part) {
                    SAMPLED
                } else {
                    0
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_decide_which_traces_are_recorded() {
        let flags = |name, argument, trace, client| {
            Sampler::parse(name, argument).map(|sampler| sampler.flags(trace, client))
        };
        let (low, high) = (1 << 20, u128::from(u64::MAX));
        for (name, argument, trace, client, expected) in [
            (None, None, high, None, 1),
            (None, None, high, Some(0), 0),
            (Some("always_on"), None, low, Some(0), 1),
            (Some("always_off"), None, low, Some(1), 0),
            (Some("traceidratio"), Some("0.5"), low, Some(0), 1),
            (Some("traceidratio"), Some("0.5"), high, Some(1), 0),
            (Some("parentbased_traceidratio"), Some("0.5"), high, Some(1), 1),
            (Some("parentbased_traceidratio"), Some("0.5"), high, None, 0),
            (Some("parentbased_traceidratio"), Some("1"), high, None, 1),
            (Some("parentbased_traceidratio"), Some("0"), 0, None, 0),
            (Some("parentbased_always_off"), None, low, None, 0),
        ] {
            let found = flags(name, argument, trace, client);
            assert_eq!(found, Ok(expected), "{name:?} {argument:?} {client:?}");
        }
        for (name, argument) in [("sometimes", None), ("traceidratio", Some("half"))] {
            let problem = Sampler::parse(Some(name), argument).expect_err(name);
            assert!(problem.contains("it must be"), "{problem}");
        }
        assert_eq!(Sampler::Unrecorded.flags(0, None), 1);
    }
}
