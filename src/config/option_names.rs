//! Finds options by name, and the known name that an unknown one resembles.

use super::declaration::OptionSpec;
use super::options::OPTIONS;
use super::removed;

/// Finds an option by its name, with `-` or `_`.
pub fn option_named(name: &str) -> Option<&'static OptionSpec> {
    let name = name.replace('_', "-");
    OPTIONS.iter().find(|option| option.name == name)
}

/// Names the replacement of a removed option, the nearest option, or all of them.
pub fn nearest_option(name: &str) -> String {
    let name = name.replace('_', "-");
    if let Some(hint) = removed::replacement(&name) {
        return hint;
    }
    let is_cut = |option: &OptionSpec| option.name.starts_with(&format!("{name}-"));
    let nearest = OPTIONS
        .iter()
        // The first words of an option are nearer than another option, however many are missing.
        .map(|option| match is_cut(option) {
            true => (0, option.name),
            false => (strsim::damerau_levenshtein(option.name, &name), option.name),
        })
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(2));
    match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => {
            let names: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
            format!("the options are {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_suggests_the_nearest_option() {
        assert_eq!(nearest_option("prot"), "did you mean `port`?");
        assert_eq!(nearest_option("pool_worker"), "did you mean `pool-workers`?");
        assert_eq!(nearest_option("max-body"), "did you mean `max-body-size`?");
        assert!(nearest_option("colour-of-the-sky-at-night").starts_with("the options are host"));
    }
}
