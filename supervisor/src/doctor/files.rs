//! The folders: data_dir and workflows_dir.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use muster_system::private::{self, FolderRights};
use rustix::fs::{Access, FlockOperation, access, flock, statvfs};

use super::finding::DoctorFinding;
use crate::settings::Settings;

/// With less room than this the outbox may not hold what ends while the database is away.
const ROOM_MIN_BYTES: u64 = 256 * 1024 * 1024;

/// The file in it that a supervisor holds.
const LOCK: &str = "lock";

/// What is known of the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DataDirFacts {
    path: PathBuf,
    /// Whether it is there; otherwise the rest is about the nearest folder above that is.
    exists: bool,
    /// Why it cannot be written.
    refused: Option<String>,
    /// Who may enter it, when it is there.
    rights: Option<FolderRights>,
    /// Who holds its lock.
    holder: Option<String>,
    room_bytes: u64,
}

pub(super) async fn data_dir(settings: &Settings) -> Vec<DoctorFinding> {
    let path = settings.data_dir.clone();
    let looked = tokio::task::spawn_blocking(move || look(path)).await;
    vec![match looked {
        Ok(facts) => finding_for(&facts),
        Err(error) => DoctorFinding::fail("data_dir", error.to_string(), "run doctor again"),
    }]
}

fn look(path: PathBuf) -> DataDirFacts {
    let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    let standing = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let allowed = match standing.is_dir() {
        true => access(standing, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| error.to_string()),
        false => Err(format!("{} is not a folder", standing.display())),
    };
    DataDirFacts {
        exists: standing == absolute,
        refused: allowed.err(),
        rights: if standing == absolute { private::look(&absolute).ok() } else { None },
        holder: match look_at_lock(&absolute) {
            LockLook::Held(note) => Some(note),
            LockLook::Free | LockLook::Unseen => None,
        },
        room_bytes: statvfs(standing).map_or(u64::MAX, |room| room.f_bavail.saturating_mul(room.f_frsize)),
        path,
    }
}

/// Whether no supervisor has this data directory. Not when that cannot be seen.
pub(super) fn is_nobodys(data_dir: &Path) -> bool {
    matches!(look_at_lock(data_dir), LockLook::Free)
}

enum LockLook {
    Free,
    /// By whom.
    Held(String),
    /// It is there and cannot be opened.
    Unseen,
}

/// Who holds the lock. It is asked for shared and given back at once: the supervisor's own is exclusive.
fn look_at_lock(data_dir: &Path) -> LockLook {
    let mut file = match File::open(data_dir.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return LockLook::Free,
        Err(_) => return LockLook::Unseen,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => LockLook::Free,
        Err(_) => {
            let mut note = String::new();
            let _ = file.read_to_string(&mut note);
            let note = note.trim();
            LockLook::Held(if note.is_empty() { "another process".to_owned() } else { note.to_owned() })
        }
    }
}

fn finding_for(facts: &DataDirFacts) -> DoctorFinding {
    let shown = facts.path.display();
    let room_mb = facts.room_bytes / (1024 * 1024);
    if let Some(refused) = &facts.refused {
        let fix = "give the supervisor's user the right to write there, or set another data_dir";
        return DoctorFinding::fail("data_dir", format!("{shown} cannot be written: {refused}"), fix);
    }
    if let Some(Err(reason)) = facts.rights.as_ref().map(private::check_rights) {
        let fix =
            "a supervisor does not start with it: parameters, results and secrets would be open to others";
        return DoctorFinding::fail("data_dir", format!("{shown}: {reason}"), fix);
    }
    if facts.room_bytes < ROOM_MIN_BYTES {
        let fix = "make room, or set another data_dir: outcomes are kept there while the database is away";
        return DoctorFinding::warn("data_dir", format!("{shown} has only {room_mb} MiB left"), fix);
    }
    if let Some(rights) = facts.rights.as_ref().filter(|rights| rights.is_open()) {
        let fix = format!("the next start makes it its owner's alone; at once: `chmod 700 {shown}`");
        return DoctorFinding::warn(
            "data_dir",
            format!("{shown}: others may enter it (mode {:o})", rights.mode()),
            fix,
        );
    }
    match (&facts.holder, facts.exists) {
        (Some(holder), _) => DoctorFinding::ok(
            "data_dir",
            format!("{shown}: in use by the supervisor in {holder}; a second one needs its own"),
        ),
        (None, true) => DoctorFinding::ok("data_dir", format!("{shown}: writable, in use by nobody")),
        (None, false) => DoctorFinding::ok("data_dir", format!("{shown}: not there yet, and can be made")),
    }
}

