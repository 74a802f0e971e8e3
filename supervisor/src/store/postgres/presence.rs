//! Showing that we live, and proving that others do not.
//!
//! A supervisor holds a session advisory lock on a connection of its own. When its process dies the server
//! frees the lock, so the others need not wait for the lease. Behind a pooler that shares sessions the lock
//! proves nothing: then it is off, and the lease alone decides.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{Connection as _, Executor as _, Row};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::error::store_error;
use super::transaction::within;
use super::{BACKEND, statements};
use crate::store::columns::At;
use crate::store::rows::micros;
use crate::store::{Claimant, Result, StoreError};
use crate::vital;

/// The lock of a dead supervisor is free twice, this far apart.
const PROOF_INTERVAL: Duration = Duration::from_secs(1);

/// After a start of the server everybody gets this long to take their locks again.
const SERVER_UP_MIN: Duration = Duration::from_secs(3);

/// How often the connection that holds the lock is tried: often enough that a lost one is noticed, and the lock
/// taken again, between the two looks of a proof.
const BEAT: Duration = Duration::from_millis(250);
const _: () =
    assert!(BEAT.as_millis() * 4 <= PROOF_INTERVAL.as_millis(), "an owner that lives is proven dead");

/// How long any answer on it may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Between tries to take the lock again.
const RETRY: Duration = Duration::from_millis(200);

/// How long a claim waits for the lock to be taken again.
const READY_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether others can see that we live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody asked for it.
    NotAsked,
    /// The lock is ours.
    Held,
    /// The connection is gone: the lock comes before other work.
    Lost,
    /// A pooler is in the way.
    Off,
}

/// The lock and the task that keeps it.
#[derive(Debug)]
pub(super) struct Presence {
    state: watch::Sender<State>,
    keeper: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// The key of a supervisor's lock.
pub(super) fn lock_key(owner: Uuid) -> i64 {
    let (high, low) = owner.as_u64_pair();
    (high ^ low).cast_signed()
}

impl Presence {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(State::NotAsked), keeper: Mutex::default() }
    }

    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Waits until claims may be made: not before the lock is ours again.
    pub(super) async fn ready(&self) -> Result<()> {
        let mut state = self.state.subscribe();
        let ready = state.wait_for(|state| *state != State::Lost);
        match tokio::time::timeout(READY_TIMEOUT, ready).await {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Unreachable {
                backend: BACKEND,
                message: "the lock that shows we are alive could not be taken again yet".to_owned(),
            }),
        }
    }

    /// Takes the lock and keeps it.
    pub(super) async fn hold(&self, options: &PgConnectOptions, owner: Uuid) -> Result<()> {
        if !session_locks_hold(options).await? {
            tracing::warn!(
                "a pooler shares database sessions, so the death of a supervisor shows only when its lease \
                 ends; give a direct database_url"
            );
            self.state.send_replace(State::Off);
            return Ok(());
        }
        let connection = take(options, owner).await?;
        self.state.send_replace(State::Held);
        let keeper = tokio::spawn(vital::turning(
            "presence",
            keep(connection, options.clone(), owner, self.state.clone()),
        ));
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(AbortOnDropHandle::new(keeper));
        Ok(())
    }
}

/// Keeps the lock for ever: a lost connection is noticed within a beat, and the lock taken again.
async fn keep(
    mut connection: PgConnection,
    options: PgConnectOptions,
    owner: Uuid,
    state: watch::Sender<State>,
) {
    loop {
        while within(ANSWER_TIMEOUT, connection.execute("SELECT 1")).await.is_ok() {
            sleep(BEAT).await;
        }
        state.send_replace(State::Lost);
        tracing::warn!("lost the database connection that shows we are alive; taking it again");
        connection = loop {
            match take(&options, owner).await {
                Ok(connection) => break connection,
                Err(_) => sleep(RETRY).await,
            }
        };
        state.send_replace(State::Held);
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    within(ANSWER_TIMEOUT, PgConnection::connect_with(options)).await
}

async fn try_lock(connection: &mut PgConnection, key: i64) -> Result<bool> {
    let query = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(key);
    let row = within(ANSWER_TIMEOUT, query.fetch_one(connection)).await?;
    row.try_get(0).map_err(store_error)
}

/// A connection that holds the lock of this owner.
async fn take(options: &PgConnectOptions, owner: Uuid) -> Result<PgConnection> {
    let mut connection = connect(options).await?;
    // The server must notice a host that fell silent, or the lock would outlive it.
    let keepalives =
        "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3";
    within(ANSWER_TIMEOUT, connection.execute(keepalives)).await?;
    // Where the lock is not free, our own last session is not over yet (or somebody probes it at this
    // moment). Until it is, it still shows that we live.
    while !try_lock(&mut connection, lock_key(owner)).await? {
        sleep(RETRY).await;
    }
    let record = sqlx::query(statements::RECORD_PRESENCE).bind(owner);
    within(ANSWER_TIMEOUT, record.execute(&mut connection)).await?;
    Ok(connection)
}

/// Whether a session lock taken on one connection keeps another connection out. Behind a pooler that hands
/// sessions from one transaction to the next both are the same session, and the second gets it too.
pub(super) async fn session_locks_hold(options: &PgConnectOptions) -> Result<bool> {
    let key = lock_key(Uuid::new_v4());
    let (mut one, mut two) = (connect(options).await?, connect(options).await?);
    let held = try_lock(&mut one, key).await? && !try_lock(&mut two, key).await?;
    for connection in [one, two] {
        // The answer is known; how the connections end does not matter.
        let _ended = tokio::time::timeout(ANSWER_TIMEOUT, connection.close()).await;
    }
    Ok(held)
}

/// See [`crate::store::Store::dead_owners`].
pub(super) async fn dead_owners(pool: &PgPool, claimant: &Claimant) -> Result<Vec<Uuid>> {
    let first = without_lock(pool, claimant).await?;
    if first.is_empty() {
        return Ok(Vec::new());
    }
    sleep(PROOF_INTERVAL).await;
    let second = without_lock(pool, claimant).await?;
    // A renewal in between is a sign of life.
    let dead = second.into_iter().filter(|(owner, lease)| first.get(owner) == Some(lease));
    Ok(dead.map(|(owner, _)| owner).collect())
}

/// Other supervisors with RUNNING rows whose lock is free at this moment, with the end of their last lease.
async fn without_lock(pool: &PgPool, claimant: &Claimant) -> Result<HashMap<Uuid, Timestamp>> {
    let query = sqlx::query(statements::OTHERS).bind(claimant.owner).bind(micros(SERVER_UP_MIN));
    let rows = within(ANSWER_TIMEOUT, query.fetch_all(pool)).await?;
    let mut others = HashMap::new();
    for row in rows {
        let owner: Uuid = row.try_get("owner").map_err(store_error)?;
        let lease: At = row.try_get("lease_expires_at").map_err(store_error)?;
        others.insert(owner, lease.0);
    }
    if others.is_empty() {
        return Ok(others);
    }
    let owners: Vec<Uuid> = others.keys().copied().collect();
    let keys: Vec<i64> = owners.iter().copied().map(lock_key).collect();
    let query = sqlx::query(statements::STILL_DEAD).bind(owners).bind(keys);
    let rows = within(ANSWER_TIMEOUT, query.fetch_all(pool)).await?;
    let free: Vec<Uuid> =
        rows.iter().map(|row| row.try_get("owner")).collect::<sqlx::Result<_>>().map_err(store_error)?;
    others.retain(|owner, _| free.contains(owner));
    Ok(others)
}
