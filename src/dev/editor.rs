//! The address by which a page opens a file of the project in an editor.
//!
//! Only an address: nothing is started, and no path is taken from anybody.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What means nothing in a path, and stays as it is.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address with `{file}`, relative to the project and encoded likewise, and `{line}` left open.
pub(super) fn template(project_dir: &Path) -> String {
    let root = percent_encode(project_dir.as_os_str().as_bytes(), IN_PATH).to_string();
    format!("vscode://file{}/{{file}}:{{line}}", root.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_the_path_is_encoded() {
        assert_eq!(
            template(Path::new("/home/a b/{file}?#:é")),
            "vscode://file/home/a%20b/%7Bfile%7D%3F%23%3A%C3%A9/{file}:{line}"
        );
        assert_eq!(template(Path::new("/")), "vscode://file/{file}:{line}");
    }
}
