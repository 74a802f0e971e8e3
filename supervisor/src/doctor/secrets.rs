//! Secrets in the database: encrypted, with keys that are there.

use muster_store::{ConfigRecord, DefinitionEditStore};

use super::finding::DoctorFinding;
use crate::secret_keys::{SecretKeys, locked_secrets};

/// How many are named.
const NAMED_MAX: usize = 5;

pub(super) async fn check(store: &dyn DefinitionEditStore, keys: &SecretKeys) -> Vec<DoctorFinding> {
    match store.definitions().await {
        Ok(definitions) => judge(&definitions.config, keys).into_iter().collect(),
        Err(error) => {
            let fix = "grant the database user SELECT on what is defined";
            vec![DoctorFinding::fail("secrets", format!("cannot be read: {error}"), fix)]
        }
    }
}

fn judge(config: &[ConfigRecord], keys: &SecretKeys) -> Option<DoctorFinding> {
    let secrets: Vec<&ConfigRecord> = config.iter().filter(|row| row.is_secret).collect();
    let lost: Vec<&str> = locked_secrets(keys, config).iter().map(|row| row.key.as_str()).collect();
    let clear: Vec<&str> =
        secrets.iter().filter(|row| row.key_id.is_none()).map(|row| row.key.as_str()).collect();
    if !lost.is_empty() {
        let seen = format!("{} encrypted with keys that secret_key does not have", named(&lost));
        return Some(DoctorFinding::fail(
            "secrets",
            seen,
            "add the keys to secret_key, behind the current one",
        ));
    }
    if !clear.is_empty() {
        let fix = if keys.current().is_some() {
            "run `supervisor secret rotate`"
        } else {
            "make a key with `supervisor secret key`, set secret_key, and run `supervisor secret rotate`"
        };
        return Some(DoctorFinding::warn(
            "secrets",
            format!("{} in clear in the database", named(&clear)),
            fix,
        ));
    }
    (!secrets.is_empty())
        .then(|| DoctorFinding::ok("secrets", format!("all {} are encrypted", secrets.len())))
}

fn named(keys: &[&str]) -> String {
    let shown = keys.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = keys.len().saturating_sub(NAMED_MAX);
    let verb = if keys.len() == 1 { "is" } else { "are" };
    if more > 0 { format!("{shown} and {more} more {verb}") } else { format!("{shown} {verb}") }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::super::finding::Severity;
    use super::*;

    fn secret(key: &str, key_id: Option<&str>) -> ConfigRecord {
        let key_id = key_id.map(ToOwned::to_owned);
        ConfigRecord {
            organization_id: None,
            key: key.into(),
            value: RawValue::NULL.to_owned(),
            is_secret: true,
            key_id,
        }
    }

    #[test]
    fn what_is_in_clear_and_what_nobody_can_read_is_named() {
        let keys = SecretKeys::parse(&SecretKeys::make()).unwrap();
        assert!(judge(&[], &keys).is_none());
        let current = keys.current();
        let found = judge(&[secret("a", None), secret("b", current)], &keys).unwrap();
        assert_eq!((found.verdict, found.seen.as_str()), (Severity::Warn, "a is in clear in the database"));
        let found = judge(&[secret("a", None), secret("b", Some("gone"))], &keys).unwrap();
        assert!(
            found.verdict == Severity::Fail && found.seen.starts_with("b is encrypted with"),
            "{found:?}"
        );
        assert_eq!(judge(&[secret("b", current)], &keys).unwrap().verdict, Severity::Ok);
    }
}
