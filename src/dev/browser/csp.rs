//! Lets the script through the policy of a page, and changes no more of it than that takes.
//!
//! Knows policies as text only. What cannot be changed without undoing what it is for is refused.

use std::fmt;

/// Why a policy is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// No script may run at all.
    NoScripts,
    /// The page is in a sandbox that scripts or their channel cannot leave.
    Sandbox,
    /// It is no ASCII text.
    Unreadable,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScripts => "allows no scripts",
            Self::Sandbox => "has a sandbox without allow-scripts and allow-same-origin",
            Self::Unreadable => "is no plain text",
        })
    }
}

/// A header's policies as they are to be sent, and whether the tag needs the nonce.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Amended {
    pub(super) value: String,
    pub(super) needs_nonce: bool,
}

/// Lets a script of the page's own origin with this nonce through every policy of a header, and
/// its connection back.
pub(super) fn amend(header: &str, nonce: &str) -> Result<Amended, Problem> {
    let mut needs_nonce = false;
    let policies: Vec<String> = header
        .split(',')
        .map(|text| {
            let mut policy = Policy::parse(text);
            let is_changed = [policy.allow_script(nonce)?, policy.allow_connection()];
            needs_nonce |= policy.has_source(nonce);
            // What needs no change is sent as it was written.
            Ok(if is_changed.contains(&true) { policy.to_string() } else { text.to_owned() })
        })
        .collect::<Result<_, Problem>>()?;
    Ok(Amended { value: policies.join(","), needs_nonce })
}

/// Directives by name, each with its values.
struct Policy<'a>(Vec<(String, Vec<Source<'a>>)>);

type Source<'a> = std::borrow::Cow<'a, str>;

impl<'a> Policy<'a> {
    fn parse(text: &'a str) -> Self {
        let mut directives: Vec<(String, Vec<Source<'a>>)> = Vec::new();
        for directive in text.split(';') {
            let mut words = directive.split_ascii_whitespace();
            let Some(name) = words.next().map(str::to_ascii_lowercase) else { continue };
            // Of two with one name the first counts.
            if !directives.iter().any(|(known, _)| *known == name) {
                directives.push((name, words.map(Source::Borrowed).collect()));
            }
        }
        Self(directives)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known == name)
    }

    /// Whether it was changed.
    fn allow_script(&mut self, nonce: &str) -> Result<bool, Problem> {
        if let Some(sandbox) = self.find("sandbox") {
            let allowed = &self.0[sandbox].1;
            if !has(allowed, "allow-scripts") || !has(allowed, "allow-same-origin") {
                return Err(Problem::Sandbox);
            }
        }
        let own = self.find("script-src-elem").or_else(|| self.find("script-src"));
        let Some(index) = own.or_else(|| self.find("default-src")) else { return Ok(false) };
        let sources = &self.0[index].1;
        if is_none(sources) {
            return Err(Problem::NoScripts);
        }
        let is_strict = has(sources, "'strict-dynamic'");
        if !is_strict && ["'self'", "*", "http:"].iter().any(|source| has(sources, source)) {
            return Ok(false);
        }
        // A nonce would take the inline scripts of a page away that has none itself.
        let is_inline = has(sources, "'unsafe-inline'") && !sources.iter().any(|s| is_exact(s));
        let source =
            if is_inline && !is_strict { "'self'".to_owned() } else { format!("'nonce-{nonce}'") };
        let index = match own {
            Some(index) => index,
            None => self.branch("script-src", index),
        };
        self.0[index].1.push(source.into());
        Ok(true)
    }

    /// Whether it was changed.
    fn allow_connection(&mut self) -> bool {
        let own = self.find("connect-src");
        let Some(index) = own.or_else(|| self.find("default-src")) else { return false };
        if ["'self'", "*"].iter().any(|source| has(&self.0[index].1, source)) {
            return false;
        }
        let index = match own {
            Some(index) => index,
            None => self.branch("connect-src", index),
        };
        let sources = &mut self.0[index].1;
        sources.retain(|source| !source.eq_ignore_ascii_case("'none'"));
        sources.push("'self'".into());
        true
    }

    /// A directive of its own, with what it had from another one.
    fn branch(&mut self, name: &str, from: usize) -> usize {
        let sources = self.0[from].1.clone();
        self.0.push((name.to_owned(), sources));
        self.0.len() - 1
    }

    fn has_source(&self, nonce: &str) -> bool {
        let wanted = format!("'nonce-{nonce}'");
        self.0.iter().any(|(_, sources)| sources.iter().any(|source| *source == wanted))
    }
}

impl fmt::Display for Policy<'_> {
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

fn has(sources: &[Source<'_>], wanted: &str) -> bool {
    sources.iter().any(|source| source.eq_ignore_ascii_case(wanted))
}

/// A list that is empty, or says so, allows nothing; beside others `'none'` says nothing.
fn is_none(sources: &[Source<'_>]) -> bool {
    sources.iter().all(|source| source.eq_ignore_ascii_case("'none'"))
}

/// Whether a source names a script itself.
fn is_exact(source: &str) -> bool {
    let source = source.to_ascii_lowercase();
    ["'nonce-", "'sha256-", "'sha384-", "'sha512-"].iter().any(|kind| source.starts_with(kind))
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
            let sent = Amended { value: policy.to_owned(), needs_nonce: false };
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
            // Beside others 'none' has no effect; the first of two counts.
            ("script-src 'none' a.example", "script-src 'none' a.example 'nonce-N'"),
            ("script-src a.example; script-src 'self'", "script-src a.example 'nonce-N'"),
        ] {
            assert_eq!(amended(policy), expected);
            assert!(amend(policy, "N").expect("it can be amended").needs_nonce, "{policy}");
        }
    }

    #[test]
    fn inline_scripts_that_a_nonce_would_forbid_go_on() {
        let policy = amend("script-src 'unsafe-inline'", "N").expect("it can be amended");
        assert_eq!(policy.value, "script-src 'unsafe-inline' 'self'");
        assert!(!policy.needs_nonce);
        assert_eq!(
            amended("script-src 'unsafe-inline' 'nonce-a'"),
            "script-src 'unsafe-inline' 'nonce-a' 'nonce-N'"
        );
    }

    #[test]
    fn the_channel_is_allowed_where_connections_are_not() {
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

    #[test]
    fn every_policy_of_a_header_is_amended_or_none() {
        assert_eq!(
            amended("script-src a.example, script-src 'self', connect-src 'none'"),
            "script-src a.example 'nonce-N', script-src 'self',connect-src 'self'"
        );
        assert_eq!(amend("script-src a.example, script-src 'none'", "N"), Err(Problem::NoScripts));
    }

    #[test]
    fn what_forbids_all_scripts_is_left_alone() {
        for policy in
            ["script-src 'none'", "default-src 'none'", "script-src", "default-src 'NONE'"]
        {
            assert_eq!(amend(policy, "N"), Err(Problem::NoScripts), "{policy}");
        }
        for policy in ["sandbox", "sandbox allow-scripts", "sandbox allow-same-origin"] {
            assert_eq!(amend(policy, "N"), Err(Problem::Sandbox), "{policy}");
        }
        assert!(amend("sandbox allow-scripts allow-same-origin", "N").is_ok());
    }
}
