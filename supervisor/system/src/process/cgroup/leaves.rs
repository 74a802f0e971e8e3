//! The part of the tree of control groups that is one supervisor's: its workers' leaves.
//!
//! Where it is, is noted in the data directory, so that the next supervisor there ends all who are still in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::delegation::{HOME, controllers, own_folder};
use super::leaf::WorkerLeaf;
use super::limits::GroupLimits;

/// The first part of the name of each supervisor's part.
const NAME_PREFIX: &str = "muster-";
/// The file in the data directory that says where it is.
const RECORD: &str = "worker-leaves";
/// How long those may take to be gone who are killed.
const GONE_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What we want to limit by, where it is given to us.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// The leaves of a supervisor's workers.
#[derive(Debug)]
pub struct WorkerLeaves {
    folder: PathBuf,
    has_controllers: bool,
    memory_max_bytes: AtomicU64,
    made: AtomicU64,
}

impl WorkerLeaves {
    /// Ends and removes what an earlier supervisor with this data directory left in control groups. Gives how many
    /// processes there were.
    pub fn end_left(data_dir: &Path) -> usize {
        let record = std::fs::read_to_string(data_dir.join(RECORD)).unwrap_or_default();
        Self::end_in(Path::new(record.trim_end()))
    }

    /// Ends and removes all who are in a supervisor's part of the tree. Gives how many processes there were.
    pub(in crate::process) fn end_in(folder: &Path) -> usize {
        let is_a_supervisors = folder.is_absolute()
            && folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NAME_PREFIX));
        if is_a_supervisors { end(folder) } else { 0 }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a part of the tree for this supervisor.
    ///
    /// # Errors
    /// Why there can be none, for a person.
    pub fn open(data_dir: &Path) -> Result<Self, String> {
        let (own, folder) = fresh()?;
        crate::private::write(&data_dir.join(RECORD), format!("{}\n", folder.display()).as_bytes())
            .map_err(|error| format!("{RECORD} cannot be written in {}: {error}", data_dir.display()))?;
        Self::make(&own, folder)
    }

    /// The same for who has no data directory: nobody finds it again.
    ///
    /// # Errors
    /// Why there can be none, for a person.
    pub fn open_unrecorded() -> Result<Self, String> {
        let (own, folder) = fresh()?;
        Self::make(&own, folder)
    }

    fn make(own: &Path, folder: PathBuf) -> Result<Self, String> {
        std::fs::create_dir(&folder)
            .map_err(|error| format!("cannot make the control group {}: {error}", folder.display()))?;
        if !folder.join("cgroup.kill").exists() {
            let _ = std::fs::remove_dir(&folder);
            return Err("the kernel cannot end a control group: it is older than 5.14".to_owned());
        }
        let has_controllers = take_controllers(own, &folder).is_ok();
        Ok(Self { folder, has_controllers, memory_max_bytes: AtomicU64::new(0), made: AtomicU64::new(0) })
    }

    /// From now on a worker and all it started are ended by the kernel above so many bytes, where the system lets us limit
    /// it; zero is no limit.
    pub fn limit_memory(&self, max_bytes: u64) {
        self.memory_max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    /// A leaf for one worker, with these limits; `None` for who makes other workers, which has none.
    ///
    /// # Errors
    /// What the system said.
    pub(in crate::process) fn leaf(&self, limits: Option<&GroupLimits>) -> io::Result<WorkerLeaf> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let leaf = WorkerLeaf::make(self.folder.join(format!("worker-{number}")))?;
        if let Some(limits) = limits.filter(|_| self.has_controllers) {
            let watched = Some(self.memory_max_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0);
            for (name, value) in limits.files(watched) {
                // Of memory, what is refused is watched by us.
                if let Err(error) = leaf.write(name, &value) {
                    tracing::debug!(name, %error, "control group takes no such limit");
                }
            }
        }
        Ok(leaf)
    }

    /// Ends all who are in a leaf, and removes them all.
    pub fn close(&self) {
        end(&self.folder);
    }
}

