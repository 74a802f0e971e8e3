//! LISTEN: a row that was submitted anywhere wakes the poll here.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;

const CHANNEL: &str = "muster_pending";

/// Between tries to listen. The poll's own timer covers what is missed meanwhile.
const RETRY: Duration = Duration::from_secs(2);

/// Passes on wake-ups for ever.
pub(super) async fn listen_for_ever(pool: PgPool, waker: Arc<Notify>) {
    loop {
        if let Err(error) = listen(&pool, &waker).await {
            tracing::debug!(%error, "not listening for submitted executions, polling goes on");
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn listen(pool: &PgPool, waker: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Something may have been submitted before we listened, or while the connection was down.
        waker.notify_one();
        listener.try_recv().await?;
    }
}
