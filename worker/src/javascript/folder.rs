//! The workflows folder: the only files a workflow can be or import.
//!
//! Every file is opened relative to the folder with the kernel's own check that the path stays beneath it, so
//! neither `..` nor a symbolic link nor a rename at the wrong moment leads outside.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A source file larger than this is surely a mistake.
const SOURCE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// What workflows are written in that others run.
const OF_OTHERS: [(&str, &str); 5] =
    [("ts", "Node SDK"), ("mts", "Node SDK"), ("mjs", "Node SDK"), ("cjs", "Node SDK"), ("py", "Python SDK")];
/// Deeper folders are not listed; their files can still be run.
const LIST_DEPTH: usize = 8;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkflowFileError {
    #[error("there is no file {path} in the workflows folder {folder}")]
    NotFound { path: String, folder: String },
    #[error("{path} leads outside the workflows folder {folder}, which is not allowed")]
    Outside { path: String, folder: String },
    #[error("{path} is not a regular file")]
    NotAFile { path: String },
    #[error("{path} has {bytes} bytes; a source file may have {SOURCE_MAX_BYTES}")]
    TooLarge { path: String, bytes: u64 },
    #[error("{path} is not UTF-8 text")]
    NotText { path: String },
    #[error("the file {path} cannot be read: {reason}")]
    Io { path: String, reason: String },
    #[error("this worker was given no workflows folder")]
    NoFolder,
}

/// The folder, by its path: it may be replaced as a whole while the worker runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkflowFolder {
    path: Option<PathBuf>,
}

impl WorkflowFolder {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// Reads a file as it is now.
    pub(crate) fn read(&self, path: &str) -> Result<String, WorkflowFileError> {
        let Some(folder) = &self.path else { return Err(WorkflowFileError::NoFolder) };
        let fd = open_beneath(folder, path).map_err(|error| explain(error, folder, path))?;
        let mut file = File::from(fd);
        let metadata = file.metadata().map_err(|error| io(path, &error))?;
        if !metadata.is_file() {
            return Err(WorkflowFileError::NotAFile { path: path.to_owned() });
        }
        if metadata.len() > SOURCE_MAX_BYTES {
            return Err(WorkflowFileError::TooLarge { path: path.to_owned(), bytes: metadata.len() });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
        file.read_to_end(&mut bytes).map_err(|error| io(path, &error))?;
        String::from_utf8(bytes).map_err(|_| WorkflowFileError::NotText { path: path.to_owned() })
    }

    /// Which SDK runs the file that a workflow is in, when this worker does not.
    pub(crate) fn of_another_worker(&self, workflow: &str) -> Option<String> {
        let (extension, sdk) = OF_OTHERS.iter().find(|(extension, _)| {
            let file = format!("{workflow}.{extension}");
            self.path.as_ref().is_some_and(|folder| open_beneath(folder, &file).is_ok())
        })?;
        Some(format!(
            "{workflow}.{extension} is run by the {sdk}: this worker runs .js files, and worker_command names another"
        ))
    }

    /// The names of all workflows, sorted.
    pub(crate) fn list(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(folder) = &self.path {
            list_into(folder, "", LIST_DEPTH, &mut names);
        }
        names.sort();
        names
    }
}

fn open_beneath(folder: &Path, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let root =
        rustix::fs::openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(&root, path, flags, Mode::empty(), beneath) {
        // An old kernel, or a sandbox that does not know the call: check by name, then.
        Err(Errno::NOSYS | Errno::PERM) => {
            let whole = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
            let root = folder.canonicalize().map_err(whole)?;
            let target = root.join(path).canonicalize().map_err(whole)?;
            if !target.starts_with(&root) {
                return Err(Errno::XDEV);
            }
            rustix::fs::open(&target, flags | OFlags::NOFOLLOW, Mode::empty())
        }
        opened => opened,
    }
}

fn explain(error: Errno, folder: &Path, path: &str) -> WorkflowFileError {
    let (path, shown) = (path.to_owned(), folder.display().to_string());
    match error {
        Errno::NOENT | Errno::NOTDIR => WorkflowFileError::NotFound { path, folder: shown },
        Errno::XDEV | Errno::LOOP => WorkflowFileError::Outside { path, folder: shown },
        other => WorkflowFileError::Io { path, reason: std::io::Error::from(other).to_string() },
    }
}

fn io(path: &str, error: &std::io::Error) -> WorkflowFileError {
    WorkflowFileError::Io { path: path.to_owned(), reason: error.to_string() }
}

fn list_into(folder: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(file_name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 && crate::names::is_well_formed(&file_name) {
            list_into(&entry.path(), &format!("{prefix}{file_name}/"), depth - 1, names);
        } else if let Some(stem) = file_name.strip_suffix(".js")
            && crate::names::is_well_formed(stem)
            && exports_a_default(&entry.path())
        {
            names.push(format!("{prefix}{stem}"));
        }
    }
}

/// What other files only import has no default export, and is no workflow. This is for lists: a word in a
/// comment may deceive it, and the file can be run all the same.
fn exports_a_default(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.contains("export default") || text.contains("as default")
    })
}