/// The group this process is in, and a name below it that nobody has.
fn fresh() -> Result<(PathBuf, PathBuf), String> {
    let own = own_folder()?;
    let folder = own.join(format!("{NAME_PREFIX}{}", Uuid::new_v4().simple()));
    Ok((own, folder))
}

/// Has the groups below ours have the controllers. A group with controllers below it may hold no process itself, so
/// this process goes into one of its own, if it is the only one.
fn take_controllers(own: &Path, folder: &Path) -> io::Result<()> {
    let available = controllers(own);
    let wanted = CONTROLLERS.into_iter().filter(|name| available.iter().any(|one| one == name));
    let wanted: Vec<String> = wanted.map(|name| format!("+{name}")).collect();
    if wanted.is_empty() {
        return Err(io::Error::other("there are no controllers for us"));
    }
    let home = own.join(HOME);
    match std::fs::create_dir(&home) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let us = std::process::id().to_string();
    std::fs::write(home.join("cgroup.procs"), &us)?;
    let take = |name: &String| {
        std::fs::write(own.join("cgroup.subtree_control"), name)
            .and_then(|()| std::fs::write(folder.join("cgroup.subtree_control"), name))
    };
    // Each by itself: the one that cannot be had keeps none of the others away.
    let taken = wanted.iter().map(take).reduce(|one, other| one.or(other)).unwrap_or(Ok(()));
    if taken.is_err() {
        // Others are in the group: it stays as it was.
        let _ = std::fs::write(own.join("cgroup.procs"), &us);
        let _ = std::fs::remove_dir(&home);
    }
    taken
}

/// Ends all who are in a part of the tree and removes it. Gives how many they were.
fn end(folder: &Path) -> usize {
    let leaves = || {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir())
    };
    let populated = || {
        std::fs::read_to_string(folder.join("cgroup.events"))
            .is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
    };
    let living = |leaf: &PathBuf| {
        std::fs::read_to_string(leaf.join("cgroup.procs")).map_or(0, |numbers| numbers.lines().count())
    };
    let count = leaves().map(|leaf| living(&leaf)).sum();
    let deadline = Instant::now() + GONE_WITHIN;
    while populated() && Instant::now() < deadline {
        // Again each time: it was refused while a process was on its way in.
        let _ = std::fs::write(folder.join("cgroup.kill"), "1");
        std::thread::sleep(LOOK_EVERY);
    }
    leaves().for_each(|leaf| {
        let _ = std::fs::remove_dir(leaf);
    });
    let _ = std::fs::remove_dir(folder);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test needs a process in a control group")]
    fn all_who_are_in_a_leaf_are_ended_by_the_next_supervisor() {
        let data_dir = tempfile::tempdir().unwrap();
        let Ok(leaves) = WorkerLeaves::open(data_dir.path()) else {
            // Where it has no control groups of its own it is tested nowhere: `doctor` says so, too.
            return;
        };
        let leaf = leaves.leaf(Some(&GroupLimits::default())).unwrap();
        let mut command = std::process::Command::new("setsid");
        let mut child = command.args(["sleep", "60"]).stdin(std::process::Stdio::null()).spawn().unwrap();
        leaf.place(rustix::process::Pid::from_child(&child)).unwrap();
        assert_eq!(leaf.members(), [child.id()]);
        assert_eq!(WorkerLeaves::end_left(data_dir.path()), 1);
        assert!(!child.wait().unwrap().success());
        assert!(!leaves.folder.exists());
        assert_eq!(WorkerLeaves::end_left(data_dir.path()), 0);
    }

    #[test]
    fn only_a_supervisors_part_is_ended() {
        let data_dir = tempfile::tempdir().unwrap();
        let stranger = data_dir.path().join("stranger");
        std::fs::create_dir(&stranger).unwrap();
        std::fs::write(data_dir.path().join(RECORD), stranger.display().to_string()).unwrap();
        assert_eq!(WorkerLeaves::end_left(data_dir.path()), 0);
        assert!(stranger.exists());
    }
}
