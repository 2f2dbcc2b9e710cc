//! Lets the program find the libpython that it was built with.

fn main() {
    let directory = std::env::var("DEP_SNAXUM_LIBPYTHON_DIR").expect("snaxum exports it");
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{directory}");
}
