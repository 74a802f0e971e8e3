//! Who may take over whose executions: one pure function over its evidence. TAKEOVER.md says the rules in words.
//!
//! Not here: how evidence is gathered over time ([`watch`], [`contact`]), and the statements that bring it (the
//! adapters).

mod contact;
#[cfg(test)]
mod model;
mod watch;

use std::time::Duration;

pub(super) use contact::Answer;
#[cfg(feature = "postgres")]
pub(super) use contact::WAIT_MAX;
pub(super) use watch::{Look, Watch};
#[cfg(feature = "postgres")]
pub(super) use watch::{OwnerSeen, Sign};

/// An owner whose lock is free and of which nothing has been heard for so long is dead, if it would have been heard.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// What the operating system of our own host says about the process of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ProcessEvidence {
    /// It is on another host, or behind a wall.
    Unknown,
    /// It lives, though it may be stopped.
    Lives,
    /// It is gone, for ever: a number and the time of its start name one process.
    Gone,
}

/// What the database shows of an owner's session lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LockEvidence {
    /// The owner never showed that its death can be seen: an older supervisor, or one behind a pooler.
    NotShown,
    /// A session holds it.
    Held,
    /// No session holds it.
    Free,
}

/// All that counts when the row of another owner might be taken over, as this supervisor knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Evidence {
    /// The word of the operating system.
    pub(super) process: ProcessEvidence,
    /// The lock.
    pub(super) lock: LockEvidence,
    /// For how long we have looked and seen nobody hold the lock; zero unless it is free.
    pub(super) free_for: Duration,
    /// For how long we have looked and seen no beat and no renewal of the owner.
    pub(super) silent_for: Duration,
    /// For how long we have looked and seen the row run out, not renewed, and not locked by anybody. `None`: it has
    /// not run out, or was locked at our last look.
    pub(super) overdue_for: Option<Duration>,
    /// For how long our own writes have worked without a break. Zero while they do not: an error is no contact, and
    /// an answer to a question is none either.
    pub(super) writes_for: Duration,
    /// For how long the server has been up.
    pub(super) server_up_for: Duration,
    /// The lease: the owner's or ours, whichever is longer.
    pub(super) lease: Duration,
}

/// Why a row may be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Grounds {
    /// Its owner's process has ended on this host.
    ProcessGone,
    /// Its owner could have been heard and was not.
    Silent,
    /// It could have been renewed and was not.
    Overdue,
}

/// How often an owner renews: whoever was kept from it for longer gets one such period after it can again.
pub(super) fn renewal_period(lease: Duration) -> Duration {
    lease / 3
}

/// The rules of take-over. `None`: the row stays with its owner.
pub(super) fn grounds(evidence: &Evidence) -> Option<Grounds> {
    dead(evidence).or_else(|| overdue(evidence).then_some(Grounds::Overdue))
}

/// Proof that the owner is dead, whatever its leases say.
fn dead(evidence: &Evidence) -> Option<Grounds> {
    // A lock that is held is a life, or a session that the server has not given up yet.
    match (evidence.lock, evidence.process) {
        (LockEvidence::Free, ProcessEvidence::Gone) => Some(Grounds::ProcessGone),
        (LockEvidence::Free, ProcessEvidence::Unknown) => {
            let could_be_heard = evidence.writes_for.min(evidence.server_up_for);
            let silence = evidence.silent_for.min(evidence.free_for).min(could_be_heard);
            (silence >= SILENCE).then_some(Grounds::Silent)
        }
        // What lives here, or shows nothing, or holds its lock, is judged by its leases alone.
        (LockEvidence::Free, ProcessEvidence::Lives)
        | (
            LockEvidence::Held | LockEvidence::NotShown,
            ProcessEvidence::Unknown | ProcessEvidence::Lives | ProcessEvidence::Gone,
        ) => None,
    }
}

