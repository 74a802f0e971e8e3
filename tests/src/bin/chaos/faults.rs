//! The storm: one fault after another, dealt from a shuffled deck, so that every kind comes soon and often.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_tests::{Backends, Cache, Record, ServerKind, Services};

use crate::fleet::{Death, Fleet, LEASE_SECONDS};
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
    PostgresPaused,
    TableLockedForWriting,
    TableLocked,
    RowsLocked,
    ReadOnly,
    SupervisorFrozen,
    SupervisorUpgraded,
}

/// Which faults a storm is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Weather {
    /// Processes and servers die and come back.
    Crashes,
    /// Servers and processes stand still, and what is wanted is locked, each for longer than a lease or for most of one.
    Stalls,
    /// Both.
    All,
    /// An older build, which --older names, is replaced by this one, one supervisor after the other, while workers die.
    Upgrade,
    /// Limits that change while processes and servers die and stand still, and an observer who counts what runs.
    Limits,
}

impl Weather {
    /// Every kind once: the first deck of a storm.
    fn kinds(self) -> Vec<Fault> {
        let crashes = [
            Fault::SupervisorKilled,
            Fault::WorkerKilled,
            Fault::RabbitMqRestarted,
            Fault::PostgresRestarted,
            Fault::RedisFlushed,
            Fault::RedisRestarted,
        ];
        let stalls = [
            Fault::PostgresPaused,
            Fault::TableLockedForWriting,
            Fault::TableLocked,
            Fault::RowsLocked,
            Fault::ReadOnly,
            Fault::SupervisorFrozen,
        ];
        match self {
            Self::Crashes => crashes.to_vec(),
            Self::Stalls => stalls.to_vec(),
            Self::All | Self::Limits => [crashes, stalls].concat(),
            Self::Upgrade => vec![Fault::SupervisorUpgraded, Fault::WorkerKilled],
        }
    }

    /// What later decks hold besides: processes die more often than servers.
    fn often(self) -> &'static [Fault] {
        match self {
            Self::Crashes | Self::All | Self::Limits => &OFTEN,
            Self::Stalls | Self::Upgrade => &[],
        }
    }
}

const OFTEN: [Fault; 4] =
    [Fault::SupervisorKilled, Fault::SupervisorKilled, Fault::WorkerKilled, Fault::WorkerKilled];

/// How long the database gives no write: longer than a lease with all that is waited beyond it.
const STALL: Duration = Duration::from_secs(LEASE_SECONDS + 4);
/// How long a supervisor stands still: most of a lease, and not all of it.
const FREEZE: Duration = Duration::from_secs(LEASE_SECONDS * 2 / 3);

/// Strikes.
#[derive(Debug)]
pub(crate) struct Storm<'a> {
    services: &'a Services,
    cache: Cache,
    record: Record,
    weather: Weather,
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
        weather: Weather,
        random: fastrand::Rng,
        started: Instant,
    ) -> Self {
        let (cache, record) = (Cache::of(backends), Record::of(backends));
        Self { services, cache, record, weather, random, started, deck: Vec::new(), blows: Blows::default() }
    }

    /// The next fault. Servers are back when it returns.
    pub(crate) fn strike(&mut self, fleet: &mut Fleet) {
        if self.deck.is_empty() {
            let often = if self.blows.counts.is_empty() { &[][..] } else { self.weather.often() };
            self.deck = [&self.weather.kinds(), often].concat();
            self.random.shuffle(&mut self.deck);
        }
        let Some(fault) = self.deck.pop() else { return };
        say(&format!("{:>6.1} s  {fault:?}", self.started.elapsed().as_secs_f64()));
        *self.blows.counts.entry(fault).or_default() += 1;
        match fault {
            Fault::SupervisorKilled => self.blows.deaths.push(fleet.kill_supervisor(&mut self.random)),
            Fault::WorkerKilled => fleet.kill_worker(&mut self.random),
            Fault::RabbitMqRestarted => self.restart(ServerKind::RabbitMq),
            Fault::PostgresRestarted => self.away(|storm| storm.restart(ServerKind::Postgres)),
            Fault::RedisFlushed => self.cache.flush(),
            Fault::RedisRestarted => self.restart(ServerKind::Redis),
            Fault::PostgresPaused => self.away(|storm| {
                storm.services.pause(ServerKind::Postgres);
                std::thread::sleep(STALL);
                storm.services.resume(ServerKind::Postgres);
            }),
            // What CREATE INDEX takes, what ALTER TABLE takes, and what a person takes who looks at rows to fix them.
            Fault::TableLockedForWriting => self.hold("LOCK TABLE executions IN SHARE MODE"),
            Fault::TableLocked => self.hold("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE"),
            Fault::RowsLocked => {
                self.hold("SELECT id FROM executions WHERE completed_at IS NULL FOR UPDATE SKIP LOCKED");
            }
            Fault::ReadOnly => self.away(|storm| {
                storm.record.execute("ALTER SYSTEM SET default_transaction_read_only = on");
                storm.record.execute("SELECT pg_reload_conf()");
                std::thread::sleep(STALL);
                storm.record.execute("ALTER SYSTEM RESET default_transaction_read_only");
                storm.record.execute("SELECT pg_reload_conf()");
            }),
            Fault::SupervisorFrozen => fleet.freeze_supervisor(&mut self.random, FREEZE),
            Fault::SupervisorUpgraded => {
                self.blows.deaths.extend(fleet.upgrade_supervisor(&mut self.random));
            }
        }
    }

    /// Somebody has a lock, for as long as the database counts as away.
    fn hold(&mut self, statement: &str) {
        self.away(|storm| {
            let held = storm.record.hold(statement);
            std::thread::sleep(STALL);
            drop(held);
        });
    }

    fn away(&mut self, trouble: impl FnOnce(&mut Self)) {
        let from = Timestamp::now();
        trouble(self);
        self.blows.database_away.push((from, Timestamp::now()));
    }

    /// True once every kind of fault has struck.
    pub(crate) fn has_shown_all(&self) -> bool {
        self.blows.counts.len() == self.weather.kinds().len()
    }

    /// Politely, or as a crash.
    fn restart(&mut self, service: ServerKind) {
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
