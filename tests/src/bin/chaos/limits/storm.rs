//! What goes wrong around limits: everything that may leave somebody counted who does not run, or waiting for nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use muster_tests::{ServerKind, Services};
use serde_json::json;

use super::change::{AllowedRuns, LimitChange};
use super::load::fixed_limits;
use crate::fleet::{Fleet, LEASE_SECONDS};

/// What can go wrong, and what a person does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LimitFault {
    LimitChanged,
    SupervisorKilled,
    WorkerKilled,
    SupervisorFrozen,
    PostgresRestarted,
    PostgresPaused,
}

/// How long the database gives no answer: longer than a lease.
const STALL: Duration = Duration::from_secs(LEASE_SECONDS + 3);
/// How long a supervisor stands still: most of a lease, and not all of it.
const FREEZE: Duration = Duration::from_secs(LEASE_SECONDS * 2 / 3);
/// A server that has started is given this long until everybody has heard of it.
const BACK_WITHIN: Duration = Duration::from_secs(6);

/// Strikes.
#[derive(Debug)]
pub(super) struct LimitStorm<'a> {
    /// None where everything is in one file.
    services: Option<&'a Services>,
    random: fastrand::Rng,
    deck: Vec<LimitFault>,
    counts: BTreeMap<LimitFault, usize>,
    changes: Vec<LimitChange>,
    /// When nobody could claim.
    away: Vec<(i64, i64)>,
    /// When one of several was not there.
    one_away: Vec<(i64, i64)>,
}

/// A storm that is over.
#[derive(Debug)]
pub(super) struct PassedStorm {
    /// The limits as they were changed.
    pub(super) changes: Vec<LimitChange>,
    /// When nobody could claim.
    pub(super) away: Vec<(i64, i64)>,
    /// When somebody could not.
    pub(super) somebody_away: Vec<(i64, i64)>,
    /// What struck how often.
    pub(super) counts: String,
}

fn now_us() -> i64 {
    Timestamp::now().as_microsecond()
}

impl<'a> LimitStorm<'a> {
    /// Sets the limits, and strikes not yet.
    pub(super) fn begin(
        services: Option<&'a Services>,
        fleet: &Fleet,
        random: fastrand::Rng,
        allowed: AllowedRuns,
    ) -> Self {
        for (name, terms) in fixed_limits(allowed.mails) {
            let answer = fleet.clients()[0].put(&format!("/api/limits/{name}"), &terms);
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let mut storm = Self {
            services,
            random,
            deck: Vec::new(),
            counts: BTreeMap::new(),
            changes: Vec::new(),
            away: Vec::new(),
            one_away: Vec::new(),
        };
        storm.set(fleet, allowed);
        storm
    }

    /// The next fault. What it takes away is back when it returns.
    pub(super) fn strike(&mut self, fleet: &mut Fleet) -> String {
        if self.deck.is_empty() {
            self.deck = self.kinds();
            self.random.shuffle(&mut self.deck);
        }
        let Some(fault) = self.deck.pop() else { return String::new() };
        *self.counts.entry(fault).or_default() += 1;
        match fault {
            LimitFault::LimitChanged => {
                let mails = self.changes.last().map_or(0, |last| last.allowed.mails);
                let (total, per_key) = (self.random.usize(3..=9), self.random.usize(1..=3));
                self.set(fleet, AllowedRuns { total, per_key, mails });
                return format!("{fault:?}: {total} in all, {per_key} of one key");
            }
            LimitFault::SupervisorKilled if self.services.is_none() => {
                // Alone it is away until it is back.
                let from = now_us();
                fleet.kill_supervisor(&mut self.random);
                fleet.wait_ready();
                self.away.push((from, now_us()));
            }
            LimitFault::SupervisorKilled => {
                let at = now_us();
                fleet.kill_supervisor(&mut self.random);
                self.one_away.push((at, now_us()));
            }
            LimitFault::WorkerKilled => fleet.kill_worker(&mut self.random),
            LimitFault::SupervisorFrozen => {
                let from = now_us();
                fleet.freeze_supervisor(&mut self.random, FREEZE);
                let times = if self.services.is_none() { &mut self.away } else { &mut self.one_away };
                times.push((from, now_us()));
            }
            LimitFault::PostgresRestarted => self.without_database(|storm, services| {
                if storm.random.bool() {
                    services.restart(ServerKind::Postgres);
                } else {
                    services.kill(ServerKind::Postgres);
                    services.start_again(ServerKind::Postgres);
                }
            }),
            LimitFault::PostgresPaused => self.without_database(|_, services| {
                services.pause(ServerKind::Postgres);
                std::thread::sleep(STALL);
                services.resume(ServerKind::Postgres);
            }),
        }
        format!("{fault:?}")
    }

    /// Processes die more often than servers, and people change their minds most often.
    fn kinds(&self) -> Vec<LimitFault> {
        let alone = [
            LimitFault::LimitChanged,
            LimitFault::LimitChanged,
            LimitFault::LimitChanged,
            LimitFault::SupervisorKilled,
            LimitFault::SupervisorKilled,
            LimitFault::WorkerKilled,
            LimitFault::WorkerKilled,
            LimitFault::SupervisorFrozen,
        ];
        let servers = [LimitFault::PostgresRestarted, LimitFault::PostgresPaused];
        match self.services {
            None => alone.to_vec(),
            Some(_) => [&alone[..], &servers].concat(),
        }
    }

    fn of_servers(&mut self, trouble: impl FnOnce(&mut Self, &Services)) {
        if let Some(services) = self.services {
            trouble(self, services);
        }
    }

    fn without_database(&mut self, trouble: impl FnOnce(&mut Self, &Services)) {
        let from = now_us();
        self.of_servers(trouble);
        self.away.push((from, now_us() + BACK_WITHIN.as_micros() as i64));
    }

    /// Asks one supervisor after another until one says that it is done.
    fn set(&mut self, fleet: &Fleet, allowed: AllowedRuns) {
        let terms = json!({ "total": allowed.total, "per_key": allowed.per_key, "key": "parameters.key" });
        let asked_us = now_us();
        let clients = fleet.clients();
        let is_done = |client: &muster_tests::TestClient| {
            client.try_put("/api/limits/crm", &terms).is_some_and(|answer| answer.status == 200)
        };
        while !clients.iter().any(|client| is_done(client)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.changes.push(LimitChange { asked_us, done_us: now_us(), allowed });
    }

    /// True once every kind of fault has struck.
    pub(super) fn has_shown_all(&self) -> bool {
        self.kinds().iter().all(|kind| self.counts.contains_key(kind))
    }

    /// What there is to be told of it.
    pub(super) fn pass(self) -> PassedStorm {
        let counts: Vec<_> = self.counts.iter().map(|(fault, count)| format!("{fault:?} {count}")).collect();
        let somebody_away = self.away.iter().chain(&self.one_away).copied().collect();
        PassedStorm { changes: self.changes, away: self.away, somebody_away, counts: counts.join(", ") }
    }
}
