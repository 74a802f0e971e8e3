//! What a power failure may take: of the service nothing, of a batch the last commits.

use super::{Durability, SqliteStore};

#[tokio::test]
async fn rule_18_only_the_service_waits_for_the_disk() {
    // The numbers of PRAGMA synchronous: in WAL mode FULL syncs at each commit, and NORMAL at checkpoints only.
    for (durability, expected) in [(Durability::Full, 2), (Durability::Normal, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("muster.db"), durability).await.unwrap();
        let mut writer = store.writer.acquire().await.unwrap();
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *writer).await.unwrap();
        let journal: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *writer).await.unwrap();
        assert_eq!((synchronous, journal.as_str()), (expected, "wal"), "{durability:?}");
    }
}
