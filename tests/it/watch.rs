//! Saves by editors, tools and git, and file systems without events.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::support::{Console, Project, Server, app_returning};

/// A server whose requests wait for a reload, however slow the machine is.
pub(crate) async fn app() -> (Server, Console) {
    let project =
        Project::new().file("app.py", &app_returning("one")).args(&["--reload-wait", "1h"]);
    let server = project.dev().await;
    let console = server.console().await;
    (server, console)
}

/// There have been so many reloads after the start.
pub(crate) async fn assert_reloads(server: &Server, count: usize) {
    let all = server.api("reloads").await;
    let all = all.as_array().expect("a list").iter().filter(|reload| reload["cause"] != "start");
    let all: Vec<_> = all.map(|reload| (&reload["outcome"], &reload["files"])).collect();
    assert_eq!(all.len(), count, "{all:?}");
}

/// Makes a change that counts: nothing before was one.
pub(crate) async fn assert_nothing_reloaded(server: &Server, console: &mut Console) {
    server.edit("app.py", &app_returning("marked"));
    console.next_of_type("reload.ok").await;
    assert_reloads(server, 1).await;
}

#[tokio::test]
async fn an_edit_of_equal_size_in_the_same_second_is_one() {
    let (server, _) = app().await;
    for n in 10..30 {
        server.edit("app.py", &app_returning(&format!("{n}")));
        assert_eq!(server.get("/").await.text(), format!("{n}"));
    }
}

#[tokio::test]
async fn a_file_that_is_older_than_the_one_it_replaces_is_a_change() {
    let (server, mut console) = app().await;
    let aside = server.project.path().join("old.py");
    fs::write(&aside, app_returning("old")).expect("a file");
    let long_ago = SystemTime::now() - Duration::from_secs(1_000_000);
    fs::File::open(&aside).and_then(|file| file.set_modified(long_ago)).expect("a time");

    // As `cp -p`, `rsync -t` and a checkout of an old commit do.
    fs::rename(&aside, server.python("app.py")).expect("a move");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "old");
}

#[tokio::test]
async fn a_time_stamp_that_jumps_is_not_a_change() {
    let (server, mut console) = app().await;
    for offset in [0, 1_000_000] {
        for time in [
            SystemTime::now() - Duration::from_secs(offset),
            SystemTime::now() + Duration::from_secs(offset),
        ] {
            fs::File::open(server.python("app.py"))
                .and_then(|file| file.set_modified(time))
                .expect("a time");
        }
    }
    assert_nothing_reloaded(&server, &mut console).await;
}

#[tokio::test]
async fn a_file_that_is_emptied_first_and_written_later_never_serves_nothing() {
    let (server, mut console) = app().await;

    let mut file = fs::File::create(server.python("app.py")).expect("it is emptied");
    let early = server.begin("/");
    let text = app_returning("two");
    let (first, rest) = text.split_at(text.len() / 2);
    file.write_all(first.as_bytes()).expect("half of it");
    file.write_all(rest.as_bytes()).expect("the rest");
    drop(file);
    console.next_of_type("reload.ok").await;

    assert_eq!(early.await.expect("a response").status, 200);
    assert_eq!(server.get("/").await.text(), "two");
    assert_reloads(&server, 1).await;
}

#[tokio::test]
async fn a_file_that_is_emptied_and_stays_empty_is_taken_as_it_is() {
    let server = Project::new()
        .file("app.py", &app_returning("one"))
        .file("more.py", &app_returning("more").replace("'/'", "'/more'"))
        .dev()
        .await;
    let mut console = server.console().await;

    server.edit("more.py", "");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/more").await.status, 404);
    assert_eq!(server.get("/").await.text(), "one");
}

#[tokio::test]
async fn a_writer_that_never_closes_its_file_does_not_block_reloads() {
    let (server, mut console) = app().await;
    let mut file = fs::OpenOptions::new().append(true).open(server.python("app.py")).expect("it");

    file.write_all(b"\n\n@route('/more')\ndef more(request):\n    return 'more'\n").expect("more");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/more").await.text(), "more");
    drop(file);
}

#[tokio::test]
async fn the_saves_of_editors_are_one_change_each() {
    let (server, mut console) = app().await;
    let path = |name: &str| server.python(name);
    let write = |name: &str, text: &str| fs::write(path(name), text).expect("a file");
    let rename = |from: &str, to: &str| fs::rename(path(from), path(to)).expect("a move");
    let remove = |name: &str| fs::remove_file(path(name)).expect("it is there");

    // vim: tries whether it may write, moves the old file away, writes, removes the backup.
    write("4913", "");
    remove("4913");
    rename("app.py", "app.py~");
    write("app.py", &app_returning("vim"));
    remove("app.py~");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "vim");

    // JetBrains.
    write("app.py___jb_tmp___", &app_returning("jetbrains"));
    rename("app.py", "app.py___jb_old___");
    rename("app.py___jb_tmp___", "app.py");
    remove("app.py___jb_old___");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "jetbrains");

    // Emacs: a lock that is a link to nowhere, and a copy of the unsaved text.
    symlink("me@machine.1:2", path(".#app.py")).expect("a link");
    write("#app.py#", "def oops(:");
    write("app.py", &app_returning("emacs"));
    remove(".#app.py");
    remove("#app.py#");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "emacs");

    // A temporary file that is moved over the old one.
    write("app.py.tmp", &app_returning("atomic"));
    rename("app.py.tmp", "app.py");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "atomic");

    assert_reloads(&server, 4).await;
}

