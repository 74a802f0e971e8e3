//! Which walls stand around workers on this machine, and why the others do not. The helper puts up just these.

use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

use super::landlock_domain::{self, DOMAIN_ABI, SCOPE_ABI, version_name};
use super::{Confinement, ConfinementLevel, WorkerUsers};
use crate::process::Wall;

const PRIVILEGES: &str = "privileges";
const PROCESSES: &str = "processes";
const SIGNALS: &str = "signals";
const TEMPORARY: &str = "temporary";
const OOM_SCORE: &str = "oom-score";
const USER: &str = "worker-user";
const FILES: &str = "files";
const CONNECTIONS: &str = "connections";
const SYSTEM_CALLS: &str = "system-calls";
const LIMITS: &str = "limits";
/// What the walls around a worker are called.
pub const WORKER_WALL_NAMES: [&str; 10] =
    [PRIVILEGES, PROCESSES, SIGNALS, TEMPORARY, OOM_SCORE, USER, FILES, CONNECTIONS, SYSTEM_CALLS, LIMITS];

/// What of the machine decides which walls there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelFacts {
    /// The version of Landlock, 0 for none.
    pub landlock_abi: i32,
    /// The supervisor runs as root.
    pub is_root: bool,
    /// What the supervisor says of a worker's score, the worker cannot take back: it has the capability for that.
    pub holds_oom_score: bool,
}

impl KernelFacts {
    /// Asks the kernel.
    pub fn read() -> Self {
        let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        Self {
            landlock_abi: landlock_domain::kernel_abi(),
            is_root: geteuid().is_root(),
            holds_oom_score: held.contains(CapabilitySet::SYS_RESOURCE),
        }
    }

    /// Why a strict confinement cannot be had, if it cannot.
    pub fn lack_for_strict(self) -> Option<String> {
        let offers = version_name(self.landlock_abi);
        (self.landlock_abi < SCOPE_ABI).then(|| {
            format!("the kernel offers {offers}, and confinement = strict needs ABI {SCOPE_ABI} (Linux 6.12)")
        })
    }
}

/// The walls around a worker that is started so.
pub fn worker_walls(confinement: &Confinement, facts: KernelFacts) -> Vec<Wall> {
    let level = confinement.plan.level;
    if level == ConfinementLevel::Off {
        let detail = "confinement = off: a worker may do to other processes and files whatever its user may";
        return vec![Wall::missing(PROCESSES, detail)];
    }
    let mut walls = vec![
        Wall::standing(
            PRIVILEGES,
            "workers have no capabilities, and no program they execute gives them any",
        ),
        processes(facts),
        signals(facts),
        temporary(confinement),
        oom_score(level, facts),
    ];
    walls.extend(user(confinement, facts));
    walls.extend(strict(confinement));
    walls.push(limits(confinement));
    walls
}

fn processes(facts: KernelFacts) -> Wall {
    let needed = (DOMAIN_ABI, "Linux 5.19");
    let detail = "a worker can neither trace nor read the memory of any process but its own";
    by_abi(PROCESSES, facts, needed, detail, "workers can read each other's memory")
}

fn signals(facts: KernelFacts) -> Wall {
    let needed = (SCOPE_ABI, "Linux 6.12");
    let detail = "a worker can signal no process but its own, nor reach others' abstract sockets";
    by_abi(SIGNALS, facts, needed, detail, "workers can signal each other and the supervisor")
}

/// A wall that stands where the kernel's Landlock is new enough: what it keeps, and what is open without it.
fn by_abi(
    name: &'static str,
    facts: KernelFacts,
    (needed, linux): (i32, &str),
    kept: &str,
    open: &str,
) -> Wall {
    if facts.landlock_abi >= needed {
        return Wall::standing(name, kept);
    }
    let offers = version_name(facts.landlock_abi);
    Wall::missing(name, format!("{open}: the kernel offers {offers}, and ABI {needed} ({linux}) is needed"))
}

fn temporary(confinement: &Confinement) -> Wall {
    if confinement.private_temporary {
        Wall::standing(TEMPORARY, "each worker has a temporary folder of its own, emptied after each run")
    } else {
        Wall::missing(
            TEMPORARY,
            "worker_env sets TMPDIR, so all workers share that folder and nothing empties it",
        )
    }
}

fn oom_score(level: ConfinementLevel, facts: KernelFacts) -> Wall {
    if facts.holds_oom_score || level >= ConfinementLevel::Strict {
        Wall::standing(OOM_SCORE, "a worker cannot make the kernel spare it when memory runs out")
    } else {
        Wall::not_asked(
            OOM_SCORE,
            "a worker may lower its oom_score_adj to the supervisor's own: only confinement = strict, or a supervisor with CAP_SYS_RESOURCE, forbids it",
        )
    }
}

