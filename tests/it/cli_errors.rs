//! Errors of the command line: bad options, bad directories, bad environments.

use std::net::TcpListener;

use super::cli::app;
use super::support::{Finished, Project};

/// One clear message, and no trace of the inside.
fn assert_is_one_message(finished: &Finished, parts: &[&str]) {
    let stderr = &finished.stderr;
    for inside in ["panicked", "RUST_BACKTRACE", "stack backtrace", "src/", "Os {"] {
        assert!(!stderr.contains(inside), "{stderr}");
    }
    assert!(stderr.starts_with("error: "), "{stderr:?}");
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
    }
    assert_eq!(finished.stdout, "");
}

// Bad input

#[tokio::test]
async fn a_directory_that_is_not_there_is_bad_usage() {
    for command in ["dev", "serve", "routes", "check"] {
        let finished = Project::new().snaxum(&[command, "nowhere"]).await;
        assert_eq!(finished.code, Some(2), "{command}");
        assert_is_one_message(&finished, &["no directory `nowhere`", "pass the directory"]);
    }
}

#[tokio::test]
async fn a_file_in_place_of_the_directory_is_bad_usage() {
    let finished = app().snaxum(&["serve", "python/app.py"]).await;

    assert_eq!(finished.code, Some(2));
    assert_is_one_message(&finished, &["no directory `python/app.py`"]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let project = app();
    let locked = project.path().join("locked");
    std::fs::create_dir(&locked).expect("a directory");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).expect("ours");
    if std::fs::read_dir(&locked).is_ok() {
        return; // root reads everything
    }

    let finished = project.snaxum(&["check", "locked"]).await;

    assert_eq!(finished.code, Some(1));
    assert_is_one_message(&finished, &["cannot read", "locked", "check its permissions"]);
}

#[tokio::test]
async fn a_pyproject_that_cannot_be_read_is_named() {
    let project = app();
    std::fs::create_dir(project.path().join("pyproject.toml")).expect("a directory");

    let finished = project.snaxum(&["check"]).await;

    assert_eq!(finished.code, Some(1));
    assert_is_one_message(&finished, &["cannot read", "pyproject.toml"]);
}

#[tokio::test]
async fn a_project_without_a_python_directory_is_an_error_with_the_remedy() {
    let project = Project::new();
    std::fs::remove_dir(project.path().join("python")).expect("it is empty");
    for command in ["dev", "serve", "check"] {
        let finished = project.snaxum(&[command]).await;
        assert_eq!(finished.code, Some(1), "{command}");
        assert_is_one_message(&finished, &["no python directory", "/python`", "--python-dir"]);
    }
}

#[tokio::test]
async fn a_python_directory_without_a_module_is_an_error_with_the_remedy() {
    let finished =
        Project::new().file("_private.py", "").file("notes.txt", "").snaxum(&["serve"]).await;

    assert_eq!(finished.code, Some(1));
    assert_is_one_message(&finished, &["no Python module in", "app.py", "@route"]);
}

#[tokio::test]
async fn a_missing_module_is_named_with_the_modules_that_exist() {
    let finished = app().snaxum(&["serve", "--module", "ap"]).await;

    assert_eq!(finished.code, Some(1));
    assert_is_one_message(&finished, &["no module `ap`", "there is app"]);
}

#[tokio::test]
async fn an_unknown_key_names_its_line_and_the_nearest_known_one() {
    let finished = app()
        .top_file(
            "pyproject.toml",
            "[project]\nname = \"x\"\n\n[tool.snaxum]\ndispatch-worker = 3\n",
        )
        .snaxum(&["serve"])
        .await;

    assert_eq!(finished.code, Some(1));
    assert_is_one_message(
        &finished,
        &[
            "pyproject.toml:5",
            "unknown key `tool.snaxum.dispatch-worker`",
            "did you mean `dispatch-workers`?",
        ],
    );
}

#[tokio::test]
async fn an_unknown_option_is_bad_usage_that_names_the_nearest_known_one() {
    let finished = app().snaxum(&["serve", "--dispatch-worker", "3"]).await;

    assert_eq!(finished.code, Some(2));
    assert!(
        finished.stderr.starts_with("error: ") && finished.stderr.contains("--dispatch-workers")
    );
}

#[tokio::test]
async fn a_bad_value_is_an_error_with_its_place_and_the_valid_range() {
    for (key, value, right) in [
        ("port", "70000", "from 0 to 65535"),
        ("port", "'http'", "from 0 to 65535"),
        ("host", "'example.org'", "an IP address"),
        ("pool-workers", "0", "from 1"),
        ("dispatch-workers", "-1", "from 1"),
        ("max-queue", "1.5", "from 1"),
        ("request-timeout", "'soon'", "seconds"),
        ("max-body-size", "'big'", "bytes"),
        ("module", "{ a = 1 }", "string"),
    ] {
        let finished = app()
            .top_file("pyproject.toml", &format!("[tool.snaxum]\n{key} = {value}\n"))
            .snaxum(&["serve"])
            .await;
        assert_eq!(finished.code, Some(1), "{key}");
        assert_is_one_message(&finished, &["pyproject.toml:2", &format!("`{key}`"), right]);
    }
    let broken = app().top_file("pyproject.toml", "[tool.snaxum\n").snaxum(&["serve"]).await;
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("pyproject.toml:1"), "{}", broken.stderr);
}

