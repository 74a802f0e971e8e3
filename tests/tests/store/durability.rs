//! What was finalized survives the server, however the database is set up.

use std::sync::Arc;

use muster_store::Claim;

use crate::fixture::{claimant, new_execution, postgres, success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_18_an_end_waits_for_the_disk_even_where_the_default_is_not_to() {
    let fixture = postgres().await;
    fixture
        .sql(
            "DO $$ BEGIN EXECUTE format(
                'ALTER DATABASE %I SET synchronous_commit = off', current_database()
            ); END $$;
            CREATE TABLE seen (status text, synchronous_commit text);
            CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO seen VALUES (NEW.status, current_setting('synchronous_commit'));
                RETURN NULL;
            END $$;
            CREATE TRIGGER look AFTER INSERT OR UPDATE OF status ON executions
                FOR EACH ROW EXECUTE FUNCTION look()",
        )
        .await;
    let (store, me) = (fixture.another_store().await, claimant());
    let attempt = match &store.claim(&me, &[Arc::new(new_execution())]).await.unwrap()[..] {
        [Claim::Claimed(claimed)] => claimed.attempt,
        other => panic!("not claimed: {other:?}"),
    };
    store.finalize(&[success(&me, attempt)]).await.unwrap();
    assert_eq!(
        fixture.texts("SELECT current_setting('synchronous_commit')").await,
        ["on"],
        "an older session"
    );
    let seen = fixture.texts("SELECT status || ' ' || synchronous_commit FROM seen ORDER BY 1").await;
    assert_eq!(seen, ["RUNNING on", "SUCCESS on"]);
}
