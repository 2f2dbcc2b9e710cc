//! Checks the properties of the fuzzers of tests/fuzz on stored and mutated inputs, without coverage.
//!
//! tests/fuzz/corpus/TARGET has one input in each file. Each target is a test, which runs a few inputs
//! with the others; PROPTEST_CASES sets their number.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// Inputs of each target in a normal run.
const FEW: u32 = 200;
/// The most edits of one input.
const MAX_EDITS: usize = 6;

/// A change of an input.
#[derive(Clone, Debug)]
enum Edit {
    /// Inserts a text of the target.
    Insert(Index, String),
    /// Removes up to this number of characters.
    Remove(Index, usize),
    /// Repeats a part.
    Repeat(Index, Index),
}

impl Edit {
    fn apply(&self, text: &mut Vec<char>) {
        let place = |index: &Index, text: &[char]| index.index(text.len() + 1);
        match self {
            Self::Insert(at, inserted) => {
                let at = place(at, text);
                text.splice(at..at, inserted.chars());
            }
            Self::Remove(at, count) => {
                let at = place(at, text);
                let end = (at + count).min(text.len());
                text.drain(at..end);
            }
            Self::Repeat(from, to) => {
                let (from, to) = (place(from, text), place(to, text));
                let part = text[from.min(to)..from.max(to)].to_vec();
                text.extend(part);
            }
        }
    }
}

/// Checks that `property`, which panics otherwise, is true for the corpus of `target` and for texts made
/// from it and from `words`.
pub(crate) fn check(target: &str, words: &'static [&'static str], property: impl Fn(&str)) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files =
        fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    let stored: Vec<String> = files
        .map(|file| fs::read_to_string(file.expect("a file").path()).expect("UTF-8"))
        .collect();
    stored.iter().for_each(|text| property(text));

    let word = prop_oneof![
        4 => select(words).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    let place = any::<Index>;
    let edit = prop_oneof![
        3 => (place(), word.clone()).prop_map(|(at, word)| Edit::Insert(at, word)),
        1 => (place(), 1..8_usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        1 => (place(), place()).prop_map(|(from, to)| Edit::Repeat(from, to)),
    ];
    let edited = (select(stored.clone()), prop::collection::vec(edit, 0..MAX_EDITS)).prop_map(
        |(text, edits)| {
            let mut text: Vec<char> = text.chars().collect();
            edits.iter().for_each(|edit| edit.apply(&mut text));
            text.into_iter().collect::<String>()
        },
    );
    let built = prop::collection::vec(word, 0..12).prop_map(|words| words.concat());
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config =
        Config { cases: cases.unwrap_or(FEW), failure_persistence: None, ..Config::default() };
    let cases = config.cases;
    let found = TestRunner::new(config).run(&prop_oneof![edited, built], |text| {
        property(&text);
        Ok(())
    });
    if let Err(failure) = found {
        panic!("{failure}\nadd the input to {}", corpus.display());
    }
    println!("fuzz: {target}: {} stored inputs and {cases} others", stored.len());
}
