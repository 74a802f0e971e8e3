//! Finds the worker's program.
//!
//! A worker is started with a cleared environment, and the system then searches a bare name by a slow way
//! that forks the whole supervisor. So the path is made absolute here, once. A program that is not there is
//! no mistake of the settings: it may appear later, and the pool says meanwhile what is missing.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The absolute path of `program`: one with a slash is taken from the working directory, a bare name is
/// searched in `PATH`. `None` when a bare name is nowhere. Links are not followed: a Python environment is
/// found by the link's place.
pub fn find_program(program: &str) -> Option<PathBuf> {
    find_in(program, std::env::var_os("PATH").as_deref())
}

fn find_in(program: &str, search_path: Option<&OsStr>) -> Option<PathBuf> {
    if program.contains('/') {
        return std::path::absolute(program).ok();
    }
    std::env::split_paths(search_path?)
        .map(|folder| folder.join(program))
        .find(|path| is_executable(path))
        .and_then(|path| std::path::absolute(path).ok())
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The `worker` beside this executable, which is what runs when nobody says otherwise.
pub(super) fn default_worker() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|supervisor| supervisor.parent().map(|folder| folder.join("worker")))
        .unwrap_or_else(|| PathBuf::from("/usr/local/bin/worker"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_found_in_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("tool");
        std::fs::write(&program, "").unwrap();
        let search_path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find_in("tool", Some(&search_path)), None, "a file that is not executable is passed over");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_in("tool", Some(&search_path)), Some(program));
        assert_eq!(find_in("other", Some(&search_path)), None);
        assert_eq!(find_in("tool", None), None);
    }

    #[test]
    fn a_path_is_made_absolute_whether_it_is_there_or_not() {
        assert_eq!(find_in("/no/such/program", None), Some(PathBuf::from("/no/such/program")));
        let here = std::env::current_dir().unwrap();
        assert_eq!(find_in("./program", None), Some(here.join("program")));
    }
}
