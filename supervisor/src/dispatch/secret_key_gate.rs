//! The intake stays shut while this supervisor lacks a key that a secret is encrypted with: whatever it claimed would need its
//! configuration, go back for want of it, and fail in the end.

use std::sync::Arc;

use muster_store::{DefinitionEditStore, Result};

use super::slots::{IntakeClosed, Slots};
use crate::secret_keys::{SecretKeys, is_for_executions, locked_secrets};

/// Opens and closes the intake by the secrets that there are.
#[derive(Debug)]
pub(crate) struct SecretKeyGate {
    keys: Arc<SecretKeys>,
    slots: Arc<Slots>,
}

impl SecretKeyGate {
    pub(crate) fn new(keys: Arc<SecretKeys>, slots: Arc<Slots>) -> Self {
        Self { keys, slots }
    }

    /// Looks at the secrets of executions once more.
    ///
    /// # Errors
    /// When they cannot be read; all stays as it was.
    pub(crate) async fn look(&self, store: &dyn DefinitionEditStore) -> Result<()> {
        let config = store.config_records().await?;
        let locked = locked_secrets(&self.keys, &config).into_iter().map(|row| row.key.as_str());
        let locked: Vec<&str> = locked.filter(|key| is_for_executions(true, key)).collect();
        let was_closed = self.slots.closed().contains(&IntakeClosed::SecretKeyMissing);
        if locked.is_empty() {
            if was_closed {
                tracing::info!("every secret can be read again; claiming goes on");
            }
            self.slots.open(IntakeClosed::SecretKeyMissing);
            return Ok(());
        }
        if !was_closed {
            let secrets = locked.join(", ");
            tracing::error!(
                secrets,
                "secrets are encrypted with keys that this supervisor does not have; nothing is claimed here until they can be \
                 read: add the keys to secret_key, behind the current one, or set these secrets anew"
            );
        }
        self.slots.close(IntakeClosed::SecretKeyMissing);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::tests::TestLine;

    #[tokio::test]
    async fn nothing_is_claimed_while_a_secret_cannot_be_read() {
        let line = TestLine::start().await;
        let keys = Arc::new(SecretKeys::parse(&SecretKeys::make()).unwrap());
        let gate = SecretKeyGate::new(keys, Arc::clone(&line.slots));
        let closed = async || {
            gate.look(&*line.store).await.unwrap();
            line.slots.closed()
        };
        assert_eq!(closed().await, []);
        line.sql(
            "INSERT INTO config_entries (key, value, is_secret, key_id) VALUES ('webhook.a', '\"x\"', true, 'gone')",
        )
        .await;
        assert_eq!(closed().await, [], "no execution needs it");
        line.sql(
            "INSERT INTO config_entries (key, value, is_secret, key_id) VALUES ('token', '\"x\"', true, 'gone')",
        )
        .await;
        assert_eq!(closed().await, [IntakeClosed::SecretKeyMissing]);
        line.sql("DELETE FROM config_entries WHERE key = 'token'").await;
        assert_eq!(closed().await, []);
    }
}
