//! The README and the book in `docs/`: their programs run, their commands exist, their links lead
//! somewhere.
//!
//! Rust blocks are doc tests of the crate. A Python block begins with its path, and becomes a file
//! of the page's project, as does a template or style sheet; a `console` block has requests, and the bodies
//! that they get. A block after the first request is a save while the server is running. The tests of a page
//! run at its end.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;

use super::invariants::sources;
use super::support::{Project, Server, send};

/// A fenced block: its language, and its lines.
struct Block {
    language: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the path and the text of the README and of each page of the book.
fn pages() -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root().join("docs")).expect("the book is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.push(root().join("README.md"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Splits a page into its prose and its blocks.
fn parts(page: &str) -> (String, Vec<Block>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += &format!("{line}\n");
                open = Some(block);
            }
            (None, None) => prose += &format!("{line}\n"),
        }
    }
    assert!(open.is_none(), "a block does not end");
    (prose, blocks)
}

/// Pages with parts of programs, in `py` blocks that do not run.
const FRAGMENTS: [(&str, usize); 4] =
    [("applications.md", 1), ("bodies.md", 2), ("from-flask.md", 1), ("serving.md", 2)];

/// Pages whose programs import packages.
const WITH_PACKAGES: [&str; 2] = ["templates.md", "testing.md"];

#[tokio::test]
async fn the_programs_of_each_page_run_as_they_are_written() {
    for (path, page) in pages() {
        let (_, blocks) = parts(&page);
        let count =
            |language: &str| blocks.iter().filter(|block| block.language == language).count();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        let fragments = FRAGMENTS.iter().find(|(page, _)| *page == name).map_or(0, |found| found.1);
        assert_eq!(count("py"), fragments, "{name}: only `python` blocks run");
        if count("console") > 0 {
            let project = Project::new();
            let has_packages = WITH_PACKAGES.contains(&name);
            let project = if has_packages { project.packages() } else { project };
            run(&path, project, blocks).await;
        } else {
            assert_eq!(
                count("python"),
                0,
                "{name}: its programs do not run without a `console` block"
            );
        }
    }
}

/// Returns the path that the comment in the first line of a block names.
fn file_of(block: &Block) -> Option<&str> {
    let first = block.text.lines().next()?;
    let file = match &*block.language {
        "python" => first.strip_prefix("# ")?,
        "html" => first.strip_prefix("{# ")?.strip_suffix(" #}")?,
        "css" => first.strip_prefix("/* ")?.strip_suffix(" */")?,
        _ => return None,
    };
    file.contains('/').then_some(file)
}

async fn run(page: &Path, project: Project, blocks: Vec<Block>) {
    let mut project = Some(project);
    let mut server: Option<Server> = None;
    let has_tests = blocks.iter().filter_map(file_of).any(|file| file.starts_with("tests/"));
    for block in blocks {
        match (&*block.language, file_of(&block)) {
            (_, Some(file)) => match &server {
                // Paths of saves begin in `python/`.
                Some(server) => server.edit(&format!("../{file}"), &block.text),
                None => project = project.map(|project| project.top_file(file, &block.text)),
            },
            ("python", None) => {
                panic!("{}: a block names no file:\n{}", page.display(), block.text)
            }
            ("console", _) => {
                if let Some(project) = project.take() {
                    server = Some(project.dev().await);
                }
                let server = server.as_ref().expect("it has just started");
                let waited = server.project.snaxum(&["wait"]).await;
                assert_eq!(waited.code, Some(0), "{}: {}", page.display(), waited.stderr);
                check_requests(page, server, &block.text).await;
            }
            _ => {}
        }
    }
    if has_tests {
        let server = server.expect("the page has requests");
        let tested = server.project.snaxum(&["test"]).await;
        let output = tested.stdout + &tested.stderr;
        assert!(
            tested.code == Some(0) && output.contains(" passed in "),
            "{}: {output}",
            page.display()
        );
    }
}

/// Sends each `$ curl [--json BODY] [-F NAME=VALUE] [-F NAME=@FILE] URL`, and compares the response
/// with the lines below it. A file has 10,000 bytes.
async fn check_requests(page: &Path, server: &Server, text: &str) {
    for request in text.split("$ curl ").skip(1) {
        let (command, expected) = request.split_once('\n').expect("a response follows");
        let (kind, body, url) = if let Some(rest) = command.strip_prefix("--json '") {
            let (body, url) = rest.split_once("' ").expect("a URL follows the body");
            ("application/json", Some(body.to_owned()), url)
        } else if command.starts_with("-F ") {
            let (parts, url) = command.rsplit_once(' ').expect("a URL follows the parts");
            ("multipart/form-data; boundary=XX", Some(form(parts)), url)
        } else {
            ("", None, command)
        };
        let path = url.strip_prefix("http://127.0.0.1:3000").expect("the default address");
        let request = match body {
            Some(body) => {
                server.request(Method::POST, path).header("content-type", kind).body(body)
            }
            None => server.request(Method::GET, path),
        };
        let reply = send(request).await;
        assert_eq!(reply.text().trim(), expected.trim(), "{}: {command}", page.display());
    }
}