#[tokio::test]
async fn a_removed_option_or_value_names_its_replacement() {
    for (args, name, instead) in [
        (&["--except-path", "/x"][..], "routes --except-path", "select"),
        (&["--except-path=/x"], "routes --except-path", "select"),
        (&["--format", "csv"], "routes --format csv", "@csv"),
        (&["--format=ndjson"], "routes --format ndjson", "jq -c"),
    ] {
        let finished = app().snaxum(&[&["routes"], args].concat()).await;
        assert_eq!(finished.code, Some(2), "{args:?}");
        assert_is_one_message(&finished, &[name, "was removed", "--format json", instead]);
    }
    let other = app().snaxum(&["tail", "--format", "csv"]).await;
    assert_eq!(other.code, Some(2));
    assert!(!other.stderr.contains("was removed"), "{}", other.stderr);
}

#[tokio::test]
async fn a_bad_value_of_an_option_or_a_variable_is_bad_usage() {
    let option = app().snaxum(&["serve", "--port", "70000"]).await;
    assert_eq!(option.code, Some(2));
    assert!(
        option.stderr.contains("--port") && option.stderr.contains("from 0 to 65535"),
        "{}",
        option.stderr
    );

    let variable = app().env("SNAXUM_PORT", "70000").snaxum(&["serve"]).await;
    assert_eq!(variable.code, Some(2));
    assert_is_one_message(&variable, &["SNAXUM_PORT", "from 0 to 65535"]);
}

#[tokio::test]
async fn a_file_or_directory_that_is_not_there_is_named_with_its_place() {
    let file = app().snaxum(&["check", "--env-file", "no.env"]).await;
    assert_eq!(file.code, Some(2));
    assert_is_one_message(&file, &["`env-file`", "no.env`, which does not exist"]);

    let directory = app().top_file("pyproject.toml", "[tool.snaxum]\nwatch = [\"nowhere\"]\n");
    let directory = directory.snaxum(&["check"]).await;
    assert_eq!(directory.code, Some(1), "the project is at fault");
    assert_is_one_message(
        &directory,
        &["pyproject.toml:2: `watch`", "nowhere`, which does not exist"],
    );
    let replaced = app().top_file("pyproject.toml", "[tool.snaxum]\nenv-file = \"a.env\"\n");
    let replaced = replaced.snaxum(&["check", "--env-file", "b.env"]).await;
    assert_eq!(replaced.code, Some(2), "the command line wins");
    assert_is_one_message(&replaced, &["`env-file`", "b.env`, which does not exist"]);
}

#[tokio::test]
async fn an_env_file_that_cannot_be_read_is_named() {
    let project = app();
    std::fs::create_dir(project.path().join(".env")).expect("a directory in its place");
    for command in ["check", "serve"] {
        let finished = project.snaxum(&[command]).await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(finished.stderr.contains(".env"), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_variable_that_is_nearly_an_option_is_warned_of() {
    let finished = app().env("SNAXUM_PROT", "1").snaxum(&["check"]).await;

    assert_eq!(finished.code, Some(0));
    assert_eq!(finished.stderr, "warning: SNAXUM_PROT is not an option; did you mean `port`?\n");
}

#[tokio::test]
async fn no_command_and_an_unknown_one_are_bad_usage() {
    for args in [&[][..], &["sreve"][..]] {
        let finished = app().snaxum(args).await;
        assert_eq!(finished.code, Some(2), "{args:?}");
        assert!(
            finished.stderr.contains("Usage:") || finished.stderr.contains("serve"),
            "{}",
            finished.stderr
        );
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_line_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    for command in ["serve", "dev"] {
        let finished = app().snaxum(&[command, "--port", &port]).await;
        assert_eq!(finished.code, Some(1), "{command}");
        assert_is_one_message(&finished, &["is taken", &port, "--port"]);
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    }
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_named() {
    let finished = app().snaxum(&["serve", "--host", "192.0.2.1"]).await;

    assert_eq!(finished.code, Some(1));
    assert_is_one_message(&finished, &["cannot listen on 192.0.2.1", "--host"]);
}

#[tokio::test]
async fn a_venv_of_another_python_names_both_versions_and_the_way_out() {
    let project = app()
        .top_file(".venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.7.9\n")
        .top_file(".venv/bin/python", "");
    for command in ["dev", "serve", "check"] {
        let finished = project.snaxum(&[command]).await;
        assert_eq!(finished.code, Some(1), "{command}");
        assert_is_one_message(&finished, &["is of Python 3.7", "built for 3.", "PYO3_PYTHON="]);
    }
}

#[tokio::test]
async fn a_damaged_venv_is_named_with_the_way_out() {
    for (file, content, problem) in [
        ("lib/x", "", "pyvenv.cfg"),
        ("pyvenv.cfg", "home = /usr/bin\n", "names no version"),
        (
            "pyvenv.cfg",
            &*format!("version = {}\n", snaxum::build_info::BUILD_VERSION),
            "does not exist",
        ),
    ] {
        let finished = app().top_file(&format!(".venv/{file}"), content).snaxum(&["serve"]).await;
        assert_eq!(finished.code, Some(1), "{file}");
        assert_is_one_message(
            &finished,
            &["is not a usable virtual environment", problem, "remove it"],
        );
    }
}
