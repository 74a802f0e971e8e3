//! What a power failure may take: of the service nothing, of a batch the last commits.

use super::rows::write_query;
use super::{Durability, SqliteStore};

#[tokio::test]
async fn rule_18_only_the_service_waits_for_the_disk() {
    // The numbers of PRAGMA synchronous: in WAL mode FULL syncs at each commit, and NORMAL at checkpoints only.
    for (durability, expected) in [(Durability::Full, 2), (Durability::Normal, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("muster.db"), durability).await.unwrap();
        let writer = store.writer.begin().await.unwrap();
        let pragma = |sql: &str| writer.rows(write_query(sql)).unwrap().remove(0);
        let synchronous: i64 = pragma("PRAGMA synchronous").try_get("synchronous").unwrap();
        let journal: String = pragma("PRAGMA journal_mode").try_get("journal_mode").unwrap();
        assert_eq!((synchronous, journal.as_str()), (expected, "wal"), "{durability:?}");
    }
}
