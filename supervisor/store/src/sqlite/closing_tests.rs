//! What is beside the file once it is closed, and what is said of one that does not fit what is beside it.

use std::path::Path;
use std::time::Duration;

use muster_core::execution::ExecutionRequest;
use rusqlite::Connection;
use uuid::Uuid;

use super::damage::check_file;
use super::{Durability, SqliteStore};
use crate::{
    ExecutionFilter, ExecutionStore as _, NewExecution, QueueStore as _, SchemaStore as _, StoreError,
};

async fn open(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path, Durability::Normal).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn submit(store: &SqliteStore, count: usize) {
    let request = |_| {
        let (id, text) = (Uuid::now_v7(), "x".repeat(1_000));
        let body = format!(r#"{{"execution_id":"{id}","workflow":"w","parameters":"{text}"}}"#);
        NewExecution::of(&ExecutionRequest::parse(body.as_bytes()).unwrap(), 3)
    };
    store.submit(&(0..count).map(request).collect::<Vec<_>>()).await.unwrap();
}

#[tokio::test]
async fn one_that_is_closed_is_alone_and_says_that_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.db");
    let store = open(&path).await;
    submit(&store, 50).await;
    // Each reading connection has a thread of its own, which ends after a drop, not in it.
    let filter = ExecutionFilter { limit: 10, ..ExecutionFilter::default() };
    for _ in 0..8 {
        assert_eq!(store.executions(&filter).await.unwrap().executions.len(), 10);
    }
    assert!(folder.path().join("muster.db-wal").exists());
    store.close().await;
    store.close().await;
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["muster.db"]);
    for error in [store.facts().await.unwrap_err(), store.forget_keys(1).await.unwrap_err()] {
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    }
}

#[tokio::test]
async fn somebody_who_has_it_open_is_not_waited_for_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.db");
    let store = open(&path).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM executions").unwrap();
    submit(&store, 50).await;
    tokio::time::timeout(Duration::from_secs(4), store.close()).await.unwrap();
    other.execute_batch("COMMIT").unwrap();
    let count: i64 = other.query_row("SELECT count(*) FROM executions", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 50);
}

#[tokio::test]
async fn damage_is_kept_in_mind_until_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.db");
    let store = open(&path).await;
    assert!(store.facts().await.is_ok());
    store.check_file(Duration::from_secs(60)).await.unwrap();
    submit(&store, 1).await;
    store.damage.note(&StoreError::Damaged { backend: "sqlite", message: "torn".to_owned() });
    let error = store.facts().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains("torn"), "{error}");
    assert!(
        matches!(store.forget_keys(1).await, Err(StoreError::Damaged { .. })),
        "nothing is written to it"
    );
    store.close().await;
    let wal = folder.path().join("muster.db-wal");
    assert!(wal.metadata().is_ok_and(|wal| wal.len() > 0), "nothing is mixed into a damaged file");
}

/// Blocking threads may all be busy, so that the look begins when it was to be over.
#[test]
fn a_look_that_begins_too_late_is_none() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.db");
        let store = open(&path).await;
        submit(&store, 50).await;
        store.close().await;
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[end - 3 * 4096..].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        let found = check_file(&path, Duration::from_secs(60)).await;
        assert!(matches!(found, Err(StoreError::Damaged { .. })), "{found:?}");

        let (free, held) = std::sync::mpsc::channel::<()>();
        let holds = tokio::task::spawn_blocking(move || held.recv());
        let patience = Duration::from_millis(10);
        let late = async {
            tokio::time::sleep(patience * 30).await;
            drop(free);
        };
        let (found, ()) = tokio::join!(check_file(&path, patience), late);
        found.unwrap();
        assert!(holds.await.unwrap().is_err());
    });
}
