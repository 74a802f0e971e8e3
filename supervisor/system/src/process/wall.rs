//! What keeps others of this user away from the supervisor's secrets: the database's password and the API's token
//! are in its environment and memory, and workers run as the same user.
//!
//! A process that is not dumpable has its environment, memory and descriptors closed to every process but those of
//! an administrator. What a worker may do beyond that is not decided here.

use std::path::PathBuf;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{CapabilitySet, capabilities};

use super::GroupLimits;
use super::cgroup::{controllers, own_folder};
use crate::confinement::{Confinement, ConfinementLevel, KernelFacts, WORKER_WALL_NAMES, worker_walls};

const MEMORY: &str = "memory";
const CORES: &str = "cores";
const DESCENDANTS: &str = "descendants";
const GROUP_LIMITS: &str = "group-limits";
/// The names of all walls, as they are shown.
pub const WALL_NAMES: [&str; 4 + WORKER_WALL_NAMES.len()] = {
    let [a, b, c, d, e, f, g, h, i, j] = WORKER_WALL_NAMES;
    [MEMORY, CORES, DESCENDANTS, GROUP_LIMITS, a, b, c, d, e, f, g, h, i, j]
};

/// Something that keeps others out, and whether it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wall {
    /// What it is called: one of [`WALL_NAMES`].
    pub name: &'static str,
    /// Whether the wall is in force.
    pub stands: bool,
    /// Whether the settings ask for it.
    pub asked: bool,
    /// What it keeps from whom, or why it does not hold.
    pub detail: String,
}

impl Wall {
    pub(crate) fn standing(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, stands: true, asked: true, detail: detail.into() }
    }

    pub(crate) fn missing(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, stands: false, asked: true, detail: detail.into() }
    }

    pub(crate) fn not_asked(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, stands: false, asked: false, detail: detail.into() }
    }
}

/// What the system says of this process.
#[derive(Clone, Copy, Debug)]
struct ProcessFacts {
    is_dumpable: bool,
    /// The workers that this process starts may read any other.
    reads_all: bool,
    core_max: Option<u64>,
}

/// Closes this process to others, and bounds core dumps to nothing, for its children too. Call it first of all:
/// what was read before may have been seen. A child begins anew when it executes its program, so workers stay open
/// to whoever looks after them.
pub fn close_to_others() {
    // What fails here shows in `walls`, where a person reads it.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Which walls there are around workers that are started so, and whether they stand.
pub fn walls(confinement: &Confinement) -> Vec<Wall> {
    let reads_all =
        || capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_PTRACE));
    let mut walls = assess(ProcessFacts {
        is_dumpable: !matches!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable)),
        // A confined worker has no capability of ours.
        reads_all: confinement.plan.level == ConfinementLevel::Off && reads_all(),
        core_max: getrlimit(Resource::Core).maximum,
    });
    let own = own_folder();
    let available = own.as_ref().map(|folder| controllers(folder)).unwrap_or_default();
    walls.push(around_descendants(own));
    walls.push(around_groups(&confinement.group_limits, &available));
    walls.extend(worker_walls(confinement, KernelFacts::read()));
    walls
}

/// Whether what a worker started ends with it, by where the supervisor may make control groups.
fn around_descendants(folder: Result<PathBuf, String>) -> Wall {
    match folder {
        Ok(folder) => Wall::standing(
            DESCENDANTS,
            format!(
                "all that a worker ever starts is in a control group below {}, and ends with it",
                folder.display()
            ),
        ),
        Err(reason) => Wall::missing(
            DESCENDANTS,
            format!(
                "{reason}: what a worker starts is known by its parents, its group, its session and its environment, and \
                 a process that leaves all of them escapes; give the supervisor a control group of its own \
                 (Delegate=yes in its unit)"
            ),
        ),
    }
}

/// Whether workers are bound to what they may use with all they started.
fn around_groups(limits: &GroupLimits, available: &[String]) -> Wall {
    let named = limits.named().into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    let named = named.collect::<Vec<_>>().join(", ");
    if named.is_empty() {
        return Wall::not_asked(
            GROUP_LIMITS,
            "worker_group_limits is empty: what a worker and all it started use together is bounded by max_worker_memory_mb alone",
        );
    }
    let lacking = |name: &&str| !available.iter().any(|one| one == name);
    let lacking: Vec<&str> = limits.controllers().into_iter().filter(lacking).collect();
    if lacking.is_empty() {
        return Wall::standing(
            GROUP_LIMITS,
            format!("a worker and all it started may use together no more than: {named}"),
        );
    }
    Wall::missing(
        GROUP_LIMITS,
        format!(
            "worker_group_limits asks for {named}, and the supervisor's control group has no controller for it ({}): \
             give it one of its own that has (Delegate=yes in its unit)",
            lacking.join(", ")
        ),
    )
}

fn assess(facts: ProcessFacts) -> Vec<Wall> {
    let wall = |name, stands, detail: &str| Wall { name, stands, asked: true, detail: detail.to_owned() };
    let memory = if facts.is_dumpable {
        wall(MEMORY, false, "the system refused to close the supervisor's memory to workers of the same user")
    } else if facts.reads_all {
        let detail = "workers may read every process, because the supervisor runs as an administrator and \
                      confinement is off: run it as an ordinary user";
        wall(MEMORY, false, detail)
    } else {
        wall(MEMORY, true, "the supervisor's memory, environment and descriptors are closed to its workers")
    };
    let cores = if facts.core_max == Some(0) {
        wall(CORES, true, "neither the supervisor nor a worker leaves a core dump")
    } else {
        wall(CORES, false, "the system refused to bound core dumps, which hold secrets")
    };
    vec![memory, cores]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_that_does_not_stand_says_why() {
        let stand = |facts| assess(facts).into_iter().map(|wall| wall.stands).collect::<Vec<_>>();
        let closed = ProcessFacts { is_dumpable: false, reads_all: false, core_max: Some(0) };
        assert_eq!(stand(closed), [true, true]);
        assert!(assess(closed).into_iter().map(|wall| wall.name).eq([MEMORY, CORES]));
        let escapes = around_descendants(Err("none is mounted".to_owned()));
        assert!(!escapes.stands && escapes.detail.starts_with("none is mounted: "), "{escapes:?}");
        assert!(around_descendants(Ok(PathBuf::from("/own"))).stands);
        let limits = GroupLimits { processes: Some(9), ..GroupLimits::default() };
        let bound = |limits: GroupLimits, available: &[&str]| {
            around_groups(&limits, &available.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        assert!(!bound(GroupLimits::default(), &["pids"]).asked && bound(limits, &["pids"]).stands);
        let lacking = bound(limits, &["memory"]);
        assert!(lacking.asked && !lacking.stands && lacking.detail.contains("(pids)"), "{lacking:?}");
        assert_eq!(stand(ProcessFacts { is_dumpable: true, ..closed }), [false, true]);
        assert_eq!(stand(ProcessFacts { core_max: None, ..closed }), [true, false]);
        let root = assess(ProcessFacts { reads_all: true, ..closed });
        assert!(!root[0].stands && root[0].detail.contains("ordinary user"), "{root:?}");
    }
}
