//! Leaves the table of symbols out of a release: this package has a section of its own in its profile, and of such a package
//! cargo forgets `strip`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // `profiling` is a release with debug information, and keeps its names.
    if is("PROFILE", "release") && is("DEBUG", "false") {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    }
}