/// Writes the parts that `-F NAME=VALUE -F NAME=@FILE` sends.
fn form(arguments: &str) -> String {
    let mut body = String::new();
    for part in arguments.split("-F ").skip(1) {
        let (name, value) = part.trim().split_once('=').expect("a name and a value");
        let (filename, content) = match value.strip_prefix('@') {
            Some(filename) => (format!("; filename={filename}"), "x".repeat(10_000)),
            None => (String::new(), value.to_owned()),
        };
        body += &format!("--XX\r\nContent-Disposition: form-data; name={name}{filename}\r\n\r\n");
        body += &format!("{content}\r\n");
    }
    body + "--XX--\r\n"
}

#[tokio::test]
async fn each_command_and_option_in_the_docs_exists() {
    let project = Project::new();
    let help = project.snaxum(&["--help"]).await.stdout;
    let mut options: HashMap<String, BTreeSet<String>> = HashMap::new();
    for command in help.lines().filter_map(|line| line.strip_prefix("  ")) {
        let Some(name) = command.split_whitespace().next() else { continue };
        if command.starts_with(char::is_lowercase) && name != "help" {
            options.insert(name.to_owned(), flags(&project.snaxum(&[name, "--help"]).await.stdout));
        }
    }
    let all: BTreeSet<String> = options.values().flatten().cloned().collect();
    for (path, page) in pages() {
        let (prose, blocks) = parts(&page);
        for block in blocks.iter().filter(|block| block.language == "sh") {
            let text = block.text.replace("cargo run --", "snaxum");
            let commands = text.lines().filter_map(|line| line.strip_prefix("snaxum "));
            for command in commands {
                let command = command.split(['#', '|', '&', '>']).next().unwrap_or_default();
                let name = command.split_whitespace().next().unwrap_or_default();
                let known = options.get(name);
                let known = known.unwrap_or_else(|| panic!("{}: snaxum {name}", path.display()));
                for flag in flags(command) {
                    assert!(known.contains(&flag), "{}: {command}: {flag}", path.display());
                }
            }
        }
        let codes = prose.split('`').skip(1).step_by(2);
        for code in codes.filter(|code| code.starts_with("snaxum") || code.starts_with("--")) {
            for flag in flags(code) {
                assert!(all.contains(&flag), "{}: `{code}`: no {flag}", path.display());
            }
        }
    }
    let configuration = read(&root().join("docs/configuration.md"));
    for name in snaxum::config::OPTIONS.iter().map(|option| option.name) {
        assert!(configuration.contains(&format!("`{name}`")), "docs/configuration.md: no {name}");
    }
}

/// Returns the long options in a text.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.trim_end_matches('-').to_owned())
        .collect()
}

#[test]
fn each_page_is_in_the_book() {
    let summary = read(&root().join("docs/SUMMARY.md"));
    let listed: BTreeSet<String> = links(&summary).into_iter().collect();
    let pages: BTreeSet<String> = pages()
        .iter()
        .filter(|(path, _)| path.starts_with(root().join("docs")))
        .map(|(path, _)| path.file_name().expect("a name").to_string_lossy().into_owned())
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, pages);
}

#[test]
fn each_fault_names_a_test_that_is_there() {
    let tests: Vec<String> = ["src", "tests/it"]
        .iter()
        .flat_map(|top| sources(top, "rs"))
        .map(|(_, text)| text)
        .collect();
    let page = read(&root().join("docs/faults.md"));
    let mut count = 0;
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| [");
    for row in page.lines().filter(is_row) {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().expect("a cell");
        for name in last.split('`').skip(1).step_by(2) {
            count += 1;
            if name.ends_with(".py") {
                assert!(root().join(name).exists(), "{name} does not exist");
                continue;
            }
            let test = format!("fn {}(", name.rsplit("::").next().expect("a name"));
            assert!(tests.iter().any(|text| text.contains(&test)), "no test {name}");
        }
    }
    assert!(count > 50, "{count} tests");
}

#[test]
fn each_link_and_anchor_in_the_docs_leads_somewhere() {
    let others = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"];
    let others = others.map(|name| root().join(name)).map(|path| (path.clone(), read(&path)));
    for (path, page) in pages().into_iter().chain(others) {
        for link in links(&parts(&page).0) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                _ => path.parent().expect("it is in a directory").join(file),
            };
            assert!(target.exists(), "{}: {link}", path.display());
            let headings: Vec<String> = match anchor {
                "" => continue,
                _ => parts(&read(&target)).0.lines().filter_map(heading_id).collect(),
            };
            assert!(
                headings.iter().any(|id| id == anchor),
                "{}: {link}: {headings:?}",
                path.display()
            );
        }
    }
}

fn links(text: &str) -> Vec<String> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// Returns the anchor of a heading, as GitHub and mdBook make it.
fn heading_id(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().replace(' ', "-"))
}
