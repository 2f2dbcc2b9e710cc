//! Lets the programs find the libpython it was built against, as docs/embed.md explains.

fn main() {
    let directory = std::env::var("DEP_SNAXUM_LIBPYTHON_DIR").expect("snaxum exports it");
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{directory}");
}