pub(super) async fn workflows(settings: &Settings) -> Vec<DoctorFinding> {
    let path = settings.workflows_dir.clone();
    let listed = tokio::task::spawn_blocking(move || std::fs::read_dir(path).map(Iterator::count)).await;
    let listed = listed.unwrap_or_else(|error| Err(io::Error::other(error)));
    vec![judge_workflows(&settings.workflows_dir, &listed)]
}

fn judge_workflows(path: &Path, listed: &io::Result<usize>) -> DoctorFinding {
    let shown = path.display();
    match listed {
        Ok(0) => DoctorFinding::warn("workflows", format!("{shown} is empty"), "put a workflow into it"),
        Ok(1) => DoctorFinding::ok("workflows", format!("{shown}: 1 entry")),
        Ok(entries) => DoctorFinding::ok("workflows", format!("{shown}: {entries} entries")),
        Err(error) => DoctorFinding::warn(
            "workflows",
            format!("{shown} cannot be read: {error}"),
            "make it, or set workflows_dir; only inline code can run without it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::doctor::Severity;
    use crate::service::DataDir;

    #[test]
    fn a_folder_that_is_not_there_is_judged_by_the_one_above_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let facts = look(folder.path().join("a/b"));
        assert_eq!((facts.exists, &facts.refused, &facts.holder), (false, &None, &None));
        assert_eq!(finding_for(&facts).verdict, Severity::Ok);
        assert!(!folder.path().join("a").exists());
    }

    #[test]
    fn whoever_holds_the_lock_is_named_and_not_disturbed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(look(folder.path().to_owned()).holder, None);
        assert!(is_nobodys(folder.path()) && is_nobodys(&folder.path().join("absent")));
        let held = DataDir::lock(folder.path()).unwrap();
        let note = format!("process {}", std::process::id());
        assert_eq!(look(folder.path().to_owned()).holder.as_deref(), Some(note.as_str()));
        assert_eq!(finding_for(&look(folder.path().to_owned())).verdict, Severity::Ok);
        assert!(!is_nobodys(folder.path()));
        drop(held);
        assert_eq!(look(folder.path().to_owned()).holder, None);
        DataDir::lock(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_others_may_enter_is_a_warning_and_one_that_they_share_fails() {
        let folder = tempfile::tempdir().unwrap();
        let judged = |mode| {
            std::fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            finding_for(&look(folder.path().to_owned()))
        };
        assert_eq!(judged(0o700).verdict, Severity::Ok);
        assert_eq!(judged(0o755).verdict, Severity::Warn);
        assert_eq!(judged(0o1777).verdict, Severity::Fail);
    }

    #[test]
    fn what_cannot_be_written_fails_and_a_full_disk_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let facts = look(folder.path().join("file/data"));
        assert_eq!(finding_for(&facts).verdict, Severity::Fail, "{facts:?}");
        let full = DataDirFacts { refused: None, room_bytes: 1024, ..facts };
        assert_eq!(finding_for(&full).verdict, Severity::Warn);
    }

    #[test]
    fn a_folder_of_workflows_may_be_missing_and_it_is_said() {
        let missing = Err(io::Error::from(io::ErrorKind::NotFound));
        let finding = judge_workflows(Path::new("./workflows"), &missing);
        assert_eq!(finding.verdict, Severity::Warn);
        assert_eq!(judge_workflows(Path::new("./workflows"), &Ok(3)).verdict, Severity::Ok);
    }
}