/// True when the row has not been renewed although it could have been.
fn overdue(evidence: &Evidence) -> bool {
    let Some(overdue_for) = evidence.overdue_for else { return false };
    // Signs that the owner lives: then it gets as long again as it had.
    let lives = evidence.lock == LockEvidence::Held || evidence.process == ProcessEvidence::Lives;
    let wait = if lives { evidence.lease } else { renewal_period(evidence.lease) };
    overdue_for.min(evidence.writes_for) >= wait && evidence.server_up_for > evidence.lease
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Every combination of what may matter, on both sides of each bound.
    fn everything() -> impl Iterator<Item = Evidence> {
        let times = [0, 4, 5, 9, 10, 29, 30, 31].map(seconds);
        let processes = [ProcessEvidence::Unknown, ProcessEvidence::Lives, ProcessEvidence::Gone];
        let locks = [LockEvidence::NotShown, LockEvidence::Held, LockEvidence::Free];
        let overdue = move || [None].into_iter().chain(times.into_iter().map(Some));
        processes.into_iter().flat_map(move |process| {
            locks.into_iter().flat_map(move |lock| {
                [0, 4, 5].into_iter().flat_map(move |free_for| {
                    times.into_iter().flat_map(move |silent_for| {
                        overdue().flat_map(move |overdue_for| {
                            times.into_iter().flat_map(move |writes_for| {
                                times.into_iter().map(move |server_up_for| Evidence {
                                    process,
                                    lock,
                                    free_for: seconds(free_for),
                                    silent_for,
                                    overdue_for,
                                    writes_for,
                                    server_up_for,
                                    lease: LEASE,
                                })
                            })
                        })
                    })
                })
            })
        })
    }

    #[track_caller]
    fn always(what: &str, holds: impl Fn(&Evidence, Option<Grounds>) -> bool) {
        for evidence in everything() {
            let grounds = grounds(&evidence);
            assert!(holds(&evidence, grounds), "{what}: {evidence:?} gave {grounds:?}");
        }
    }

    #[test]
    fn rule_12_nothing_is_taken_from_an_owner_whose_lease_runs_unless_it_is_proven_dead() {
        always("a fresh lease", |evidence, grounds| {
            evidence.overdue_for.is_some()
                || matches!(grounds, None | Some(Grounds::ProcessGone | Grounds::Silent))
        });
        always("a proof needs a free lock", |evidence, grounds| {
            evidence.lock == LockEvidence::Free || matches!(grounds, None | Some(Grounds::Overdue))
        });
    }

    #[test]
    fn rule_12_who_cannot_write_itself_judges_nobody_but_the_gone() {
        always("no writes of our own", |evidence, grounds| {
            !evidence.writes_for.is_zero() || matches!(grounds, None | Some(Grounds::ProcessGone))
        });
        always("writes of our own, for as long as the owner had", |evidence, grounds| match grounds {
            Some(Grounds::Overdue) => {
                evidence.writes_for >= seconds(10) && evidence.overdue_for >= Some(seconds(10))
            }
            Some(Grounds::Silent) => evidence.writes_for >= SILENCE,
            Some(Grounds::ProcessGone) | None => true,
        });
    }

    #[test]
    fn rule_12_a_server_that_was_restarted_gives_everybody_their_time_again() {
        always("uptime", |evidence, grounds| match grounds {
            Some(Grounds::Overdue) => evidence.server_up_for > LEASE,
            Some(Grounds::Silent) => evidence.server_up_for >= SILENCE,
            Some(Grounds::ProcessGone) | None => true,
        });
    }

    #[test]
    fn rule_12_who_shows_that_it_lives_gets_twice_the_lease() {
        always("a life", |evidence, grounds| {
            let lives = evidence.lock == LockEvidence::Held || evidence.process == ProcessEvidence::Lives;
            !(lives && grounds == Some(Grounds::Overdue)) || evidence.overdue_for >= Some(LEASE)
        });
    }

    #[test]
    fn rule_13_what_lives_on_this_host_is_never_proven_dead() {
        always("the word of the system", |evidence, grounds| {
            evidence.process != ProcessEvidence::Lives || matches!(grounds, None | Some(Grounds::Overdue))
        });
    }

    #[test]
    fn rule_13_what_is_heard_of_is_never_proven_dead_and_what_is_gone_always() {
        always("heard of", |evidence, grounds| {
            grounds != Some(Grounds::Silent)
                || (evidence.silent_for >= SILENCE && evidence.free_for >= SILENCE)
        });
        always("gone", |evidence, grounds| {
            (evidence.lock == LockEvidence::Free && evidence.process == ProcessEvidence::Gone)
                == (grounds == Some(Grounds::ProcessGone))
        });
    }

    #[test]
    fn what_is_lost_is_taken_over_in_the_end() {
        let lost = Evidence {
            process: ProcessEvidence::Unknown,
            lock: LockEvidence::NotShown,
            free_for: SILENCE,
            silent_for: seconds(60),
            overdue_for: Some(seconds(30)),
            writes_for: seconds(60),
            server_up_for: seconds(60),
            lease: LEASE,
        };
        for process in [ProcessEvidence::Unknown, ProcessEvidence::Lives, ProcessEvidence::Gone] {
            for lock in [LockEvidence::NotShown, LockEvidence::Held, LockEvidence::Free] {
                assert!(grounds(&Evidence { process, lock, ..lost }).is_some(), "{process:?} {lock:?}");
            }
        }
        let silent = Evidence { lock: LockEvidence::Free, overdue_for: None, silent_for: SILENCE, ..lost };
        assert_eq!(grounds(&silent), Some(Grounds::Silent));
    }
}
