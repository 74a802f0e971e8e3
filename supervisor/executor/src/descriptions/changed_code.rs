//! Whether code may have changed since a worker described it: then only the worker that loads it anew knows what it takes.
//!
//! It is asked only where an execution would be refused for what was described, so it costs nothing that runs.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What the system notes of a change is the time of its last tick: so much earlier than it was, at most.
const TICK: Duration = Duration::from_millis(10);

/// True if a file of the same kind as the one with the code, in this folder or below, changed after that moment, or if there are
/// more than so many entries to be looked at. What is no file of the folder, such as the source of a compiled worker, does not
/// change while it runs.
pub(super) fn may_have_changed(
    workflows_dir: &Path,
    source_file: &str,
    since: SystemTime,
    entries_max: usize,
) -> bool {
    let source = workflows_dir.join(source_file);
    let Some(kind) = source.extension().filter(|_| source.is_file()) else { return false };
    let mut folders = vec![workflows_dir.to_owned()];
    let mut entries = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            entries += 1;
            if entries > entries_max || (is_of_kind(&entry.path(), kind) && changed_after(&entry, since)) {
                return true;
            }
            folders.extend(folder_of_code(&entry));
        }
    }
    false
}

fn is_of_kind(path: &Path, kind: &OsStr) -> bool {
    path.extension() == Some(kind)
}

/// By the change of its entry, which a move of another file into its place is, too.
fn changed_after(entry: &std::fs::DirEntry, since: SystemTime) -> bool {
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let changed = |it: std::fs::Metadata| {
        let seconds = u64::try_from(it.ctime()).unwrap_or_default();
        Duration::new(seconds, u32::try_from(it.ctime_nsec()).unwrap_or_default())
    };
    std::fs::metadata(entry.path()).is_ok_and(|it| changed(it) + TICK > since)
}

/// What workers look for code in: what interpreters and package managers write themselves is passed over.
fn folder_of_code(entry: &std::fs::DirEntry) -> Option<PathBuf> {
    let name = entry.file_name();
    let is_passed_over =
        name == "__pycache__" || name == "node_modules" || name.as_encoded_bytes().starts_with(b".");
    let is_folder = !is_passed_over && entry.file_type().is_ok_and(|kind| kind.is_dir());
    is_folder.then(|| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_any_file_of_code_counts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for within in ["lib", "__pycache__", ".git"] {
            std::fs::create_dir(path(within)).unwrap();
        }
        std::fs::write(path("report.py"), "").unwrap();
        let before = std::fs::metadata(path("report.py")).unwrap();
        let described =
            SystemTime::UNIX_EPOCH + Duration::new(before.ctime() as u64, before.ctime_nsec() as u32) + TICK;
        let changed = || may_have_changed(folder.path(), "report.py", described, 100);
        assert!(!changed());
        assert!(may_have_changed(folder.path(), "report.py", described, 3), "more than are looked at");
        // The clock of files goes in steps: once it has gone on, a change shows.
        let write_later = |name: &str| loop {
            std::fs::write(path(name), "").unwrap();
            let now = std::fs::metadata(path(name)).unwrap();
            if (now.ctime(), now.ctime_nsec()) > (before.ctime(), before.ctime_nsec()) {
                break;
            }
        };
        for other in ["rows.csv", "__pycache__/report.py", ".git/report.py"] {
            write_later(other);
            assert!(!changed(), "{other}");
        }
        write_later("lib/model.py");
        assert!(changed(), "what it imports");
        std::fs::remove_file(path("lib/model.py")).unwrap();
        write_later("report.py");
        assert!(changed(), "itself");
        assert!(
            !may_have_changed(folder.path(), "src/main.rs", SystemTime::UNIX_EPOCH, 100),
            "no file of the folder"
        );
    }
}
