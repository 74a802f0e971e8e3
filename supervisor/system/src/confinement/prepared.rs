//! The walls of one process, prepared by the supervisor and put up by the process itself, before it executes its program.
//!
//! What needs memory or may wait is done before: the process that puts them up is in the supervisor's memory
//! ([`crate::process`] says what that allows it), so all it does is a few system calls.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use seccompiler::BpfProgram;

use super::landlock_domain::{self, DOMAIN_ABI, SCOPE_ABI};
use super::plan::{ConfinementLevel, ConfinementPlan, ResourceLimits};
use super::spare_domain::SpareDomain;
use super::{privileges, system_calls};

const NO_CORE: &str = "no core dumps";
const NO_NEW_PRIVILEGES: &str = "no new privileges";
const LIMITS: &str = "the limits of worker_limits";
const NO_CAPABILITIES: &str = "the loss of capabilities";
const DOMAIN: &str = "a Landlock domain";
const FILTER: &str = "a filter of system calls";

/// A wall that is asked for and cannot be put up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WallError {
    /// A wall of a strict confinement.
    #[error(
        "confinement = strict, and {wall} cannot be had: {reason}; use confinement = scoped, or a newer kernel"
    )]
    Wall {
        /// Which.
        wall: &'static str,
        /// Why not.
        reason: String,
    },
    /// The user of `worker_user`.
    #[error("cannot become user {uid}: {source}; worker_user needs a supervisor that is started as root")]
    User {
        /// Who.
        uid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// Where putting them up ended, and what the system said: small enough to be told from the one process to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WallFailure {
    /// At a wall of a strict confinement.
    Wall(&'static str, Errno),
    /// At the user of `worker_user`.
    User(Errno),
}

/// The walls of one process, ready to be put up.
#[derive(Debug)]
pub(crate) struct PreparedWalls {
    is_strict: bool,
    oom_score: Option<String>,
    user: Option<(Uid, Gid, Vec<Gid>)>,
    limits: ResourceLimits,
    domain: Option<OwnedFd>,
    filters: &'static [BpfProgram],
    /// The process could not set its score itself.
    leaves_oom_score: Cell<bool>,
}

impl PreparedWalls {
    /// Prepares what a plan asks for. A wall that this kernel cannot have is left out below
    /// [`ConfinementLevel::Strict`]; the supervisor says at its start which they are.
    ///
    /// # Errors
    /// When a strict confinement lacks a wall.
    pub(crate) fn prepare(plan: &ConfinementPlan, spare: &mut SpareDomain) -> Result<Self, WallError> {
        Self::prepare_on(plan, spare, landlock_domain::kernel_abi())
    }

    /// The same on a kernel with this version of Landlock.
    pub(crate) fn prepare_on(
        plan: &ConfinementPlan,
        spare: &mut SpareDomain,
        landlock_abi: i32,
    ) -> Result<Self, WallError> {
        let is_strict = plan.level >= ConfinementLevel::Strict;
        let group = |number: u32| Gid::from_raw(number);
        let domain = match domain(plan, is_strict, spare, landlock_abi) {
            Ok(domain) => Some(domain),
            Err(reason) if is_strict => return Err(WallError::Wall { wall: DOMAIN, reason }),
            Err(_) => None,
        };
        let filters = if is_strict {
            system_calls::filters().map_err(|reason| WallError::Wall { wall: FILTER, reason })?
        } else {
            &[]
        };
        Ok(Self {
            is_strict,
            oom_score: plan.oom_score.map(|score| score.to_string()),
            user: plan.user.as_ref().map(|user| {
                let groups = user.groups.iter().copied().map(group).collect();
                (Uid::from_raw(user.uid), group(user.gid), groups)
            }),
            limits: plan.limits,
            domain,
            filters,
            leaves_oom_score: Cell::new(false),
        })
    }

    /// Puts them up around the calling process, for good. It allocates nothing. The order matters: what needs a right
    /// comes before that right is given up.
    ///
    /// # Errors
    /// When a strict confinement lacks a wall, or the user cannot be changed.
    pub(crate) fn put_up(&self) -> Result<(), WallFailure> {
        if let Some(score) = &self.oom_score {
            // Not a wall of the worker's: it is for everybody else's good.
            self.leaves_oom_score.set(privileges::set_oom_score(score).is_err());
        }
        if self.is_strict {
            // Elsewhere what a workflow makes may be meant for others.
            privileges::make_files_private();
        }
        self.stands(NO_CORE, privileges::leave_no_core())?;
        self.stands(NO_NEW_PRIVILEGES, privileges::refuse_new_privileges())?;
        self.stands(LIMITS, privileges::bound(self.limits))?;
        self.stands(NO_CAPABILITIES, privileges::clear_bounding_set())?;
        if let Some((uid, gid, groups)) = &self.user {
            privileges::become_user(*uid, *gid, groups).map_err(WallFailure::User)?;
        }
        self.stands(NO_CAPABILITIES, privileges::drop_capabilities())?;
        if let Some(domain) = &self.domain {
            self.stands(DOMAIN, landlock_domain::enter(domain))?;
        }
        for filter in self.filters {
            self.stands(FILTER, system_calls::apply(filter))?;
        }
        Ok(())
    }

    fn stands(&self, wall: &'static str, result: Result<(), Errno>) -> Result<(), WallFailure> {
        match result {
            Err(error) if self.is_strict => Err(WallFailure::Wall(wall, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// True when the score is still to be set, by whoever may.
    pub(crate) fn leaves_oom_score(&self) -> bool {
        self.leaves_oom_score.get()
    }

    /// True when the process is another user's.
    pub(crate) fn changes_user(&self) -> bool {
        self.user.is_some()
    }

    /// What a person is told of a failure.
    pub(crate) fn error_of(&self, failure: WallFailure) -> WallError {
        match failure {
            WallFailure::Wall(wall, errno) => {
                WallError::Wall { wall, reason: io::Error::from(errno).to_string() }
            }
            WallFailure::User(errno) => {
                let uid = self.user.as_ref().map_or(0, |(uid, _, _)| uid.as_raw());
                WallError::User { uid, source: errno.into() }
            }
        }
    }
}

/// The Landlock domain that a kernel with this version of it can have.
fn domain(
    plan: &ConfinementPlan,
    is_strict: bool,
    spare: &mut SpareDomain,
    abi: i32,
) -> Result<OwnedFd, String> {
    if abi < if is_strict { SCOPE_ABI } else { DOMAIN_ABI } {
        return Err(format!("the kernel offers {}", landlock_domain::version_name(abi)));
    }
    let made = if is_strict {
        let rules = spare.take(plan).and_then(|rules| landlock_domain::allow_all(rules, &plan.own));
        rules.and_then(landlock_domain::finished)
    } else {
        landlock_domain::scoped(abi)
    };
    made.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_with_less_landlock_has_less_or_says_that_strict_needs_more() {
        if landlock_domain::kernel_abi() < SCOPE_ABI {
            // What it offers itself is tried by the suite `confinement`.
            return;
        }
        let has_domain = |level, abi| {
            let prepared =
                PreparedWalls::prepare_on(&ConfinementPlan::of(level), &mut SpareDomain::default(), abi);
            prepared.map(|walls| walls.domain.is_some()).map_err(|error| error.to_string())
        };
        for abi in [0, 1] {
            assert_eq!(has_domain(ConfinementLevel::Scoped, abi), Ok(false), "ABI {abi}");
        }
        for abi in [2, 5, 6, 7] {
            assert_eq!(has_domain(ConfinementLevel::Scoped, abi), Ok(true), "ABI {abi}");
        }
        for (abi, offers) in [(0, "no Landlock"), (5, "Landlock ABI 5")] {
            let refused = has_domain(ConfinementLevel::Strict, abi).unwrap_err();
            assert!(refused.contains(offers) && refused.contains("confinement = scoped"), "{refused}");
        }
        assert_eq!(has_domain(ConfinementLevel::Strict, 6), Ok(true));
    }

    #[test]
    fn what_a_strict_process_is_allowed_must_be_there() {
        let plan = ConfinementPlan {
            writable: vec!["/no/such/folder".into()],
            ..ConfinementPlan::of(ConfinementLevel::Strict)
        };
        if landlock_domain::kernel_abi() >= SCOPE_ABI {
            let refused = PreparedWalls::prepare(&plan, &mut SpareDomain::default()).unwrap_err().to_string();
            assert!(refused.contains("/no/such/folder"), "{refused}");
        }
    }
}
