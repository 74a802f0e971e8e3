//! Describe: what the code declares, and only to who listens.

use std::collections::BTreeMap;

use muster_protocol::limits::SCHEMA_MAX_BYTES;
use muster_protocol::{DeclaredRetry, ToSupervisor, WorkflowDescription, feature};
use serde_json::Value;

use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::welcome;

/// By Ready everything is described, with what `conformance.declared` declares, and schemas are JSON.
pub(crate) async fn declared(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let described = by_name(&session.descriptions);
    let Some(declared) = described.get("conformance.declared").cloned() else {
        let seen = format!("{} descriptions without it", described.len());
        return Err(session.fault("conformance.declared is described before Ready", seen).await);
    };
    let retry = DeclaredRetry {
        max_attempts: Some(3),
        backoff_ms: Some(2500),
        backoff_factor_percent: Some(150),
        backoff_max_ms: Some(60_000),
        retry_on: vec!["Busy".to_owned()],
        give_up_on: vec!["Fatal".to_owned()],
    };
    if (declared.timeout_ms, &declared.retry) != (Some(90_500), &retry) {
        let expected = format!("conformance.declared has a timeout of 90,500 ms and {retry:?}");
        return Err(session
            .fault(expected, format!("{:?} and {:?}", declared.timeout_ms, declared.retry))
            .await);
    }
    let is_schema = |text: &[u8]| {
        text.is_empty()
            || text.len() <= SCHEMA_MAX_BYTES
                && serde_json::from_slice::<Value>(text).is_ok_and(|it| it.is_object())
    };
    if let Some(wrong) = described.values().find(|one| !is_schema(&one.parameters.0)) {
        let seen = format!("{} with {:?}", wrong.name, wrong.parameters);
        return Err(session.fault("a schema is an object of JSON of at most 64 KiB", seen).await);
    }
    session.still_works("a Describe").await
}

/// A supervisor that does not list the feature hears nothing of it.
pub(crate) async fn unasked(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    let hello = session.hello().await?;
    let others: Vec<_> = hello.features.into_iter().filter(|name| name != feature::DESCRIBE).collect();
    session.send(&welcome(&others)).await?;
    session.hear_ready().await?;
    session.still_works("a Welcome without describe").await?;
    if session.descriptions.is_empty() {
        return Ok(());
    }
    let seen = format!("{} of them", session.descriptions.len());
    Err(session.fault("no Describe when Welcome does not list describe", seen).await)
}

/// The last word on each name.
fn by_name(messages: &[ToSupervisor]) -> BTreeMap<String, WorkflowDescription> {
    let mut described = BTreeMap::new();
    for message in messages {
        if let ToSupervisor::Describe { replaces, workflows, .. } = message {
            if *replaces {
                described.clear();
            }
            described.extend(workflows.iter().map(|one| (one.name.clone(), one.clone())));
        }
    }
    described
}
