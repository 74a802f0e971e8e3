//! The executables under test, found beside the test's own.
//!
//! Cargo builds the binaries of a package before its own tests, and not those of other packages. So a
//! suite here could drive yesterday's supervisor; each binary is therefore compared with its sources.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::SystemTime;

const MEND: &str = "run `cargo build --workspace --bins` first, as scripts/test does";

/// The path of the `supervisor` executable of this build.
pub fn supervisor() -> PathBuf {
    find("supervisor")
}

/// The path of the default `worker` executable of this build.
pub fn worker() -> PathBuf {
    find("worker")
}

/// The worker that misbehaves on request.
pub fn rogue_worker() -> PathBuf {
    find("rogue_worker")
}

/// The worker whose workflows, in Rust, declare limits.
pub fn declaring_worker() -> PathBuf {
    find("declaring_worker")
}

/// The worker whose workflow says itself when it runs.
pub fn stamping_worker() -> PathBuf {
    find("stamping_worker")
}

/// The program of `scripts/bench`.
pub fn bench() -> PathBuf {
    find("bench")
}

/// A file or folder of this repository, by its path from the root.
pub fn repository(path: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).join(path)
}

/// Runs the storm of `scripts/chaos` to its end. What it says is told at once, so that a test that is ended from
/// outside has said its seed and how far it came.
///
/// # Errors
/// When the storm could not be run, or its words not be read.
pub fn chaos(arguments: &[&str]) -> io::Result<(ExitStatus, String)> {
    let mut storm = Command::new(find("chaos")).args(arguments).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    for line in storm.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line?;
        writeln!(io::stdout().lock(), "{line}")?;
        said.push_str(&line);
        said.push('\n');
    }
    Ok((storm.wait()?, said))
}

/// # Panics
/// When the binary is missing or older than one of its sources.
fn find(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_else(|error| panic!("where is this test? {error}"));
    // A test lies in target/PROFILE/deps, a binary in target/PROFILE.
    let folder = test.ancestors().find(|folder| folder.join(".fingerprint").is_dir());
    let folder = folder.unwrap_or_else(|| panic!("{} is not in a target folder", test.display()));
    let binary = folder.join(name);
    let Some(built) = modified(&binary) else { panic!("{} is not built: {MEND}", binary.display()) };
    for source in sources(&folder.join(format!("{name}.d"))) {
        let newer = modified(&source).is_none_or(|changed| changed > built);
        assert!(!newer, "{} is older than {}: {MEND}", binary.display(), source.display());
    }
    binary
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// The files in cargo's dependency record `TARGET: SOURCE SOURCE ...`, in which a blank inside a name is escaped.
fn sources(record: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(record).unwrap_or_default();
    let Some((_, sources)) = text.split_once(": ") else { return Vec::new() };
    let names = sources.trim_end().replace("\\ ", "\0");
    names.split(' ').map(|name| PathBuf::from(name.replace('\0', " "))).collect()
}
