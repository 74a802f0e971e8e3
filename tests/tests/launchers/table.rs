//! The table of launchers, in `supervisor/LAUNCHERS.md`.

use std::fs::File;
use std::path::PathBuf;

use super::launcher::Launcher;
use super::look::Look;

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../supervisor/LAUNCHERS.md"))
}

/// The page.
pub(crate) fn page() -> String {
    std::fs::read_to_string(path()).unwrap()
}

/// Compares what was seen with the launcher's line, or writes the line.
#[track_caller]
pub(crate) fn hold(launcher: &Launcher, version: &str, look: &Look) {
    // Of "the worker ended with exit status 7 after …" the status.
    let short = |message: &str| {
        let from = ["exit status", "signal"].iter().find_map(|word| message.find(word)).unwrap_or(0);
        message[from..].split(" after ").next().unwrap_or_default().replace('|', "/")
    };
    let begin = format!("| `{}` | ", launcher.name);
    let seen = format!("{} | {} | {}", short(&look.exit), short(&look.signal), look.limit);
    let version = if version.is_empty() { "-" } else { version.trim_end_matches(')') };
    let line = format!("{begin}{version} | {} | {} | {seen} |", look.own[0], look.own[1]);
    // Tests run beside one another.
    let lock = File::open(path()).unwrap();
    lock.lock().unwrap();
    let page = page();
    let known = page.lines().find(|line| line.starts_with(&begin));
    if std::env::var_os("MUSTER_BLESS").is_some() {
        let page = match known {
            Some(known) => page.replace(known, &line),
            None => format!("{page}{line}\n"),
        };
        std::fs::write(path(), page).unwrap();
        return;
    }
    let known = known.unwrap_or_else(|| panic!("{} has no line: MUSTER_BLESS=1 writes it", launcher.name));
    if launcher.leaves {
        return;
    }
    assert!(known.ends_with(&format!("| {seen} |")), "the table says\n{known}\nand this was seen\n{line}");
}
