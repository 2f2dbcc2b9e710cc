//! Amends the Content-Security-Policy of a page so that it admits the script, and nothing else.
//!
//! Knows policies as text only. Rejects a policy that cannot be amended without defeating its
//! purpose.

use std::fmt;

/// Why a policy is not amended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CspError {
    /// No script may run at all.
    NoScripts,
    /// The page is in a sandbox that scripts or their socket cannot leave.
    Sandbox,
    /// It is not ASCII text.
    Unreadable,
}

impl fmt::Display for CspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScripts => "allows no scripts",
            Self::Sandbox => "has a sandbox without allow-scripts and allow-same-origin",
            Self::Unreadable => "is not plain text",
        })
    }
}

/// The amended value of a header, and whether the script tag needs the nonce.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AmendedHeader {
    pub(super) value: String,
    pub(super) needs_nonce: bool,
}

/// Makes every policy of a header admit a script of the page's own origin with this nonce, and the
/// script's connection to the server.
pub(super) fn amend(header: &str, nonce: &str) -> Result<AmendedHeader, CspError> {
    let mut needs_nonce = false;
    let policies: Vec<String> = header
        .split(',')
        .map(|text| {
            let mut policy = CspPolicy::parse(text);
            let is_changed = [policy.allow_script(nonce)?, policy.allow_connection()];
            needs_nonce |= policy.has_source(nonce);
            // A policy that needs no change is sent as it was written.
            Ok(if is_changed.contains(&true) { policy.to_string() } else { text.to_owned() })
        })
        .collect::<Result<_, CspError>>()?;
    Ok(AmendedHeader { value: policies.join(","), needs_nonce })
}

/// Directives by name, each with its values.
struct CspPolicy<'a>(Vec<(String, Vec<CspSource<'a>>)>);

type CspSource<'a> = std::borrow::Cow<'a, str>;

impl<'a> CspPolicy<'a> {
    fn parse(text: &'a str) -> Self {
        let mut directives: Vec<(String, Vec<CspSource<'a>>)> = Vec::new();
        for directive in text.split(';') {
            let mut words = directive.split_ascii_whitespace();
            let Some(name) = words.next().map(str::to_ascii_lowercase) else { continue };
            // The first of two directives with the same name counts.
            if !directives.iter().any(|(known, _)| *known == name) {
                directives.push((name, words.map(CspSource::Borrowed).collect()));
            }
        }
        Self(directives)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known == name)
    }

    /// Returns whether the policy was changed.
    fn allow_script(&mut self, nonce: &str) -> Result<bool, CspError> {
        if let Some(sandbox) = self.find("sandbox") {
            let allowed = &self.0[sandbox].1;
            if !has(allowed, "allow-scripts") || !has(allowed, "allow-same-origin") {
                return Err(CspError::Sandbox);
            }
        }
        let own = self.find("script-src-elem").or_else(|| self.find("script-src"));
        let Some(index) = own.or_else(|| self.find("default-src")) else { return Ok(false) };
        let sources = &self.0[index].1;
        if is_none(sources) {
            return Err(CspError::NoScripts);
        }
        let is_strict = has(sources, "'strict-dynamic'");
        if !is_strict && ["'self'", "*", "http:"].iter().any(|source| has(sources, source)) {
            return Ok(false);
        }
        // A nonce would disable the inline scripts of a page that has no nonce itself.
        let is_inline = has(sources, "'unsafe-inline'") && !sources.iter().any(|s| is_exact(s));
        let source =
            if is_inline && !is_strict { "'self'".to_owned() } else { format!("'nonce-{nonce}'") };
        let index = match own {
            Some(index) => index,
            None => self.split_off("script-src", index),
        };
        self.0[index].1.push(source.into());
        Ok(true)
    }