#[tokio::test]
async fn a_file_that_is_replaced_again_and_again_is_still_watched() {
    let (server, mut console) = app().await;
    for n in 0..10 {
        fs::remove_file(server.python("app.py")).expect("it is there");
        server.edit("app.py", &app_returning(&format!("version {n}")));
        console.next_of_type("reload.ok").await;
        assert_eq!(server.get("/").await.text(), format!("version {n}"));
    }
    assert_reloads(&server, 10).await;
}

#[tokio::test]
async fn a_file_that_is_removed_and_put_back_at_once_has_not_changed() {
    let (server, mut console) = app().await;
    fs::rename(server.python("app.py"), server.python("app.py~")).expect("a move");
    fs::rename(server.python("app.py~"), server.python("app.py")).expect("a move");
    assert_nothing_reloaded(&server, &mut console).await;
}

#[tokio::test]
async fn a_burst_of_saves_ends_with_the_last_one() {
    let (server, _) = app().await;
    for n in 0..100 {
        server.edit("app.py", if n % 2 == 0 { "def oops(:" } else { "" });
        server.edit("app.py", &app_returning(&format!("version {n}")));
    }
    assert_eq!(server.get("/").await.text(), "version 99");
    assert_eq!(server.api("status").await["state"], "ok");
}

#[tokio::test]
async fn saves_of_other_files_during_a_reload_join_it_with_the_newest_content() {
    let app = "from _other import *\n";
    let project =
        Project::new().gate().file("_other.py", &app_returning("one")).file("app.py", app);
    let server = project.dev().await;
    let mut console = server.console().await;
    server.edit("app.py", &format!("{app}import _gate\n_gate.wait('import')\n"));
    let held = server.arrival().await;

    server.edit("_other.py", "def oops(:");
    server.edit("_other.py", &app_returning("three"));
    server.edit("_other.py", &app_returning("four"));
    held.open().await;
    server.arrival().await.open().await; // the reload begins again
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "four");
    assert_reloads(&server, 1).await;
}

#[tokio::test]
async fn a_checkout_is_one_reload_when_git_is_done() {
    let server = Project::new().file("app.py", &app_returning("one")).dev().await;
    let mut console = server.console().await;
    let lock = server.project.path().join(".git/index.lock");
    fs::create_dir(server.project.path().join(".git")).expect("a directory");

    fs::write(&lock, "").expect("a file");
    server.edit("app.py", &app_returning("two"));
    assert_eq!(server.get("/").await.text(), "one", "it does not wait long");
    for n in 0..200 {
        server.edit(&format!("many/m{n}.py"), "x = 1\n");
    }
    server.edit("app.py", &app_returning("three"));
    fs::remove_file(&lock).expect("it is there");
    console.next_of_type("reload.ok").await;

    assert_eq!(server.get("/").await.text(), "three");
    assert_reloads(&server, 1).await;
}

#[tokio::test]
async fn ten_thousand_files_are_one_reload_and_the_next_request_sees_it() {
    const FILES: usize = 10_000;
    let source = |text: &str| {
        app_returning(text)
            .replace(
                "from snaxum import route\n",
                "from snaxum import route\nfrom many import m7\n",
            )
            .replace(&format!("{text:?}"), &format!("{text:?} + m7.X"))
    };
    let server = Project::new()
        .file("app.py", &source("one "))
        .file("many/__init__.py", "")
        .file("many/m7.py", "X = '0'\n")
        .args(&["--reload-wait", "1h"])
        .dev()
        .await;
    let mut console = server.console().await;
    let write_all = |x: &str, app: &str| {
        for n in 0..FILES {
            server.edit(&format!("many/m{n}.py"), &format!("X = '{x}'\n"));
        }
        server.edit("app.py", &source(app));
    };

    // All events of the kernel come at once, or an overflow.
    server.suspend();
    write_all("1", "two ");
    server.resume();
    assert_eq!(server.get("/").await.text(), "two 1");
    console.next_of_type("reload.ok").await;
    assert_reloads(&server, 1).await;

    // It comes while the server runs, and the lock of git shows when it is done.
    let lock = server.project.path().join(".git/index.lock");
    fs::create_dir(server.project.path().join(".git")).expect("a directory");
    fs::write(&lock, "").expect("a file");
    write_all("2", "three ");
    fs::remove_file(&lock).expect("it is there");
    console.next_of_type("reload.ok").await;
    assert_eq!(server.get("/").await.text(), "three 2");
    assert_reloads(&server, 2).await;

    // Nothing shows the end: there may be several reloads, and the last has the newest code.
    write_all("3", "four ");
    assert_eq!(server.get("/").await.text(), "four 3");
    assert_eq!(server.api("status").await["state"], "ok");
}
