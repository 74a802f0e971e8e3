//! Whatever can be defined comes back from a file as it was.

use muster_core::execution::check;
use muster_protocol::compare::is_kept;
use muster_store::{ConfigRecord, Definitions};
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::super::file::{parse, render};
use super::super::{DefinitionWish, plan, whole};
use super::{organization, raw, written};
use crate::api::{DefinitionsView, VariableDefinition, WebhookDefinition, WorkflowDefinition};

/// Words, texts and values of all kinds.
fn texts() -> impl Strategy<Value = String> {
    let all = prop_oneof!["[a-z]{1,8}", "[a-z/]{1,12}", "\\PC{1,12}"];
    all.prop_filter("a step in an address is no name", |text| !check::is_step(text))
}

fn json_values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        "-?[1-9][0-9]{18,30}",
        (-1e300..1e300f64).prop_map(|number| format!("{number:?}")),
        ".{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let list =
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
        let map = proptest::collection::btree_map(texts(), inner, 0..4).prop_map(|map| {
            let entry =
                |(key, value): (&String, &String)| format!("{}:{value}", serde_json::to_string(key).unwrap());
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(","))
        });
        prop_oneof![list, map]
    })
}

fn wanted() -> impl Strategy<Value = DefinitionsView> {
    let owner = || prop_oneof![Just(None), Just(Some("acme".to_owned())), Just(Some("b.c".to_owned()))];
    let workflow = (
        texts(),
        owner(),
        proptest::option::of(texts()),
        proptest::option::of(0.001..1e6f64),
        proptest::option::of(0.0..36_500f64),
        any::<bool>(),
    )
        .prop_map(|(name, organization, function, timeout_seconds, retention_days, is_active)| {
            WorkflowDefinition {
                organization,
                webhook: is_active.then(|| "ops".to_owned()),
                retention_days,
                retention_failed_days: timeout_seconds.filter(|days| *days <= 36_500.0),
                path: function.is_some().then(|| "a/b.js".to_owned()),
                function,
                timeout_seconds,
                is_active,
                ..WorkflowDefinition::named(&name)
            }
        });
    let variable = (texts(), owner(), json_values())
        .prop_map(|(key, organization, value)| VariableDefinition { key, organization, value: raw(&value) });
    let lists = (proptest::collection::vec(workflow, 0..6), proptest::collection::vec(variable, 0..6));
    lists.prop_map(|(mut workflows, mut variables)| {
        let mut seen = std::collections::BTreeSet::new();
        workflows.retain(|one| seen.insert((one.name.clone(), one.organization.clone())));
        let mut seen = std::collections::BTreeSet::new();
        variables.retain(|one| seen.insert((one.key.clone(), one.organization.clone())));
        let organizations = vec![organization("acme"), organization("b.c")];
        let url = "https://example.com".to_owned();
        let ops = WebhookDefinition {
            name: "ops".into(),
            url,
            events: None,
            workflows: Some(Vec::new()),
            is_paused: None,
            id: None,
        };
        let webhooks = vec![ops];
        DefinitionsView { organizations, workflows, variables, webhooks, ..DefinitionsView::default() }
    })
}

fn rows_by_key(rows: &Definitions) -> impl Iterator<Item = &ConfigRecord> {
    let mut all: Vec<_> = rows.config.iter().collect();
    all.sort_by_key(|row| (&row.key, row.organization_id));
    all.into_iter()
}

proptest::proptest! {
    #[test]
    fn whatever_is_defined_is_exported_and_applied_as_the_same(wanted in wanted()) {
        let edits = DefinitionWish::Whole { wanted, prune: false }.edits(&Definitions::default());
        let rows = written(Definitions::default(), &edits);
        let exported = render(&whole(&rows)).unwrap();
        let (read, _) = parse("exported", &exported).unwrap_or_else(|error| panic!("{error}\n{exported}"));
        let again = DefinitionWish::Whole { wanted: read, prune: true }.edits(&rows);
        let changes = plan(&rows, &again).unwrap();
        proptest::prop_assert!(changes.is_empty(), "{exported}\n{changes:?}");
        let (read, _) = parse("exported", &exported).unwrap();
        let there = DefinitionWish::Whole { wanted: read, prune: false }.edits(&Definitions::default());
        let there = written(Definitions::default(), &there);
        for (row, kept) in rows_by_key(&rows).zip(rows_by_key(&there)) {
            proptest::prop_assert!(is_kept(row.value.get(), kept.value.get()), "{row:?} {kept:?}\n{exported}");
        }
    }
}