    /// Returns whether the policy was changed.
    fn allow_connection(&mut self) -> bool {
        let own = self.find("connect-src");
        let Some(index) = own.or_else(|| self.find("default-src")) else { return false };
        if ["'self'", "*"].iter().any(|source| has(&self.0[index].1, source)) {
            return false;
        }
        let index = match own {
            Some(index) => index,
            None => self.split_off("connect-src", index),
        };
        let sources = &mut self.0[index].1;
        sources.retain(|source| !source.eq_ignore_ascii_case("'none'"));
        sources.push("'self'".into());
        true
    }

    /// Adds the directive `name` with the sources of the directive that it inherited from.
    fn split_off(&mut self, name: &str, from: usize) -> usize {
        let sources = self.0[from].1.clone();
        self.0.push((name.to_owned(), sources));
        self.0.len() - 1
    }

    fn has_source(&self, nonce: &str) -> bool {
        let wanted = format!("'nonce-{nonce}'");
        self.0.iter().any(|(_, sources)| sources.iter().any(|source| *source == wanted))
    }
}

impl fmt::Display for CspPolicy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, sources)) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}{name}")?;
            for source in sources {
                write!(f, " {source}")?;
            }
        }
        Ok(())
    }
}

fn has(sources: &[CspSource<'_>], wanted: &str) -> bool {
    sources.iter().any(|source| source.eq_ignore_ascii_case(wanted))
}

/// Reports whether the list allows nothing; next to other sources `'none'` has no effect.
fn is_none(sources: &[CspSource<'_>]) -> bool {
    sources.iter().all(|source| source.eq_ignore_ascii_case("'none'"))
}

/// Reports whether a source is the nonce or hash of a single script.
fn is_exact(source: &str) -> bool {
    let source = source.to_ascii_lowercase();
    ["'nonce-", "'sha256-", "'sha384-", "'sha512-"].iter().any(|kind| source.starts_with(kind))
}

/// Checks an amended header: it allows nothing new but the script of the console.
#[cfg(any(test, fuzzing))]
pub fn fuzz_csp(header: &str) {
    let Ok(amended) = amend(header, "N") else { return };
    let has_nonce = |policy| CspPolicy::parse(policy).has_source("N");
    assert_eq!(amended.needs_nonce, amended.value.split(',').any(has_nonce), "{amended:?}");
    let (before, after): (Vec<_>, Vec<_>) =
        (header.split(',').collect(), amended.value.split(',').collect());
    assert_eq!(before.len(), after.len(), "{amended:?}");
    for (before, after) in before.into_iter().zip(after) {
        let (before, after) = (CspPolicy::parse(before), CspPolicy::parse(after));
        for (name, sources) in &after.0 {
            let inherited = || before.find("default-src").filter(|_| name.ends_with("-src"));
            let old = before.find(name).or_else(inherited).map(|at| &before.0[at].1);
            let old = old.unwrap_or_else(|| panic!("{name} is new: {amended:?}"));
            for source in sources {
                let is_ours = ["'self'", "'nonce-N'"].contains(&&**source);
                assert!(is_ours || old.contains(source), "{source}: {amended:?}");
            }
        }
        // Nothing that was allowed is forbidden, but `'none'`, which allows nothing.
        for (name, sources) in &before.0 {
            let new = &after.0[after.find(name).expect("it stays")].1;
            for source in sources {
                let is_none = source.eq_ignore_ascii_case("'none'");
                assert!(is_none || new.contains(source), "{source}: {amended:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amended(policy: &str) -> String {
        amend(policy, "N").expect("it can be amended").value
    }

    #[test]
    fn a_policy_that_allows_the_page_itself_is_sent_as_it_was() {
        for policy in [
            "default-src 'self'",
            "script-src  'SELF';;connect-src *",
            "img-src 'none'",
            "default-src 'none'; script-src-elem 'self'; connect-src 'self'",
            "frame-ancestors 'none',default-src 'self'",
            "",
        ] {
            let sent = AmendedHeader { value: policy.to_owned(), needs_nonce: false };
            assert_eq!(amend(policy, "N"), Ok(sent), "{policy}");
        }
    }

    #[test]
    fn a_script_is_allowed_where_scripts_are_by_a_nonce() {
        for (policy, expected) in [
            ("script-src cdn.example", "script-src cdn.example 'nonce-N'"),
            ("script-src 'nonce-abc'", "script-src 'nonce-abc' 'nonce-N'"),
            (
                "script-src 'self' 'strict-dynamic' 'sha256-x='",
                "script-src 'self' 'strict-dynamic' 'sha256-x=' 'nonce-N'",
            ),
            (
                "script-src 'none'; script-src-elem a.example",
                "script-src 'none'; script-src-elem a.example 'nonce-N'",
            ),
            (
                "default-src a.example",
                "default-src a.example; script-src a.example 'nonce-N'; \
                 connect-src a.example 'self'",
            ),
            // Next to other sources 'none' has no effect; the first of two directives counts.
            ("script-src 'none' a.example", "script-src 'none' a.example 'nonce-N'"),
            ("script-src a.example; script-src 'self'", "script-src a.example 'nonce-N'"),
        ] {
            assert_eq!(amended(policy), expected);
            assert!(amend(policy, "N").expect("it can be amended").needs_nonce, "{policy}");
        }
    }

    #[test]
    fn inline_scripts_that_a_nonce_would_forbid_still_run() {
        let policy = amend("script-src 'unsafe-inline'", "N").expect("it can be amended");
        assert_eq!(policy.value, "script-src 'unsafe-inline' 'self'");
        assert!(!policy.needs_nonce);
        assert_eq!(
            amended("script-src 'unsafe-inline' 'nonce-a'"),
            "script-src 'unsafe-inline' 'nonce-a' 'nonce-N'"
        );
    }

    #[test]
    fn the_socket_is_allowed_where_connections_are_forbidden() {
        for (policy, expected) in [
            ("connect-src 'none'", "connect-src 'self'"),
            ("connect-src", "connect-src 'self'"),
            ("connect-src api.example", "connect-src api.example 'self'"),
            (
                "default-src 'none'; script-src 'self'",
                "default-src 'none'; script-src 'self'; connect-src 'self'",
            ),
        ] {
            assert_eq!(amended(policy), expected);
        }
    }

    const WORDS: [&str; 22] = [
        ";",
        ",",
        " ",
        "\t",
        "default-src",
        "script-src",
        "script-src-elem",
        "connect-src",
        "sandbox",
        "allow-scripts",
        "allow-same-origin",
        "'none'",
        "'self'",
        "'unsafe-inline'",
        "'nonce-a'",
        "'sha256-b='",
        "'strict-dynamic'",
        "*",
        "https:",
        "a.example",
        "NONE",
        "img-src 'none';",
    ];

    #[test]
    fn fuzz_csp() {
        crate::fuzz::check("csp", &WORDS, super::fuzz_csp);
    }

    #[test]
    fn every_policy_of_a_header_is_amended_or_none() {
        assert_eq!(
            amended("script-src a.example, script-src 'self', connect-src 'none'"),
            "script-src a.example 'nonce-N', script-src 'self',connect-src 'self'"
        );
        assert_eq!(amend("script-src a.example, script-src 'none'", "N"), Err(CspError::NoScripts));
    }

    #[test]
    fn a_policy_that_forbids_all_scripts_is_not_amended() {
        for policy in
            ["script-src 'none'", "default-src 'none'", "script-src", "default-src 'NONE'"]
        {
            assert_eq!(amend(policy, "N"), Err(CspError::NoScripts), "{policy}");
        }
        for policy in ["sandbox", "sandbox allow-scripts", "sandbox allow-same-origin"] {
            assert_eq!(amend(policy, "N"), Err(CspError::Sandbox), "{policy}");
        }
        assert!(amend("sandbox allow-scripts allow-same-origin", "N").is_ok());
    }
}
