//! Where the options of a project are written: for errors that show only after the file was read.
//!
//! Never reads a file.

/// The options that a file sets, each with the name of the file and the line.
#[derive(Clone, Debug, Default)]
pub struct OptionPlaces(Vec<(&'static str, String)>);

impl OptionPlaces {
    /// Adds the place of an option.
    pub(crate) fn add(&mut self, option: &'static str, place: String) {
        self.0.push((option, place));
    }

    /// Leaves out the options that another source sets as well, as the command line does.
    pub(crate) fn without(mut self, is_set: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|(option, _)| !is_set(option));
        self
    }

    /// The place of an option, or `options` if no file sets it.
    pub fn of(&self, option: &str) -> &str {
        let found = self.0.iter().find(|(name, _)| *name == option);
        found.map_or("options", |(_, place)| place)
    }
}