fn user(confinement: &Confinement, facts: KernelFacts) -> Option<Wall> {
    match &confinement.users {
        Some(WorkerUsers::One { user, .. }) => {
            Some(Wall::standing(USER, format!("workers run as user {}", user.uid)))
        }
        Some(WorkerUsers::Range { first, last }) => Some(Wall::standing(
            USER,
            format!("each worker runs as a user of its own, from {first} to {last}"),
        )),
        None if facts.is_root => Some(Wall::missing(
            USER,
            "workers run as root: without capabilities, but root owns most files of the machine; set worker_user, or start the supervisor as an ordinary user",
        )),
        None => None,
    }
}

fn strict(confinement: &Confinement) -> Vec<Wall> {
    if confinement.plan.level < ConfinementLevel::Strict {
        return vec![
            Wall::not_asked(FILES, "confinement = scoped lets a worker open whatever its user may"),
            Wall::not_asked(CONNECTIONS, "confinement = scoped lets a worker connect to whatever it finds"),
            Wall::not_asked(SYSTEM_CALLS, "confinement = scoped refuses no system call"),
        ];
    }
    let ports = &confinement.plan.ports;
    let connections = if ports.is_empty() {
        "a worker can open no TCP connection (worker_ports is empty)".to_owned()
    } else {
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        format!("a worker can open TCP connections to the ports {} only", ports.join(", "))
    };
    vec![
        Wall::standing(
            FILES,
            "a worker reads the system's folders, its interpreter and workflows_dir, and writes its temporary folder and worker_paths_rw",
        ),
        Wall::standing(CONNECTIONS, connections),
        Wall::standing(
            SYSTEM_CALLS,
            "system calls that reach into other processes, the kernel or the machine are refused",
        ),
    ]
}

fn limits(confinement: &Confinement) -> Wall {
    let named = confinement.plan.limits.named();
    let set: Vec<String> =
        named.iter().filter_map(|(name, value)| Some(format!("{name} {}", (*value)?))).collect();
    if set.is_empty() {
        Wall::not_asked(LIMITS, "worker_limits is empty: a worker may use what the supervisor may")
    } else {
        Wall::standing(LIMITS, format!("a worker may use no more than: {}", set.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confinement::ConfinementPlan;
    use crate::process::GroupLimits;

    fn of(level: ConfinementLevel) -> Confinement {
        Confinement {
            plan: ConfinementPlan::of(level),
            users: None,
            private_temporary: true,
            group_limits: GroupLimits::default(),
        }
    }

    fn facts(landlock_abi: i32) -> KernelFacts {
        KernelFacts { landlock_abi, is_root: false, holds_oom_score: false }
    }

    fn standing(level: ConfinementLevel, abi: i32, is_root: bool) -> Vec<&'static str> {
        let walls =
            worker_walls(&of(level), KernelFacts { landlock_abi: abi, is_root, holds_oom_score: is_root });
        walls.into_iter().filter(|wall| wall.stands).map(|wall| wall.name).collect()
    }

    #[test]
    fn each_kernel_has_what_its_landlock_offers() {
        let scoped = |abi| standing(ConfinementLevel::Scoped, abi, false);
        assert_eq!(scoped(0), [PRIVILEGES, TEMPORARY]);
        assert_eq!(scoped(1), [PRIVILEGES, TEMPORARY]);
        assert_eq!(scoped(2), [PRIVILEGES, PROCESSES, TEMPORARY]);
        assert_eq!(scoped(5), [PRIVILEGES, PROCESSES, TEMPORARY]);
        assert_eq!(scoped(6), [PRIVILEGES, PROCESSES, SIGNALS, TEMPORARY]);
        let strict = standing(ConfinementLevel::Strict, 6, true);
        assert_eq!(
            strict,
            [PRIVILEGES, PROCESSES, SIGNALS, TEMPORARY, OOM_SCORE, FILES, CONNECTIONS, SYSTEM_CALLS]
        );
        assert_eq!(facts(6).lack_for_strict(), None);
        let lack = facts(5).lack_for_strict().unwrap();
        assert!(lack.contains("ABI 5") && lack.contains("6.12"), "{lack}");
    }

    #[test]
    fn a_wall_that_does_not_stand_says_what_is_needed() {
        let facts = KernelFacts { is_root: true, holds_oom_score: true, ..facts(4) };
        let said = |confinement: &Confinement| {
            let walls = worker_walls(confinement, facts);
            let missing = walls.iter().filter(|wall| wall.asked && !wall.stands);
            missing.map(|wall| wall.detail.clone()).collect::<Vec<_>>()
        };
        let scoped = said(&of(ConfinementLevel::Scoped));
        assert!(scoped[0].contains("Linux 6.12") && scoped[0].contains("ABI 4"), "{scoped:?}");
        assert!(scoped[1].contains("worker_user"), "{scoped:?}");
        assert_eq!(said(&of(ConfinementLevel::Off)).len(), 1);
        let shared = Confinement {
            users: Some(WorkerUsers::Range { first: 1, last: 2 }),
            private_temporary: false,
            ..of(ConfinementLevel::Scoped)
        };
        assert!(said(&shared)[1].contains("TMPDIR"), "{:?}", said(&shared));
    }
}
