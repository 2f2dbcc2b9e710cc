//! Saves of a program: good ones, broken ones, and saves during a build.

use super::{PROGRAM, project, responding, save, save_file, serving, text_of};

#[tokio::test]
async fn a_save_is_live_and_a_broken_one_leaves_the_last_good_program_serving() {
    let server = serving(PROGRAM).await;
    assert_eq!(text_of(&server).await, "one");

    save(&server, &responding("two"));
    server.out.wait_for_lines("↻ v1", 1).await;
    assert_eq!(text_of(&server).await, "two");

    save(&server, &responding("three").replace("fn main() {", "fn main() { let x: u32 = \"x\";"));
    server.out.wait_for("error[E0308]: mismatched types").await;
    server.out.wait_for("version 1 is still serving").await;
    server.out.wait_for("expected `u32`, found `&str`").await;
    assert_eq!(text_of(&server).await, "two");

    save(&server, &responding("four"));
    server.out.wait_for_lines("↻ v1", 2).await;
    assert_eq!(text_of(&server).await, "four");
    assert!(server.out.text().contains("fixed after"), "{}", server.out.text());
}

#[tokio::test]
async fn a_first_build_that_fails_is_a_page_with_its_errors_until_a_program_serves() {
    let mut server = project("fn main() { name; }").spawn("dev");
    let line = server.out.wait_for("shows the errors until a program serves").await;
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("a URL");
    server.url = url.to_owned();

    let reply = server.get("/anything").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    let raised = &reply.json()["traceback"];
    assert_eq!(raised["type"], "error[E0425]");
    assert_eq!(
        (&raised["frames"][0]["file"], &raised["frames"][0]["line"]),
        (&"src/main.rs".into(), &1.into())
    );
    assert!(server.announcement().is_none(), "no server is there that tools could ask");

    save(&server, PROGRAM);
    server.out.wait_for("version 1 live").await;
    assert_eq!(text_of(&server).await, "one");
    assert!(server.announcement().is_some());
}

#[tokio::test]
async fn a_save_of_a_path_dependency_or_of_an_included_file_is_live_and_others_build_nothing() {
    let with_file = responding("x").replace("\"x\"", "include_str!(\"../text.txt\")");
    let library = "library/src/lib.rs";
    let server = project(&with_file).top_file("text.txt", "one").spawn("dev");
    server.out.wait_for("version 1 live").await;
    let server = server.announced();
    assert_eq!(text_of(&server).await, "one");

    save_file(&server, "README.md", "for people");
    save_file(&server, "text.txt", "two");
    server.out.wait_for_lines("↻ v1", 1).await;
    assert_eq!(text_of(&server).await, "two");
    server.out.wait_for("text.txt").await;
    assert!(!server.out.text().contains("README"), "{}", server.out.text());

    // Nothing of it is in the program.
    save_file(&server, library, "// a comment");
    server.out.wait_for("nothing to reload: the program is the same as before").await;
    save_file(&server, library, "pub const NEW: u32 = ");
    server.out.wait_for("library/src/lib.rs:1").await;
    assert_eq!(text_of(&server).await, "two");
}

#[tokio::test]
async fn the_files_that_a_build_script_makes_are_not_a_save() {
    let script = r#"
        fn main() {
            let path = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("made.rs");
            std::fs::write(path, format!("// {:?}\n", std::time::SystemTime::now())).unwrap();
        }
    "#;
    let including =
        |text: &str| responding(text) + "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));";
    let server = project(&including("one")).top_file("build.rs", script).spawn("dev");
    server.out.wait_for("version 1 live").await;
    let server = server.announced();

    for (count, text) in ["two", "three"].iter().enumerate() {
        save(&server, &including(text));
        server.out.wait_for_lines("↻ v1", count + 1).await;
        assert_eq!(text_of(&server).await, *text);
    }
    assert!(!server.out.text().contains("more"), "{}", server.out.text());
    assert!(!server.out.text().contains("made.rs"), "{}", server.out.text());
}

#[tokio::test]
async fn a_save_during_a_build_cancels_it() {
    let endless = "fn main() { loop { std::thread::sleep(std::time::Duration::from_secs(1)); } }";
    let server = serving(PROGRAM).await;

    save_file(&server, "build.rs", endless);
    let manifest = super::MANIFEST.replace("[dependencies]", "[dependencies] # again");
    let started = |text: &str| text.matches("build-script-build").count();
    assert_eq!(started(&server.out.text()), 0);
    super::bad_input::build_script(&server).await;
    save_file(&server, "Cargo.toml", &manifest);
    save_file(&server, "build.rs", "fn main() {}");
    save(&server, &responding("two"));

    server.out.wait_for("↻ v1").await;
    assert_eq!(text_of(&server).await, "two");
}
