//! Masks secrets in the errors of a build: the compiler quotes sources, and a program that does not start
//! may have printed anything.

use crate::message::{ModuleFailure, Traceback};

use super::Redactor;
use super::patterns::{KeyTexts, MASK, push_redacted};

impl Redactor {
    /// Masks the secrets in a text of any kind.
    pub(in crate::dev) fn text(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        push_redacted(&mut masked, &self.values.redact(text));
        masked
    }

    /// Masks one line of a source after the other, also the lines of a private key.
    pub(in crate::dev) fn line_mask(&self) -> impl FnMut(&str) -> String {
        let mut key = KeyTexts::default();
        move |line| if key.has(line) { MASK.to_owned() } else { self.text(line) }
    }

    /// Masks all texts of the errors.
    pub(in crate::dev) fn mask_failures(&self, failures: &mut [ModuleFailure]) {
        failures.iter_mut().for_each(|failure| self.mask_traceback(&mut failure.traceback));
    }

    fn mask_traceback(&self, traceback: &mut Traceback) {
        let Traceback { message, hint, notes, frames, cause, exceptions, text, .. } = traceback;
        for text in [message, text].into_iter().chain(hint).chain(notes) {
            *text = self.text(text);
        }
        for frame in frames {
            let mut mask = self.line_mask();
            frame.source.iter_mut().for_each(|line| line.text = mask(&line.text));
        }
        if let Some(cause) = cause {
            self.mask_traceback(cause);
        }
        exceptions.iter_mut().for_each(|each| self.mask_traceback(each));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Frame, SourceLine};

    #[test]
    fn the_errors_of_a_build_show_no_secret() {
        let mut redactor = Redactor::default();
        redactor.add_values(&["swordfish".into()]);
        let key = ["-----BEGIN PRIVATE KEY-----", "MIIE", "-----END PRIVATE KEY-----", "after"];
        let source = key.iter().zip(1..);
        let source = source.map(|(text, line)| SourceLine { line, text: (*text).to_owned() });
        let traceback = Traceback {
            message: "postgres://me:hunter22@db".to_owned(),
            text: "the password is swordfish".to_owned(),
            frames: vec![Frame { source: source.collect(), ..Frame::default() }],
            ..Traceback::default()
        };
        let mut failures =
            [ModuleFailure { module: "app".to_owned(), importers: vec![], traceback }];
        redactor.mask_failures(&mut failures);
        let Traceback { message, text, frames, .. } = &failures[0].traceback;
        assert_eq!((&**message, &**text), ("postgres://me:••••@db", "the password is ••••"));
        let lines: Vec<&str> = frames[0].source.iter().map(|line| &*line.text).collect();
        assert_eq!(lines, [MASK, MASK, MASK, "after"]);
    }
}
