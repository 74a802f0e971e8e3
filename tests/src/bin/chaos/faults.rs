//! The storm: one fault after another, dealt from a shuffled deck, so that every kind comes soon and often.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use muster_tests::{Backends, Cache, Service, Services};

use crate::fleet::{Death, Fleet};
use crate::say;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    SupervisorKilled,
    WorkerKilled,
    RabbitMqRestarted,
    PostgresRestarted,
    RedisFlushed,
    RedisRestarted,
}

/// Every kind once: the first deck of a storm.
const KINDS: [Fault; 6] = [
    Fault::SupervisorKilled,
    Fault::WorkerKilled,
    Fault::RabbitMqRestarted,
    Fault::PostgresRestarted,
    Fault::RedisFlushed,
    Fault::RedisRestarted,
];
/// What later decks hold besides: processes die more often than servers.
const OFTEN: [Fault; 4] =
    [Fault::SupervisorKilled, Fault::SupervisorKilled, Fault::WorkerKilled, Fault::WorkerKilled];

/// Strikes.
#[derive(Debug)]
pub(crate) struct Storm<'a> {
    services: &'a Services,
    cache: Cache,
    random: fastrand::Rng,
    started: Instant,
    deck: Vec<Fault>,
    blows: Blows,
}

/// What has been done.
#[derive(Debug, Default)]
pub(crate) struct Blows {
    counts: BTreeMap<Fault, usize>,
    /// Supervisors killed.
    pub(crate) deaths: Vec<Death>,
    /// When the database was away.
    pub(crate) database_away: Vec<(Timestamp, Timestamp)>,
}

impl Blows {
    pub(crate) fn len(&self) -> usize {
        self.counts.values().sum()
    }
}

impl std::fmt::Display for Blows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts: Vec<_> = self.counts.iter().map(|(fault, count)| format!("{fault:?} {count}")).collect();
        f.write_str(&counts.join(", "))
    }
}

impl<'a> Storm<'a> {
    pub(crate) fn new(
        services: &'a Services,
        backends: &Backends,
        random: fastrand::Rng,
        started: Instant,
    ) -> Self {
        let cache = Cache::of(backends);
        Self { services, cache, random, started, deck: Vec::new(), blows: Blows::default() }
    }

    /// The next fault. Servers are back when it returns.
    pub(crate) fn strike(&mut self, fleet: &mut Fleet) {
        if self.deck.is_empty() {
            let often = if self.blows.counts.is_empty() { &[][..] } else { &OFTEN[..] };
            self.deck = [&KINDS[..], often].concat();
            self.random.shuffle(&mut self.deck);
        }
        let Some(fault) = self.deck.pop() else { return };
        say(&format!("{:>6.1} s  {fault:?}", self.started.elapsed().as_secs_f64()));
        *self.blows.counts.entry(fault).or_default() += 1;
        match fault {
            Fault::SupervisorKilled => self.blows.deaths.push(fleet.kill_supervisor(&mut self.random)),
            Fault::WorkerKilled => fleet.kill_worker(&mut self.random),
            Fault::RabbitMqRestarted => self.restart(Service::RabbitMq),
            Fault::PostgresRestarted => {
                let from = Timestamp::now();
                self.restart(Service::Postgres);
                self.blows.database_away.push((from, Timestamp::now()));
            }
            Fault::RedisFlushed => self.cache.flush(),
            Fault::RedisRestarted => self.restart(Service::Redis),
        }
    }

    /// True once every kind of fault has struck.
    pub(crate) fn has_shown_all(&self) -> bool {
        self.blows.counts.len() == KINDS.len()
    }

    /// Politely, or as a crash.
    fn restart(&mut self, service: Service) {
        if self.random.bool() {
            self.services.restart(service);
        } else {
            self.services.kill(service);
            self.services.start_again(service);
        }
    }

    /// It is over.
    pub(crate) fn pass(self) -> Blows {
        self.blows
    }
}
