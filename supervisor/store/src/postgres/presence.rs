//! Showing the other supervisors that we live.
//!
//! Twice over: a session advisory lock on a connection of its own, which the server frees when the process dies, and
//! a beat, which is written on whichever connection works. Either alone shows a life, so whatever becomes of one
//! connection, a supervisor that still reaches the database is not taken for dead. Behind a pooler that shares
//! sessions the lock proves nothing: then all of this is off, and the lease alone decides.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_system::process::ProcessIdentity;
use muster_system::vital;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _, Row};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::connections::Connections;
use super::error::store_error;
use super::transaction::{PostgresQuery, within};
use super::{BACKEND, statements};
use crate::rows::micros;
use crate::{Claimant, PresenceShown, Result, StoreError};

/// How often the connection that holds the lock is tried.
const TRY: Duration = Duration::from_millis(250);

/// How long any answer on it may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Between tries to take the lock again.
const RETRY: Duration = Duration::from_millis(200);

/// How often a lock that is not free is tried before everything is begun anew.
const TRIES: u32 = 10;

/// How often a supervisor beats.
const BEAT: Duration = Duration::from_millis(500);
/// How long one connection may take for a beat before the next is used.
const BEAT_TIMEOUT: Duration = Duration::from_secs(1);
/// How old a beat may be that still shows a supervisor alive.
const BEAT_FRESH: Duration = Duration::from_millis(2500);

/// How long a claim waits until we are seen again.
const READY_TIMEOUT: Duration = Duration::from_secs(3);

/// The lock that shows that we live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LockState {
    /// Nobody asked for it.
    NotAsked,
    /// It is ours.
    Held,
    /// Its connection is gone.
    Lost {
        /// Since when.
        since: Instant,
        /// Why it is not taken again yet.
        why: String,
    },
    /// A pooler is in the way.
    Off,
}

/// What others can see of us.
#[derive(Clone, Debug)]
struct PresenceState {
    lock: LockState,
    beaten_at: Option<Instant>,
}

impl PresenceState {
    fn beats(&self) -> bool {
        self.beaten_at.is_some_and(|at| at.elapsed() <= BEAT_FRESH)
    }

    /// Nobody can take us for dead.
    fn lives(&self) -> bool {
        !matches!(self.lock, LockState::Lost { .. }) || self.beats()
    }
}

/// The lock and the beat, with the tasks that keep them.
#[derive(Debug)]
pub(super) struct Presence {
    shown: watch::Sender<PresenceState>,
    keepers: Mutex<Vec<AbortOnDropHandle<()>>>,
}

/// The key of a supervisor's lock.
pub(super) fn lock_key(owner: Uuid) -> i64 {
    let (high, low) = owner.as_u64_pair();
    (high ^ low).cast_signed()
}

/// What the row of a supervisor says of it.
#[derive(Clone, Debug)]
struct PresenceRow {
    claimant: Claimant,
    identity: Option<ProcessIdentity>,
}

impl PresenceRow {
    /// Binds it to a statement.
    fn on<'q>(&'q self, query: PostgresQuery<'q>) -> PostgresQuery<'q> {
        let identity = self.identity.as_ref();
        query
            .bind(self.claimant.owner)
            .bind(micros(self.claimant.lease))
            .bind(identity.map(|identity| identity.host.as_str()))
            .bind(identity.map(|identity| i64::from(identity.process_id)))
            .bind(identity.map(|identity| identity.started.cast_signed()))
    }
}

impl Presence {
    pub(super) fn new() -> Self {
        let shown = PresenceState { lock: LockState::NotAsked, beaten_at: None };
        Self { shown: watch::Sender::new(shown), keepers: Mutex::default() }
    }

    pub(super) fn state(&self) -> LockState {
        self.shown.borrow().lock.clone()
    }

    /// For people.
    pub(super) fn shown(&self) -> PresenceShown {
        let shown = self.shown.borrow();
        match &shown.lock {
            LockState::NotAsked | LockState::Off => PresenceShown::NotNeeded,
            LockState::Held => PresenceShown::Yes,
            LockState::Lost { since, why } => {
                PresenceShown::Lost { since: since.elapsed(), why: why.clone(), beats: shown.beats() }
            }
        }
    }

    /// Waits until claims may be made: not before others can see that we live.
    pub(super) async fn ready(&self) -> Result<()> {
        let mut shown = self.shown.subscribe();
        let ready = shown.wait_for(PresenceState::lives);
        match tokio::time::timeout(READY_TIMEOUT, ready).await {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Unreachable {
                backend: BACKEND,
                message: "other supervisors cannot see yet that this one lives".to_owned(),
            }),
        }
    }

    /// Takes the lock and keeps it, and beats, on any of these connections.
    pub(super) async fn hold(
        &self,
        options: &PgConnectOptions,
        claimant: &Claimant,
        identity: Option<ProcessIdentity>,
        others: [Arc<Connections>; 4],
    ) -> Result<()> {
        if !session_locks_hold(options).await? {
            tracing::warn!(
                "a pooler shares database sessions, so the death of a supervisor shows only when its lease \
                 ends; give a direct database_url"
            );
            self.shown.send_modify(|shown| shown.lock = LockState::Off);
            return Ok(());
        }
        let card = PresenceRow { claimant: claimant.clone(), identity };
        let held = take(options, &card, None).await?;
        self.shown
            .send_modify(|shown| (shown.lock, shown.beaten_at) = (LockState::Held, Some(Instant::now())));
        let keep = keep(held, options.clone(), card.clone(), self.shown.clone());
        let beat = beat_for_ever(others, card, self.shown.clone());
        let (keep, beat) = (vital::turning("presence", keep), vital::turning("beat", beat));
        let keepers = [tokio::spawn(keep), tokio::spawn(beat)].map(AbortOnDropHandle::new);
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner).extend(keepers);
        Ok(())
    }
}