/// Where an import leads, as a path beneath the folder. `None` if it would leave it.
pub(crate) fn resolve_import(importer: &str, specifier: &str) -> Option<String> {
    let mut parts: Vec<&str> = importer.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_resolved_within_the_folder_and_not_beyond() {
        assert_eq!(resolve_import("hello.js", "./lib/text.js").as_deref(), Some("lib/text.js"));
        assert_eq!(resolve_import("reports/daily.js", "../lib/text.js").as_deref(), Some("lib/text.js"));
        assert_eq!(resolve_import("reports/daily.js", "../../secret.js"), None);
        assert_eq!(resolve_import("hello.js", "../hello.js"), None);
    }

    #[test]
    fn links_and_dots_that_lead_outside_are_refused() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.js"), "1").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::fs::write(inside.path().join("fine.js"), "2").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.js"), inside.path().join("link.js")).unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("fine.js", inside.path().join("alias.js")).unwrap();
        let folder = WorkflowFolder::new(Some(inside.path().to_owned()));

        assert_eq!(folder.read("fine.js").unwrap(), "2");
        assert_eq!(folder.read("alias.js").unwrap(), "2");
        let name = outside.path().file_name().unwrap().to_str().unwrap();
        for path in ["link.js", "folder/secret.js", &format!("../{name}/secret.js"), "/etc/passwd"] {
            assert!(matches!(folder.read(path), Err(WorkflowFileError::Outside { .. })), "{path}");
        }
        assert!(matches!(folder.read("none.js"), Err(WorkflowFileError::NotFound { .. })));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
        let inside = tempfile::tempdir().unwrap();
        std::fs::create_dir(inside.path().join("folder.js")).unwrap();
        let folder = WorkflowFolder::new(Some(inside.path().to_owned()));
        assert!(matches!(folder.read("folder.js"), Err(WorkflowFileError::NotAFile { .. })));
    }

    #[test]
    fn workflows_in_subfolders_are_listed_by_their_names() {
        let inside = tempfile::tempdir().unwrap();
        std::fs::create_dir(inside.path().join("reports")).unwrap();
        for path in ["hello.js", "reports/daily.js", "notes.txt", "odd name.js"] {
            std::fs::write(inside.path().join(path), "export default () => 1").unwrap();
        }
        std::fs::write(inside.path().join("helper.js"), "export const n = 1").unwrap();
        std::fs::write(inside.path().join("reports/typed.ts"), "export default () => 1").unwrap();
        let folder = WorkflowFolder::new(Some(inside.path().to_owned()));
        assert_eq!(folder.list(), ["hello", "reports/daily"]);
        assert!(
            folder
                .of_another_worker("reports/typed")
                .unwrap()
                .starts_with("reports/typed.ts is run by the Node SDK")
        );
        assert_eq!(folder.of_another_worker("hello"), None);
    }
}
