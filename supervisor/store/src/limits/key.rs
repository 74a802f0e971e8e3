//! For whom an execution counts in a limit: computed once, when its row is written.

use std::borrow::Cow;
use std::collections::HashMap;

use muster_core::limit::LimitKey;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::rows::parts;
use crate::{ExecutionRecord, NewExecution};

/// A longer key is told by its hash.
const KEY_MAX_BYTES: usize = 256;

#[derive(Deserialize, Default)]
struct CallerNames<'a> {
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow)]
    email: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
}

/// What keys of one execution are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySource<'a> {
    pub(crate) workflow_name: Option<&'a str>,
    pub(crate) workflow_id: Option<Uuid>,
    pub(crate) organization_id: Option<Uuid>,
    pub(crate) caller: Option<&'a RawValue>,
    pub(crate) request: Option<&'a RawValue>,
}

impl<'a> KeySource<'a> {
    pub(crate) fn of(new: &'a NewExecution) -> Self {
        Self {
            workflow_name: new.workflow_name.as_deref(),
            workflow_id: new.workflow_id,
            organization_id: new.organization_id,
            caller: new.caller.as_deref(),
            request: Some(&new.request),
        }
    }

    pub(crate) fn of_record(record: &'a ExecutionRecord) -> Self {
        Self {
            workflow_name: record.workflow_name.as_deref(),
            workflow_id: record.workflow_id,
            organization_id: record.organization_id,
            caller: record.caller.as_deref(),
            request: record.request.as_deref(),
        }
    }
}

/// The key of this execution; the empty text where it has nothing to count by.
pub(crate) fn key_of(kind: &LimitKey, source: KeySource<'_>) -> String {
    let key = match kind {
        LimitKey::Organization => source.organization_id.map(|id| id.to_string()),
        LimitKey::Workflow => {
            source.workflow_name.map(str::to_owned).or_else(|| source.workflow_id.map(|id| id.to_string()))
        }
        LimitKey::Caller => source.caller.and_then(caller),
        LimitKey::Parameter(path) => {
            let parameters = source.request.and_then(parts).and_then(|parts| parts.parameters);
            parameters.and_then(|all| at(all, path))
        }
    };
    bounded(key.unwrap_or_default())
}

fn caller(caller: &RawValue) -> Option<String> {
    let names: CallerNames<'_> = serde_json::from_str(caller.get()).unwrap_or_default();
    [names.user_id, names.email, names.name].into_iter().flatten().find_map(text)
}

fn at(parameters: &RawValue, path: &[String]) -> Option<String> {
    let mut found = parameters;
    for name in path {
        let fields: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(found.get()).ok()?;
        found = fields.get(name.as_str())?;
    }
    text(found)
}

/// A text as it is, anything else as the JSON it was written in.
fn text(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        other => Some(other.to_owned()),
    }
}

/// No longer than a column of an index takes, and storable in every database.
fn bounded(key: String) -> String {
    if key.len() <= KEY_MAX_BYTES && !key.contains('\0') {
        return key;
    }
    let digest = Sha256::digest(key.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use muster_core::execution::ExecutionRequest;

    use super::*;

    fn execution(rest: &str) -> NewExecution {
        let json =
            format!(r#"{{"execution_id":"0190b8a0-0000-7000-8000-000000000001","workflow":"report"{rest}}}"#);
        NewExecution::of(&ExecutionRequest::parse(json.as_bytes()).unwrap(), 3)
    }

    fn key(kind: &str, rest: &str) -> String {
        key_of(&kind.parse().unwrap(), KeySource::of(&execution(rest)))
    }

    #[test]
    fn a_key_is_what_the_limit_counts_by() {
        let organization = r#","organization_id":"0190b8a0-0000-7000-8000-000000000002""#;
        assert_eq!(key("organization", organization), "0190b8a0-0000-7000-8000-000000000002");
        assert_eq!(key("organization", ""), "");
        assert_eq!(key("workflow", ""), "report");
        assert_eq!(key("caller", r#","caller":{"name":"Ada","email":"ada@example.com"}"#), "ada@example.com");
        assert_eq!(key("caller", r#","caller":{"name":"Ada","user_id":7}"#), "7");
        let parameters = r#","parameters":{"customer":{"id":"acme"},"n":1.50}"#;
        assert_eq!(key("parameters.customer.id", parameters), "acme");
        assert_eq!(key("parameters.customer", parameters), r#"{"id":"acme"}"#);
        assert_eq!(key("parameters.missing", parameters), "");
    }

    #[test]
    fn a_long_key_is_told_by_its_hash() {
        let parameters = format!(r#","parameters":{{"k":"{}"}}"#, "x".repeat(257));
        let long = key("parameters.k", &parameters);
        assert!(long.starts_with("sha256:") && long.len() == 71, "{long}");
        let fits = format!(r#","parameters":{{"k":"{}"}}"#, "x".repeat(256));
        assert_eq!(key("parameters.k", &fits).len(), 256);
    }
}
