//! The last good binary, under a name of its own: cargo replaces its own file, and a program that has crashed
//! starts again from this one.
//!
//! Runs nothing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The end of the name of the link.
const SUFFIX: &str = ".snaxum-live";
/// The bytes that are compared at once.
const CHUNK: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Binary {
    /// A link to the same file, or the path itself where there can be none.
    pub(super) kept: PathBuf,
}

impl Binary {
    /// Links a binary that is good; replaces the link to the one before.
    pub(super) fn link(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(SUFFIX);
        let kept = path.with_file_name(name);
        if kept == path {
            return Self { kept };
        }
        let _ = fs::remove_file(&kept);
        let kept = match fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(drop)) {
            Ok(()) => kept,
            Err(error) => {
                tracing::debug!("cannot link the program: {error}");
                path.to_owned()
            }
        };
        Self { kept }
    }

    /// Whether another file has the same bytes.
    pub(super) fn is_same(&self, other: &Path) -> bool {
        let compare = || -> io::Result<bool> {
            let (own, new) = (fs::metadata(&self.kept)?, fs::metadata(other)?);
            if (own.dev(), own.ino()) == (new.dev(), new.ino()) {
                return Ok(self.kept != other);
            }
            if own.len() != new.len() {
                return Ok(false);
            }
            have_same_bytes(File::open(&self.kept)?, File::open(other)?)
        };
        compare().unwrap_or(false)
    }
}

fn have_same_bytes(mut one: File, mut another: File) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(true); // they are of one length
        }
        another.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_good_binary_outlives_a_build_and_differs_from_another() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("shop");
        let write = |text: &str| {
            let _ = fs::remove_file(&path); // as cargo does
            fs::write(&path, text).expect("written");
        };
        write("one");
        let good = Binary::link(&path);
        assert!(good.is_same(&path));
        write("two");
        assert!(!good.is_same(&path));
        assert_eq!(fs::read_to_string(&good.kept).expect("it is there"), "one");
        write("one");
        assert!(good.is_same(&path), "a link of the same bytes");
        write("longer");
        assert!(!good.is_same(&path));
        assert_eq!(fs::read_to_string(Binary::link(&path).kept).expect("there"), "longer");
    }
}
