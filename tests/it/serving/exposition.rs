//! A strict parser of the text that Prometheus reads (exposition format 0.0.4), and the queries of the
//! dashboard.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The samples of a text.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// By name and labels, as they are written.
    pub(super) samples: BTreeMap<String, f64>,
    /// The labels of each name.
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// Parses a text in which each sample belongs to the family before it, whose help and type come first,
/// and histograms are cumulative and whole.
pub(super) fn parse(text: &str) -> Exposition {
    assert!(text.ends_with('\n') && !text.contains('\r'), "lines end with a line feed");
    let (mut found, mut families) = (Exposition::default(), BTreeSet::new());
    let (mut family, mut kind) = (String::new(), String::new());
    let mut histograms: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, sentence) = help.split_once(' ').expect("a sentence");
            assert!(is_name(name, ":_") && sentence.ends_with('.'), "{line}");
            let kind_line = lines.next().expect("a type");
            kind = kind_line.strip_prefix(&format!("# TYPE {name} ")).expect("its type").to_owned();
            assert!(["counter", "gauge", "histogram"].contains(&&*kind), "{kind_line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
            assert!(families.insert(name.to_owned()), "{name} is there twice");
            family = name.to_owned();
            continue;
        }
        let (name, mut labels, value) = sample(line);
        let suffix = name.strip_prefix(&*family).expect("a sample of its family");
        let allowed: &[&str] =
            if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(allowed.contains(&suffix), "{line}");
        assert!(value >= 0.0 && value.is_finite(), "{line}");
        let of_name = found.labels.entry(name.to_owned()).or_default();
        of_name.extend(labels.keys().cloned());
        if kind == "histogram" {
            let bound = labels.remove("le").map(|bound| match &*bound {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().expect("a bound"),
            });
            assert_eq!(bound.is_some(), suffix == "_bucket", "{line}");
            let buckets = histograms.entry(format!("{family}{labels:?}")).or_default();
            match (suffix, bound) {
                ("_bucket", Some(bound)) => {
                    let is_next = |last: &(f64, f64)| bound > last.0 && value >= last.1;
                    assert!(buckets.last().is_none_or(is_next), "{line}");
                    buckets.push((bound, value));
                }
                ("_count", _) => {
                    assert_eq!(buckets.last(), Some(&(f64::INFINITY, value)), "{line}")
                }
                _ => assert!(!buckets.is_empty(), "{line}"),
            }
        }
        let written = line.rsplit_once(' ').expect("a value").0;
        assert_eq!(found.samples.insert(written.to_owned(), value), None, "{line} is there twice");
    }
    found
}

/// Whether a text is a name of a metric or, without `:`, of a label.
fn is_name(text: &str, others: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    text.chars().all(is_allowed) && text.starts_with(|c: char| !c.is_ascii_digit())
}

/// Parses the name, the labels and the value of a sample.
fn sample(line: &str) -> (&str, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).expect("a name and a value");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, ":_"), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, value) = rest.split_once("=\"").expect("a label");
            assert!(is_name(label, "_"), "{line}");
            let mut text = String::new();
            let mut chars = value.char_indices();
            let end = loop {
                let (index, c) = chars.next().expect("the end of a value");
                text.push(match c {
                    '"' => break index + 1,
                    '\\' => match chars.next().expect("an escape").1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        c => panic!("`{c}` is not an escape: {line}"),
                    },
                    c => c,
                });
            };
            assert_eq!(labels.insert(label.to_owned(), text), None, "{line}");
            rest = &value[end..];
            match rest.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => break rest = more,
                _ => panic!("neither a label nor the end: {line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("one space");
    (name, labels, value.parse().expect("a number"))
}

impl Exposition {
    /// Checks that a dashboard asks for metrics and labels that there are, and that Grafana can show it.
    pub(super) fn check_dashboard(&self, dashboard: &Value) {
        let variables = dashboard["templating"]["list"].as_array().expect("variables");
        let variables: BTreeSet<_> = variables.iter().map(|each| each["name"].as_str()).collect();
        assert_eq!(variables, BTreeSet::from([Some("datasource"), Some("job")]));
        let panels = dashboard["panels"].as_array().expect("panels");
        assert!(panels.len() > 8, "{panels:?}");
        let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
        for panel in panels {
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{}", panel["id"]);
            let place = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
            let (x, y) = (place("x"), place("y"));
            assert!(x + place("w") <= 24, "{}", panel["title"]);
            for cell in (x..x + place("w")).flat_map(|x| (y..y + place("h")).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{} is above another panel", panel["title"]);
            }
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            for target in panel["targets"].as_array().expect("queries") {
                self.check_query(target["expr"].as_str().expect("a query"));
            }
        }
        for annotation in dashboard["annotations"]["list"].as_array().expect("annotations") {
            self.check_query(annotation["expr"].as_str().expect("a query"));
        }
    }

    /// Checks the names of a query, which are before a brace, and the labels in braces and after `by`.
    fn check_query(&self, query: &str) {
        assert_eq!(query.matches('(').count(), query.matches(')').count(), "{query}");
        let selectors = query.split('{').collect::<Vec<_>>();
        let mut all_labels = BTreeSet::new();
        for pair in selectors.windows(2) {
            let is_other = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':';
            let name = pair[0].rsplit(is_other).next().expect("a name");
            let labels =
                self.labels.get(name).unwrap_or_else(|| panic!("no metric {name}: {query}"));
            all_labels.extend(labels);
            let matchers = pair[1].split('}').next().expect("the end of the labels");
            for matcher in matchers.split(',') {
                let label = matcher.split(['=', '!', '~']).next().expect("a label");
                assert!(label == "job" || labels.contains(label), "no label {label}: {query}");
            }
        }
        assert!(selectors.len() > 1, "{query}");
        for grouped in query.split(" by (").skip(1) {
            for label in grouped.split(')').next().expect("labels").split(", ") {
                assert!(all_labels.contains(&label.to_owned()), "no label {label}: {query}");
            }
        }
    }
}
