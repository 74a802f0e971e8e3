//! Connections that are lent for transactions, and stay ready between them.
//!
//! The library's pool asks the server for a sign of life whenever a connection comes back, and waits for a server
//! that refuses one. On the way of each execution the first is a round trip or two for nothing, and the second
//! keeps an outcome from the outbox and an answer from who asked. Here one that was used a moment ago is simply used
//! again, one that has rested is tried first, and a refusal is an answer. A server that has no room for another one
//! gets back those that rest: with few connections all goes on, slower.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// How long to wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// One that rested for longer is tried before it is lent: the server may have been restarted.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// What the server says when a user, a database or all of it has as many connections as it may have.
pub(super) const NO_ROOM: &str = "53300";
/// So long room is made for another one. Who asks over HTTP hears of it soon.
const ROOM_WITHIN: Duration = Duration::from_millis(120);
/// The server takes a moment to let go of a connection that was closed.
const ROOM_TAKES: Duration = Duration::from_millis(15);

/// A connection that rested for so long is closed.
const REST_MAX: Duration = Duration::from_secs(600);
/// A connection that is so old is closed, so that the memory its session holds at the server is freed.
const AGE_MAX: Duration = Duration::from_secs(1800);

/// What every session is told. A database or a role may be set up otherwise; what was finalized must survive
/// the server; and a process that stands still must not keep others from their rows. The last one is for the triggers
/// of `0028_execution_requests.sql`: whoever does not say it is of a version that reads what was asked for elsewhere.
const SESSION: &str = "SET synchronous_commit = on; SET statement_timeout = '30s'; SET TimeZone = 'UTC'; SET jit = off; \
     SET idle_in_transaction_session_timeout = '10s'; SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning; \
     SET muster.reads_execution_requests = on";

const CUSTOM_PLAN: &str = "SET plan_cache_mode = force_custom_plan";

/// A plan that is kept must be right for an empty table and a full one. A bitmap scan is the only one that cannot
/// read all of an index, so with nothing else to choose from every row is found by its id.
const ONCE: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                    SET enable_indexscan = off; SET enable_indexonlyscan = off";

/// Lists are read in the order of their own index. Left to its guesses of how many rows there are, the server would
/// read all that another index has in part of that order, or all that has the key, and sort it. Servers before version
/// 13 have not all of these settings, nor these plans.
const IN_ORDER: &str = "SELECT set_config(name, 'off', false) FROM pg_settings \
                        WHERE name IN ('enable_incremental_sort', 'enable_bitmapscan')";

/// Whoever has locked a row must not hold up what is written together with it.
const NO_LONG_WAIT: &str = "SET lock_timeout = '1s'";

/// How the server plans what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planning {
    /// Anew each time, for the table as it is: a plan made while it was empty and kept for good would read all
    /// of it for each row of a group later.
    EachTime,
    /// The same, for lists.
    Lists,
    /// Once, for statements that find their rows by id.
    Once,
    /// Once, and a crash of the server may take what was written.
    OnceUnflushed,
}

impl Planning {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::EachTime => &[SESSION, CUSTOM_PLAN],
            Self::Lists => &[SESSION, CUSTOM_PLAN, IN_ORDER],
            Self::Once => &[SESSION, ONCE, NO_LONG_WAIT],
            Self::OnceUnflushed => &[SESSION, ONCE, NO_LONG_WAIT, "SET synchronous_commit = off"],
        }
    }

    async fn apply(self, connection: &mut PgConnection) -> sqlx::Result<()> {
        for settings in self.settings() {
            connection.execute(*settings).await?;
        }
        Ok(())
    }
}

async fn answers(connection: &mut PgConnection) -> bool {
    matches!(timeout(ACQUIRE_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

/// What rests of all kinds of connections of one store.
#[derive(Debug, Default)]
pub(super) struct Household {
    resting: Mutex<Vec<RestingConnection>>,
}

impl Household {
    fn resting(&self) -> MutexGuard<'_, Vec<RestingConnection>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the one that was used last of those that were told the same.
    fn take(&self, planning: Planning) -> Option<RestingConnection> {
        let mut resting = self.resting();
        let place = resting.iter().rposition(|one| one.planning == planning)?;
        Some(resting.remove(place))
    }

    /// Closes all that rest.
    fn make_room(&self) {
        self.resting().clear();
    }
}

/// Connections that are lent.
#[derive(Debug)]
pub(super) struct Connections {
    options: PgConnectOptions,
    planning: Planning,
    max: u32,
    permits: Arc<Semaphore>,
    household: Arc<Household>,
}

#[derive(Debug)]
struct RestingConnection {
    connection: PgConnection,
    planning: Planning,
    born: Instant,
    since: Instant,
}

/// One that is lent. Dropped instead of given back it is closed: the server rolls back, and neither a silent
/// network nor half an answer can reach whoever would get it next.
#[derive(Debug)]
pub(super) struct BorrowedConnection {
    pub(super) connection: PgConnection,
    born: Instant,
    permit: OwnedSemaphorePermit,
}

impl Connections {
    /// Up to so many. Connects when it is first used.
    pub(super) fn new(
        options: PgConnectOptions,
        max: u32,
        planning: Planning,
        household: &Arc<Household>,
    ) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(max as usize));
        Arc::new(Self { options, planning, max, permits, household: Arc::clone(household) })
    }

    /// How many there may be.
    pub(super) fn max(&self) -> u32 {
        self.max
    }

    /// One that is believed to work: the one that was used last, or a new one.
    pub(super) async fn borrow(&self) -> sqlx::Result<BorrowedConnection> {
        let permit = timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        while let Some(RestingConnection { mut connection, born, since, .. }) =
            self.household.take(self.planning)
        {
            if since.elapsed() < TRUSTED_FOR || answers(&mut connection).await {
                return Ok(BorrowedConnection { connection, born, permit });
            }
        }
        let connected = timeout(ACQUIRE_TIMEOUT, self.connect()).await;
        let connection = connected.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(BorrowedConnection { connection, born: Instant::now(), permit })
    }

    /// A new one, for which room is made if there is none: what others borrowed may rest, too, in a moment.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let until = Instant::now() + ROOM_WITHIN;
        loop {
            match PgConnection::connect_with(&self.options).await {
                Ok(mut connection) => {
                    self.planning.apply(&mut connection).await?;
                    return Ok(connection);
                }
                Err(refusal) if is_for_want_of_room(&refusal) && Instant::now() < until => {
                    self.household.make_room();
                    sleep(ROOM_TAKES).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes one back, in good order: no transaction is open on it, and no answer is missing.
    pub(super) fn give_back(&self, lent: BorrowedConnection) {
        let BorrowedConnection { connection, born, permit } = lent;
        let now = Instant::now();
        let mut resting = self.household.resting();
        resting.retain(|resting| now.duration_since(resting.since) < REST_MAX);
        if now.duration_since(born) < AGE_MAX {
            resting.push(RestingConnection { connection, planning: self.planning, born, since: now });
        }
        drop(resting);
        // Whoever waits for a permit finds it resting.
        drop(permit);
    }
}

fn is_for_want_of_room(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.code().as_deref() == Some(NO_ROOM))
}
