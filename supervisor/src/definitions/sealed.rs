//! Secrets on their way into the database: encrypted, or not at all.

use muster_store::{
    ConfigRecord, DefinitionChange, DefinitionEditStore, DefinitionWrite, Definitions, DefinitionsWritten,
};

use super::TRIES_MAX;
use super::organizations::organizations_of;
use super::problem::EditError;
use super::view::{config_text, planned};
use crate::api::PlanView;
use crate::secret_keys::SecretKeys;

/// The same changes, with each secret encrypted.
pub(super) fn sealed(
    mut changes: Vec<DefinitionChange>,
    keys: &SecretKeys,
) -> Result<Vec<DefinitionChange>, EditError> {
    for change in &mut changes {
        if let DefinitionWrite::PutConfig(row) = &mut change.write
            && row.is_secret
            && row.key_id.is_none()
        {
            seal(row, keys)?;
        }
    }
    Ok(changes)
}

fn seal(row: &mut ConfigRecord, keys: &SecretKeys) -> Result<(), EditError> {
    let sealed = keys.seal(row.organization_id, &row.key, &row.value)?;
    (row.key_id, row.value) = (Some(sealed.key_id), sealed.value);
    Ok(())
}

/// Encrypts every secret with the current key that is in clear or encrypted with another.
///
/// # Errors
/// When there is no key, or one that a secret is encrypted with is not there: then nothing is changed.
pub async fn rotate(
    store: &dyn DefinitionEditStore,
    keys: &SecretKeys,
    who: &str,
) -> Result<PlanView, EditError> {
    for _ in 0..TRIES_MAX {
        let definitions = store.definitions().await?;
        let changes = rotated(&definitions, keys)?;
        let view = PlanView { changes: changes.iter().map(planned).collect(), is_applied: true };
        if changes.is_empty()
            || store.write_definitions(definitions.version, who, &changes).await?
                == DefinitionsWritten::Committed
        {
            return Ok(view);
        }
    }
    Err(EditError::Contended)
}

fn rotated(definitions: &Definitions, keys: &SecretKeys) -> Result<Vec<DefinitionChange>, EditError> {
    let organizations = organizations_of(definitions);
    let mut changes = Vec::new();
    for row in definitions.config.iter().filter(|row| row.is_secret) {
        let opened = match row.key_id.as_deref() {
            Some(key_id) if keys.current() == Some(key_id) => continue,
            Some(key_id) => keys.open(row.organization_id, &row.key, key_id, &row.value)?,
            None => row.value.clone(),
        };
        let mut anew = ConfigRecord { value: opened, key_id: None, ..row.clone() };
        seal(&mut anew, keys)?;
        let text = Some(config_text(row));
        changes.push(DefinitionChange {
            write: DefinitionWrite::PutConfig(anew),
            kind: "secret",
            name: row.key.clone(),
            organization: organizations.key_of_id(row.organization_id),
            before: text.clone(),
            after: text,
        });
    }
    Ok(changes)
}
