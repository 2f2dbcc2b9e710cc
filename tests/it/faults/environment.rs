//! The environment of the process: variables in `.env`, paths, links, and the Python in use.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use snaxum::build_info::BUILD_PYTHON;

use crate::support::{Project, snaxum};

const VARIABLES: &str = "import os
from snaxum import route

@route('/')
def index(request):
    return {name: os.environ.get(name) for name in os.environ if name.startswith('T_')}
";

/// As people write it: Latin-1 and CRLF in places, with lines without an assignment.
const ENV_FILE: &[u8] = b"\xef\xbb\xbfT_BOM=first
T_QUOTE=it's
T_JSON={\"a\": 1}\r
T_WIN=C:\\Users\\new
T_SPACED = padded
T_my-key.name=dashed
hunter2 is the password
T_CAFE=caf\xe9
# caf\xe9
export T_EXPORT='exported'
T_URL=http://${T_BOM}/${T_MISSING:-y}
T_LINES=\"one
two\" # comment
T_DOLLAR=a$b
T_OPEN='never closed
T_LAST=last";

#[tokio::test]
async fn an_env_file_as_people_write_it_costs_only_the_lines_without_a_meaning() {
    let project = Project::new().file("app.py", VARIABLES);
    fs::write(project.path().join(".env"), ENV_FILE).expect("a file");

    let check = project.snaxum(&["check"]).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    for line in [7, 8, 15] {
        assert!(check.stderr.contains(&format!("warning: .env:{line} is not")), "{}", check.stderr);
    }
    assert_eq!(check.stderr.matches("warning:").count(), 3, "{}", check.stderr);
    assert!(!check.stderr.contains("hunter2"), "{}", check.stderr);

    let server = project.serve().await;
    let expected = serde_json::json!({
        "T_BOM": "first",
        "T_QUOTE": "it's",
        "T_JSON": "{\"a\": 1}",
        "T_WIN": "C:\\Users\\new",
        "T_SPACED": "padded",
        "T_my-key.name": "dashed",
        "T_EXPORT": "exported",
        "T_URL": "http://first/y",
        "T_LINES": "one\ntwo",
        "T_DOLLAR": "a$b",
        "T_LAST": "last",
    });
    assert_eq!(server.get("/").await.json(), expected);
    server.err.wait_for(".env:7 is not NAME=value").await;
}

#[tokio::test]
async fn user_code_cannot_read_what_its_process_takes_over() {
    let app = "import os, subprocess\nfrom snaxum import route\n\n@route('/')\n\
               def index(request):\n    \
                   inherited = subprocess.run(['env'], capture_output=True, text=True).stdout\n    \
                   return [name for name in [*os.environ, *inherited.split()] if 'TAKE_OVER' in name]\n";
    let server = Project::new().file("app.py", app).dev().await;
    assert_eq!(server.get("/").await.text(), "[]");
    let restarted = server.project.snaxum(&["restart"]).await;
    assert_eq!(restarted.code, Some(0), "{}", restarted.stderr);
    assert_eq!(server.get("/").await.text(), "[]");
}

#[tokio::test]
async fn a_link_in_the_state_directory_is_an_error_and_is_not_followed() {
    for (link, is_file) in [
        (".snaxum", false),
        (".snaxum/python", false),
        (".snaxum/python/snaxum", false),
        (".snaxum/.gitignore", true),
        (".snaxum/dev.json", true),
    ] {
        let outside = tempfile::tempdir().expect("a temporary directory");
        fs::write(outside.path().join("__init__.py"), "precious").expect("a file");
        fs::write(outside.path().join("dev.json"), "precious").expect("a file");
        let project = Project::new().file("app.py", VARIABLES);
        let place = project.path().join(link);
        fs::create_dir_all(place.parent().expect("it is in the project")).expect("directories");
        let target =
            if is_file { outside.path().join("__init__.py") } else { outside.path().to_owned() };
        symlink(target, &place).expect("a link");

        let finished = project.snaxum(&["dev", "--port", "0"]).await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        let message = format!("{link}` is a symbolic link");
        assert!(finished.stderr.contains(&message), "{}", finished.stderr);
        assert!(place.is_symlink(), "{link} is in place");
        for name in ["__init__.py", "dev.json"] {
            let content = fs::read_to_string(outside.path().join(name)).expect("a file");
            assert_eq!(content, "precious", "{link} {name}");
        }
        assert_eq!(fs::read_dir(outside.path()).expect("it exists").count(), 2, "{link}");
    }
}

#[tokio::test]
async fn a_project_path_that_is_not_utf8_is_refused_in_one_line() {
    let project = Project::new();
    let dir = project.path().join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir_all(dir.join("python")).expect("directories");
    fs::write(dir.join("python/app.py"), VARIABLES).expect("a file");
    for command in ["check", "serve", "dev", "routes"] {
        for argument in [dir.as_path(), Path::new(".")] {
            let mut process = project.command(&snaxum());
            process.arg(command).arg(argument).current_dir(&dir);
            let output = process.output().await.expect("the binary starts");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{command}: {stderr}");
            assert!(stderr.starts_with("error: the path `") && stderr.contains("is not UTF-8"));
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
    }
}

/// Reads a file whose name is not UTF-8, and fails with it.
const READER: &str = "import os
from snaxum import route

HERE = os.fsencode(os.path.dirname(__file__))
with open(os.path.join(HERE, b'caf\\xe9.txt')) as file:
    TEXT = file.read()

@route('/')
def index(request):
    return TEXT

@route('/boom')
def boom(request):
    open(os.path.join(HERE, b'n\\xe4da.txt'))
";

#[tokio::test]
async fn files_whose_names_are_not_utf8_can_be_read() {
    let project = Project::new().file("app.py", READER);
    let file = project.path().join("python").join(OsStr::from_bytes(b"caf\xe9.txt"));
    fs::write(&file, "one").expect("a file");
    let mut server = project.dev().await;
    assert_eq!(server.get("/").await.text(), "one");
    assert_eq!(server.get("/boom").await.status, 500);
    server.edit("app.py", &READER.replace("return TEXT", "return TEXT + '!'"));
    assert_eq!(server.get("/").await.text(), "one!");
    assert!(server.stop().await.success());
}

const BESIDE: &str = "from snaxum import route

def task():
    return 'pool'

@route('/sync')
def sync(request):
    return 'sync'

@route('/async')
async def asynchronous(request):
    import asyncio
    await asyncio.sleep(0)
    return 'async'

@route('/pool', use_process_pool=True)
def pool(request, pool):
    return pool.submit(task).result()

@route('/stream')
def stream(request):
    yield 'stream'

@route('/boom')
def boom(request):
    raise ValueError('boom')
";

#[tokio::test]
async fn a_module_named_like_one_of_the_standard_library_is_refused_and_the_rest_serves() {
    let names = std::process::Command::new(BUILD_PYTHON)
        .args(["-c", "import sys; print(*sorted(sys.stdlib_module_names))"])
        .output()
        .expect("the Python of the build runs");
    let names = String::from_utf8(names.stdout).expect("ASCII");
    let names: Vec<&str> = names.split_whitespace().collect();
    assert!(names.len() > 200, "{names:?}");
    let mut project = Project::new().file("zz_app.py", BESIDE).args(&["--pool-workers", "1"]);
    for name in &names {
        project = project.file(&format!("{name}.py"), "raise RuntimeError('not the real one')\n");
    }

    let check = project.snaxum(&["check"]).await;
    assert_eq!(check.code, Some(1));
    for name in names.iter().filter(|name| !name.starts_with(['_', 't'])) {
        let sentence = format!(
            "`python/{name}.py` has the name of a module of the standard library, which comes \
             first; rename the file"
        );
        assert!(check.stderr.contains(&sentence), "{name}: {}", check.stderr);
    }
    assert!(!check.stderr.contains("not the real one"), "{}", check.stderr);

    // Also for the processes that start in the directory of these files.
    let python = project.path().join("python");
    let mut process = project.command(&snaxum());
    process.args(["dev", "..", "--port", "0", "--pool-workers", "1", "--reload-wait", "30"]);
    process.current_dir(&python);
    let mut server = project.spawn_process(process).ready().await;
    for round in ["sync", "reloaded"] {
        assert_eq!(server.get("/sync").await.text(), round);
        for path in ["async", "pool", "stream"] {
            assert_eq!(server.get(&format!("/{path}")).await.text(), path);
        }
        let failed = server.get("/boom").await;
        assert_eq!(failed.status, 500);
        server.edit("zz_app.py", &BESIDE.replace("'sync'", "'reloaded'"));
    }
    assert!(server.stop().await.success());
}
