//! LISTEN: a row that was submitted anywhere wakes the poll here, and a changed definition whoever keeps what was read.

use std::sync::Arc;
use std::time::Duration;

use muster_system::vital;
use sqlx::postgres::{PgListener, PgNotification, PgPool, PgPoolOptions};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::PostgresStore;

const PENDING: &str = "muster_pending";
const DEFINITIONS: &str = "muster_definitions";

/// Between tries to listen. The poll's own timer covers what is missed meanwhile.
const RETRY: Duration = Duration::from_secs(2);

/// Who is woken.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    /// Whoever polls for rows that wait.
    pub(super) pending: Notify,
    /// Whoever keeps what is defined.
    pub(super) definitions: Notify,
}

impl PostgresStore {
    /// Begins to listen, with the first who wants to be woken.
    pub(super) fn listen(&self) {
        self.listener.get_or_init(|| {
            // The library's listener connects by a pool.
            let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.shared.options.clone());
            let listening = listen_for_ever(pool, Arc::clone(&self.shared.wakers));
            AbortOnDropHandle::new(tokio::spawn(vital::turning("listener", listening)))
        });
    }
}

/// Passes on wake-ups for ever.
async fn listen_for_ever(pool: PgPool, wakers: Arc<Wakers>) {
    loop {
        if let Err(error) = listen(&pool, &wakers).await {
            tracing::debug!(%error, "not listening for submitted executions, polling goes on");
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn listen(pool: &PgPool, wakers: &Wakers) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([PENDING, DEFINITIONS]).await?;
    let mut notification: Option<PgNotification> = None;
    loop {
        match notification.as_ref().map(PgNotification::channel) {
            Some(PENDING) => wakers.pending.notify_one(),
            Some(DEFINITIONS) => wakers.definitions.notify_one(),
            // Anything may have happened before we listened, or while the connection was down.
            Some(_) | None => {
                wakers.pending.notify_one();
                wakers.definitions.notify_one();
            }
        }
        notification = listener.try_recv().await?;
    }
}