/// The connection that holds the lock.
struct HeldLock {
    connection: PgConnection,
    /// Its number at the server.
    session: i32,
}

/// Keeps the lock for ever. A lost connection is closed before anything else: for as long as it is open its session
/// may hold the very lock that is to be taken again.
async fn keep(
    mut held: HeldLock,
    options: PgConnectOptions,
    card: PresenceRow,
    shown: watch::Sender<PresenceState>,
) {
    loop {
        let lost_session = held.session;
        let why = until_lost(held, &card, &shown).await;
        tracing::warn!(%why, "lost the database connection that shows we are alive; taking it again");
        let since = Instant::now();
        shown.send_modify(|shown| shown.lock = LockState::Lost { since, why });
        held = loop {
            match take(&options, &card, Some(lost_session)).await {
                Ok(held) => break held,
                Err(error) => {
                    let why = error.to_string();
                    shown.send_modify(|shown| shown.lock = LockState::Lost { since, why });
                    sleep(RETRY).await;
                }
            }
        };
        tracing::info!("the lock that shows we are alive is ours again");
        shown.send_modify(|shown| shown.lock = LockState::Held);
    }
}

/// Returns when the connection is lost and closed, with the reason.
async fn until_lost(mut held: HeldLock, card: &PresenceRow, shown: &watch::Sender<PresenceState>) -> String {
    loop {
        sleep(TRY).await;
        // Where no other connection works, this one beats.
        let beats = shown.borrow().beats();
        let answer = if beats {
            within(ANSWER_TIMEOUT, held.connection.execute("SELECT 1")).await
        } else {
            within(ANSWER_TIMEOUT, card.on(sqlx::query(statements::BEAT)).execute(&mut held.connection)).await
        };
        match answer {
            Ok(_) if !beats => shown.send_modify(|shown| shown.beaten_at = Some(Instant::now())),
            Ok(_) => {}
            // What the server itself refused, it answered: the session lives.
            Err(StoreError::Unreachable { .. } | StoreError::CommitUnknown { .. }) if !beats => {
                if let Err(error) = within(ANSWER_TIMEOUT, held.connection.execute("SELECT 1")).await {
                    return error.to_string();
                }
            }
            Err(_) if !beats => {}
            Err(error) => return error.to_string(),
        }
    }
}

/// Beats for ever, on the first of these connections that works: the one that worked last comes first.
async fn beat_for_ever(
    mut others: [Arc<Connections>; 4],
    card: PresenceRow,
    shown: watch::Sender<PresenceState>,
) {
    let mut every = tokio::time::interval(BEAT);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        for place in 0..others.len() {
            if beat(&others[place], &card).await {
                shown.send_modify(|shown| shown.beaten_at = Some(Instant::now()));
                others.swap(0, place);
                break;
            }
        }
    }
}

async fn beat(connections: &Connections, card: &PresenceRow) -> bool {
    let beaten = tokio::time::timeout(BEAT_TIMEOUT, async {
        let mut lent = connections.borrow().await.ok()?;
        card.on(sqlx::query(statements::BEAT)).execute(&mut lent.connection).await.ok()?;
        connections.give_back(lent);
        Some(())
    });
    matches!(beaten.await, Ok(Some(())))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    within(ANSWER_TIMEOUT, PgConnection::connect_with(options)).await
}

async fn try_lock(connection: &mut PgConnection, key: i64) -> Result<bool> {
    let query = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(key);
    let row = within(ANSWER_TIMEOUT, query.fetch_one(connection)).await?;
    row.try_get(0).map_err(store_error)
}

/// A connection that holds the lock of this owner. A session of ours that was lost is ended at the server: it may
/// not have noticed yet.
async fn take(options: &PgConnectOptions, card: &PresenceRow, lost_session: Option<i32>) -> Result<HeldLock> {
    let mut connection = connect(options).await?;
    // The server must notice a host that fell silent, or the lock would outlive it. A beat that has to wait must not
    // take the session with it.
    let settings = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; \
                    SET statement_timeout = '2s'";
    within(ANSWER_TIMEOUT, connection.execute(settings)).await?;
    let key = lock_key(card.claimant.owner);
    let mut tries = TRIES;
    while !try_lock(&mut connection, key).await? {
        tries -= 1;
        if tries == 0 {
            return Err(StoreError::Unreachable {
                backend: BACKEND,
                message: "another session holds the lock that shows we are alive".to_owned(),
            });
        }
        if let Some(session) = lost_session {
            let end = sqlx::query(statements::END_SESSION).bind(session).bind(key);
            // Not to be allowed to is no harm: the session ends by itself, if later.
            let _ended = within(ANSWER_TIMEOUT, end.execute(&mut connection)).await;
        }
        sleep(RETRY).await;
    }
    let row = sqlx::query("SELECT pg_backend_pid()").fetch_one(&mut connection);
    let session = within(ANSWER_TIMEOUT, row).await?.try_get(0).map_err(store_error)?;
    let record = card.on(sqlx::query(statements::RECORD_PRESENCE));
    within(ANSWER_TIMEOUT, record.execute(&mut connection)).await?;
    Ok(HeldLock { connection, session })
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
