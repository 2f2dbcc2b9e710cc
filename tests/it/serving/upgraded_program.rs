//! A program of a test's own, which the test replaces on disk while it runs.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Project, Server, snaxum};

/// The program, in the directory of the project.
pub(super) struct Program {
    /// The file that an installation replaces.
    file: PathBuf,
    /// The command that starts it.
    command: Vec<String>,
}

impl Program {
    /// Installs the program under test: the binary, or an environment with the wheel.
    pub(super) fn in_project(project: &Project) -> Self {
        let directory = project.path().join("installed");
        fs::create_dir(&directory).expect("a directory");
        match std::env::var("SNAXUM_COMMAND") {
            Err(_) => {
                let file = directory.join("snaxum");
                // A hard link, if it can be one: it takes no time.
                fs::hard_link(snaxum(), &file)
                    .or_else(|_| fs::copy(snaxum(), &file).map(drop))
                    .expect("a program");
                Self { command: vec![file.display().to_string()], file }
            }
            Ok(command) => Self::of_environment(&directory, Path::new(&command)),
        }
    }

    /// An environment with the packages of another one, and a copy of this one.
    fn of_environment(directory: &Path, command: &Path) -> Self {
        let environment = command.ancestors().nth(2).expect("bin/snaxum");
        fs::create_dir(directory.join("bin")).expect("a directory");
        for name in ["pyvenv.cfg", "bin/python"] {
            let original = environment.join(name);
            let target = fs::read_link(&original).unwrap_or_else(|_| original.clone());
            let target = if target.is_relative() { original } else { target };
            symlink(target, directory.join(name)).expect("it is new");
        }
        let packages = fs::read_dir(environment.join("lib")).expect("a library");
        let python = packages.map(|entry| entry.expect("an entry").file_name());
        let python = python.into_iter().next().expect("lib/pythonX.Y");
        let within = Path::new("lib").join(python).join("site-packages");
        let own = directory.join(&within);
        fs::create_dir_all(&own).expect("a directory");
        for entry in fs::read_dir(environment.join(&within)).expect("packages") {
            let entry = entry.expect("an entry");
            if entry.file_name() != "snaxum" {
                symlink(entry.path(), own.join(entry.file_name())).expect("it is new");
            }
        }
        copy_tree(&environment.join(&within).join("snaxum"), &own.join("snaxum"));
        let mut files = fs::read_dir(own.join("snaxum")).expect("the package");
        let module = files.find_map(|entry| {
            let path = entry.expect("an entry").path();
            path.extension().is_some_and(|extension| extension == "so").then_some(path)
        });
        let python = directory.join("bin/python").display().to_string();
        Self {
            file: module.expect("an extension module"),
            command: vec![python, "-m".to_owned(), "snaxum".to_owned()],
        }
    }

    /// Starts `snaxum serve` with these options; returns when it listens.
    pub(super) async fn serve(&self, project: Project, args: &[&str]) -> Server {
        let mut command = project.command(&self.command[0]);
        command.args(&self.command[1..]).arg("serve").args(args).args(project.arguments());
        let server = project.spawn_process(command);
        server.out.wait_for("listening on ").await;
        server
    }

    /// Replaces the file by a copy.
    pub(super) fn install(&self) {
        let aside = self.file.with_extension("new");
        fs::copy(&self.file, &aside).expect("a copy");
        fs::rename(&aside, &self.file).expect("a file");
    }

    /// Replaces the file by other bytes.
    pub(super) fn install_bytes(&self, bytes: &[u8]) {
        let aside = self.file.with_extension("new");
        fs::write(&aside, bytes).expect("a file");
        let mode = fs::metadata(&self.file).expect("it is there").permissions();
        fs::set_permissions(&aside, mode).expect("a file of ours");
        fs::rename(&aside, &self.file).expect("a file");
    }

    /// The bytes of the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.file).expect("a file")
    }

    /// Sets the version of the messages that a program has which starts from now on.
    pub(super) fn set_protocol(&self, version: u32) {
        let mut path = self.file.clone().into_os_string();
        path.push(".protocol");
        fs::write(path, version.to_string()).expect("a file");
    }

    /// Whether a process runs the file that is there now.
    pub(super) fn runs_in(&self, pid: u32) -> bool {
        let now = fs::metadata(&self.file).expect("a file").ino();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
        maps.lines().any(|line| line.split_whitespace().nth(4) == Some(&now.to_string()))
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("it is new");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_tree(&path, &copy);
        } else {
            fs::copy(path, copy).expect("a file");
        }
    }
}
