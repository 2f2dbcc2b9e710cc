//! Lets the program find the libpython it was built against: the three lines that "Embedding" in
//! the README asks for.

fn main() {
    let directory = std::env::var("DEP_SNAXUM_LIBPYTHON_DIR").expect("snaxum exports it");
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{directory}");
}
