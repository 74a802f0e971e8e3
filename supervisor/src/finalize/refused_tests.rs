//! A row whose end the database refuses costs itself only, on a real database with somebody's trigger in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_core::execution::{Attempt, ExecutionRequest, Status};
use muster_store::{
    Claim, ClaimStore as _, Claimant, Disposition, Durability, ExecutionOutcome, ExecutionStore as _,
    Finalization, NewExecution, SchemaStore as _, ServedQueues, SqliteStore,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Admission, Finalized, FinalizedSink, Finalizer, SpillFiles};

const WITHIN: Duration = Duration::from_secs(30);
/// So many outcomes are written together.
const MANY: u128 = 100;
/// One of them is refused.
const REFUSED: u128 = 37;

/// Notes what is written, and whether the store ever counted as out of reach.
#[derive(Debug)]
struct NotedOutcomes {
    written: watch::Sender<Vec<Uuid>>,
    /// It was out of reach at some time.
    away: watch::Sender<bool>,
    slots: watch::Sender<usize>,
}

impl NotedOutcomes {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            written: watch::Sender::default(),
            away: watch::Sender::default(),
            slots: watch::Sender::new(1),
        })
    }

    async fn written(&self, count: usize) {
        let mut written = self.written.subscribe();
        let became = tokio::time::timeout(WITHIN, written.wait_for(|ids| ids.len() >= count)).await;
        became.unwrap_or_else(|_| panic!("{} of {count} are written", self.written.borrow().len())).unwrap();
    }
}

#[async_trait]
impl FinalizedSink for NotedOutcomes {
    async fn finalized(&self, group: Vec<Finalized>, _took: Duration) {
        self.written.send_modify(|written| {
            written.extend(group.iter().map(|outcome| outcome.finalization.attempt.execution_id));
        });
    }

    async fn store_unreachable(&self, unreachable: bool) {
        self.away.send_modify(|away| *away |= unreachable);
    }
}

impl Admission for NotedOutcomes {
    fn slots(&self) -> watch::Receiver<usize> {
        self.slots.subscribe()
    }
    fn inside(&self) -> usize {
        0
    }
    fn no_room(&self, _no_room: bool) {}
}

async fn execute(database: &Path, sql: &str) {
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

/// A trigger that holds back rows with these ids.
async fn refuse(database: &Path, condition: &str) {
    let sql = format!(
        "CREATE TRIGGER hold_back BEFORE UPDATE ON executions WHEN NEW.status <> 'RUNNING' AND {condition}
         BEGIN SELECT RAISE(ABORT, 'the books are closed'); END"
    );
    execute(database, &sql).await;
}

async fn claimed(store: &SqliteStore, claimant: &Claimant) -> Vec<Finalization> {
    let new = |number: u128| {
        let id = Uuid::from_u128(number);
        let request = format!(r#"{{"execution_id":"{id}","workflow":"w"}}"#);
        Arc::new(NewExecution::of(&ExecutionRequest::parse(request.as_bytes()).unwrap(), 3))
    };
    let claims = store.claim(claimant, &(0..MANY).map(new).collect::<Vec<_>>()).await.unwrap();
    claims
        .into_iter()
        .map(|claim| {
            let Claim::Claimed(claimed) = claim else { panic!("{claim:?}") };
            success(claimed.attempt, claimant.owner)
        })
        .collect()
}

fn success(attempt: Attempt, owner: Uuid) -> Finalization {
    let success = ExecutionOutcome::Success { result: serde_json::value::RawValue::NULL.to_owned() };
    Finalization::bare(attempt, owner, Disposition::Terminal(success))
}

struct RefusalWorld {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    notes: Arc<NotedOutcomes>,
}

impl RefusalWorld {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db"), Durability::Normal).await.unwrap();
        store.migrate().await.unwrap();
        Self { folder, store: Arc::new(store), notes: NotedOutcomes::new() }
    }

    fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("db")
    }

    fn finalizer(&self) -> Finalizer {
        let files = SpillFiles::open(self.folder.path(), 1 << 30).unwrap();
        let store = self.store.clone();
        Finalizer::start(store, Arc::clone(&self.notes) as _, Arc::clone(&self.notes) as _, Some(files))
            .unwrap()
    }

    async fn status(&self, number: u128) -> Status {
        self.store.execution(Uuid::from_u128(number)).await.unwrap().unwrap().status
    }
}

fn claimant() -> Claimant {
    Claimant::new(Duration::from_secs(30), ServedQueues::of(["q"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_waits_alone_outlives_the_process_and_is_written_in_the_end() {
    let world = RefusalWorld::new().await;
    let outcomes = claimed(&world.store, &claimant()).await;
    refuse(&world.database(), &format!("NEW.id = '{}'", Uuid::from_u128(REFUSED))).await;
    let finalizer = world.finalizer();
    outcomes.into_iter().for_each(|outcome| finalizer.finalize(outcome));
    world.notes.written(MANY as usize - 1).await;
    tokio::time::timeout(WITHIN, finalizer.flushed()).await.expect("the refused one is safe on disk");
    let refused = finalizer.refused();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].attempt.execution_id, Uuid::from_u128(REFUSED));
    assert!(refused[0].message.contains("the books are closed"), "{refused:?}");
    assert!(!*world.notes.away.borrow(), "the intake stays open");
    assert_eq!(world.status(REFUSED).await, Status::Running);

    // Another process finds it, and the trigger is gone.
    drop(finalizer);
    execute(&world.database(), "DROP TRIGGER hold_back").await;
    let finalizer = world.finalizer();
    tokio::time::timeout(WITHIN, finalizer.replayed()).await.unwrap();
    assert_eq!(world.status(REFUSED).await, Status::Success);
    assert_eq!(finalizer.refused(), []);
    assert_eq!(world.folder.path().join("outbox-refused").metadata().unwrap().len(), 8, "the file is empty");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_is_tried_again_by_itself() {
    let world = RefusalWorld::new().await;
    let outcomes = claimed(&world.store, &claimant()).await;
    refuse(&world.database(), &format!("NEW.id = '{}'", Uuid::from_u128(REFUSED))).await;
    let finalizer = world.finalizer();
    outcomes.into_iter().for_each(|outcome| finalizer.finalize(outcome));
    world.notes.written(MANY as usize - 1).await;
    execute(&world.database(), "DROP TRIGGER hold_back").await;
    world.notes.written(MANY as usize).await;
    assert_eq!(world.status(REFUSED).await, Status::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_everything_is_out_of_reach() {
    let world = RefusalWorld::new().await;
    let outcomes = claimed(&world.store, &claimant()).await;
    execute(&world.database(), "ALTER TABLE executions RENAME TO away").await;
    let finalizer = world.finalizer();
    outcomes.into_iter().for_each(|outcome| finalizer.finalize(outcome));
    let mut away = world.notes.away.subscribe();
    let closed = tokio::time::timeout(WITHIN, away.wait_for(|away| *away)).await;
    closed.expect("the intake closes").unwrap();
    assert_eq!(finalizer.refused(), []);
    execute(&world.database(), "ALTER TABLE away RENAME TO executions").await;
    world.notes.written(MANY as usize).await;
}
