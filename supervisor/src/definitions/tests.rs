//! What wishes come to, over rows.

use jiff::Timestamp;
use muster_core::execution::RetryOptions;
use muster_store::{
    ConfigRecord, DefinitionWrite, Definitions, LimitRecord, OrganizationRecord, WorkflowRecord,
    WorkflowTerms,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::file::{parse, render};
use super::{DefinitionEdit, DefinitionWish, ProblemKind, plan, whole};
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::api::{DefinitionsView, OrganizationDefinition, VariableDefinition, WorkflowDefinition};

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn acme() -> OrganizationRecord {
    OrganizationRecord {
        id: Uuid::from_u128(7),
        key: Some("acme".into()),
        name: "Acme".into(),
        weight: None,
        is_active: true,
    }
}

fn with_acme() -> Definitions {
    Definitions { organizations: vec![acme()], ..Definitions::default() }
}

fn organization(key: &str) -> OrganizationDefinition {
    OrganizationDefinition { key: key.into(), name: None, id: None, weight: None, is_active: true }
}

fn variable(key: &str, organization: Option<&str>, value: &str) -> DefinitionEdit {
    let organization = organization.map(ToOwned::to_owned);
    DefinitionEdit::SetVariable(VariableDefinition { key: key.into(), organization, value: raw(value) })
}

fn secret(key: &str) -> DefinitionEdit {
    DefinitionEdit::SetSecret { key: key.into(), organization: None, value: raw("\"hush\"") }
}

/// The rows as the writes leave them.
fn written(mut definitions: Definitions, edits: &[DefinitionEdit]) -> Definitions {
    for change in plan(&definitions, edits).unwrap() {
        match change.write {
            DefinitionWrite::PutOrganization(row) => {
                definitions.organizations.retain(|other| other.id != row.id);
                definitions.organizations.push(row);
            }
            DefinitionWrite::RemoveOrganization(id) => definitions.organizations.retain(|row| row.id != id),
            DefinitionWrite::PutWorkflow(row) => {
                definitions.workflows.retain(|other| other.id != row.id);
                definitions.workflows.push(row);
            }
            DefinitionWrite::RemoveWorkflow(id) => definitions.workflows.retain(|row| row.id != id),
            DefinitionWrite::PutSchedule(row) => {
                definitions.schedules.retain(|other| other.id != row.id);
                definitions.schedules.push(row);
            }
            DefinitionWrite::PutWebhook(row) => {
                definitions.webhooks.retain(|other| other.id != row.id);
                definitions.webhooks.push(row);
            }
            DefinitionWrite::RemoveWebhook(id) => definitions.webhooks.retain(|row| row.id != id),
            DefinitionWrite::RemoveSchedule(id) => definitions.schedules.retain(|row| row.id != id),
            DefinitionWrite::PutLimit { name, terms } => {
                definitions.limits.retain(|other| other.name != name);
                let (origin, at) = ("set".to_owned(), Timestamp::UNIX_EPOCH);
                definitions.limits.push(LimitRecord { name, terms, origin, created_at: at, updated_at: at });
            }
            DefinitionWrite::RemoveLimit(name) => definitions.limits.retain(|row| row.name != name),
            DefinitionWrite::PutConfig(row) => {
                definitions
                    .config
                    .retain(|other| (&other.key, other.organization_id) != (&row.key, row.organization_id));
                definitions.config.push(row);
            }
            DefinitionWrite::RemoveConfig { organization_id, key } => {
                definitions.config.retain(|row| (&row.key, row.organization_id) != (&key, organization_id));
            }
        }
    }
    definitions
}

fn problems(definitions: &Definitions, edit: DefinitionEdit) -> String {
    let problems = plan(definitions, &[edit]).unwrap_err();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_so_already_is_not_written() {
    let edits = [
        DefinitionEdit::SetOrganization(organization("acme")),
        DefinitionEdit::SetWorkflow(WorkflowDefinition {
            organization: Some("acme".into()),
            path: Some("billing/invoice.py".into()),
            timeout_seconds: Some(60.0),
            ..WorkflowDefinition::named("billing/invoice")
        }),
        variable("limits", None, r#"{"a": 1, "b": [2.50]}"#),
    ];
    let first = written(Definitions::default(), &edits);
    assert_eq!((first.organizations.len(), first.workflows.len(), first.config.len()), (1, 1, 1));
    assert_eq!(first.workflows[0].organization_id, Some(first.organizations[0].id));
    assert!(plan(&first, &edits).unwrap().is_empty());
    // A database may spell JSON in its own way.
    assert!(plan(&first, &[variable("limits", None, r#"{"b":[2.5],"a":1}"#)]).unwrap().is_empty());
    assert_eq!(plan(&first, &[variable("limits", None, r#"{"b":[2.5],"a":1.0}"#)]).unwrap().len(), 1);
    // The same file makes the same ids everywhere.
    assert_eq!(first.workflows[0].id, written(Definitions::default(), &edits).workflows[0].id);
}

#[test]
fn a_wrong_word_is_refused_with_the_nearest_right_one() {
    let told = problems(&with_acme(), variable("url", Some("acmee"), "1"));
    assert!(told.starts_with(
        "config.acmee.url.organization: there is no organization \"acmee\"; did you mean acme?"
    ));
    let mut known = with_acme();
    let invoice = DefinitionEdit::SetWorkflow(WorkflowDefinition::named("billing/invoice"));
    known = written(known, &[invoice]);
    let remove = DefinitionEdit::RemoveWorkflow { name: "billing/invoce".into(), organization: None };
    let told = plan(&known, &[remove]).unwrap_err();
    assert_eq!(told[0].kind, ProblemKind::NotFound);
    assert_eq!(
        told[0].to_string(),
        "workflows.\"billing/invoce\": no such workflow is defined; did you mean billing/invoice?"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let wrong = WorkflowDefinition {
        path: Some("../secrets.py".into()),
        timeout_seconds: Some(0.0),
        max_attempts: Some(0),
        ..WorkflowDefinition::named("w")
    };
    insta::assert_snapshot!(problems(&Definitions::default(), DefinitionEdit::SetWorkflow(wrong)), @r#"
    workflows.w.path: "../secrets.py" must be a file below the workflows folder, without / at its beginning and without ..
    workflows.w.timeout_seconds: must be a number of seconds above 0 and at most 31536000, not 0
    workflows.w.max_attempts: must be a whole number from 1 to 1000, not 0
    "#);
    let alone = WorkflowDefinition { function: Some("run".into()), ..WorkflowDefinition::named("w") };
    let told = problems(&Definitions::default(), DefinitionEdit::SetWorkflow(alone));
    assert!(told.contains("workflows.w.function: needs a path"), "{told}");
    for key in ["", "global", "a b", "-a", "00000000-0000-0000-0000-000000000007"] {
        problems(&Definitions::default(), DefinitionEdit::SetOrganization(organization(key)));
    }
}

#[test]
fn an_organization_goes_only_when_nothing_is_left_of_it() {
    let held = written(with_acme(), &[variable("url", Some("acme"), "1"), secret("global")]);
    let remove = DefinitionEdit::RemoveOrganization { key: "acme".into() };
    assert!(problems(&held, remove.clone()).contains("still has 1 variable: remove them first"));
    let variable = DefinitionEdit::RemoveVariable { key: "url".into(), organization: Some("acme".into()) };
    assert!(written(held, &[variable, remove]).organizations.is_empty());
}

#[test]
fn an_organization_written_by_hand_is_known_by_its_id_and_name_and_can_be_given_a_key() {
    let by_hand = OrganizationRecord { key: None, ..acme() };
    let rows = Definitions { organizations: vec![by_hand.clone()], ..Definitions::default() };
    for called in ["Acme", &by_hand.id.to_string()] {
        let config = written(rows.clone(), &[variable("url", Some(called), "1")]).config;
        assert_eq!(config[0].organization_id, Some(by_hand.id));
    }
    let keyed =
        OrganizationDefinition { name: Some("Acme".into()), id: Some(by_hand.id), ..organization("Acme") };
    let rows = written(rows, &[DefinitionEdit::SetOrganization(keyed)]);
    assert_eq!(rows.organizations, [OrganizationRecord { key: Some("Acme".into()), ..acme() }]);
}

#[test]
fn a_weight_is_kept_and_one_that_is_none_is_refused() {
    let heavy = OrganizationDefinition { weight: Some(2.5), ..organization("acme") };
    let rows = written(with_acme(), &[DefinitionEdit::SetOrganization(heavy)]);
    assert_eq!(rows.organizations[0].weight, Some(2.5));
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
        let wrong = OrganizationDefinition { weight: Some(wrong), ..organization("acme") };
        let told = problems(&with_acme(), DefinitionEdit::SetOrganization(wrong));
        assert!(told.contains("organizations.acme.weight") && told.contains("from 0.001 to 1000"), "{told}");
    }
}

#[test]
fn ids_do_not_change_and_are_not_taken_twice() {
    let other = OrganizationDefinition { id: Some(Uuid::from_u128(8)), ..organization("acme") };
    let told = problems(&with_acme(), DefinitionEdit::SetOrganization(other));
    assert!(told.contains("cannot be changed"), "{told}");
    let taken = OrganizationDefinition { id: Some(acme().id), ..organization("other") };
    let told = problems(&with_acme(), DefinitionEdit::SetOrganization(taken));
    assert!(told.contains("is that of the organization acme"), "{told}");
}

#[test]
fn of_a_secret_nothing_is_told() {
    let rows = written(Definitions::default(), &[variable("key", None, "\"open\"")]);
    let change = &plan(&rows, &[secret("key")]).unwrap()[0];
    assert_eq!(change.after.as_deref(), Some("\"(secret)\""));
    let rows = written(rows, &[secret("key")]);
    assert!(matches!(rows.config.as_slice(), [ConfigRecord { is_secret: true, .. }]));
    // What became a secret does not become a variable by mistake.
    let told = problems(&rows, variable("key", None, "1"));
    assert!(told.contains("is a secret") && !told.contains("hush"), "{told}");
    let remove = DefinitionEdit::RemoveVariable { key: "key".into(), organization: None };
    assert!(problems(&rows, remove).contains("there is no such variable"));
    assert!(!format!("{:?}", secret("key")).contains("hush"));
}

#[test]
fn several_rows_of_one_name_are_not_guessed_among() {
    let row = |id: u128| WorkflowRecord {
        id: Uuid::from_u128(id),
        name: "w".into(),
        path: None,
        function_name: None,
        language: None,
        organization_id: None,
        timeout_seconds: None,
        max_attempts: None,
        is_active: true,
        admission: WorkflowTerms::default(),
        retry: RetryOptions::default(),
    };
    let set = || {
        DefinitionEdit::SetWorkflow(WorkflowDefinition {
            max_attempts: Some(2),
            ..WorkflowDefinition::named("w")
        })
    };
    let rows = Definitions { workflows: vec![row(1), row(2)], ..Definitions::default() };
    assert!(problems(&rows, set()).contains("several rows have this name"));
    let inactive = WorkflowRecord { is_active: false, ..row(2) };
    let rows = written(Definitions { workflows: vec![row(1), inactive], ..rows }, &[set()]);
    assert_eq!(rows.workflows.iter().find(|row| row.is_active).unwrap().max_attempts, Some(2));
}

const FILE: &str = r#"
[organizations.acme]
name = "Acme Ltd."

[organizations.other]
is_active = false

[workflows."billing/invoice"]
path = "billing/invoice.py"
function = "run"
timeout_seconds = 60
queue = "python"
limits = ["crm-calls"]
retry = { max_attempts = 3, backoff_seconds = 5.0, give_up_on = ["InvalidInvoice"] }
concurrency = { total = 20, per_key = 2, key = "parameters.customer", on_full = "reject" }

[limits.crm-calls]
total = 20
per_key = 5
rate = "100/60s"
on_full = "replace"

[workflows.invoice-of-acme]
name = "billing/invoice"
organization = "acme"
max_attempts = 3

[schedules.nightly]
workflow = "billing/invoice"
cron = "30 2 * * *"
time_zone = "Europe/Berlin"
overlap = "queue"
missed = "run_all"
parameters = { all = true, since = 1.5 }
organization = "acme"

[webhooks.ops]
url = "https://example.com/hook"
events = ["FAILED", "TIMEOUT"]
workflows = ["billing/invoice"]

[config.global]
api_url = "https://api.example.com"
nothing = { json = "null" }
nested = { hosts = ["a", "b"], retries = 3, ratio = 0.5 }

[config.acme]
region = "eu"
"#;

fn applied(definitions: Definitions, file: &str, prune: bool) -> Definitions {
    let (wanted, _) = parse("f", file).unwrap();
    let edits = DefinitionWish::Whole { wanted, prune }.edits(&definitions);
    written(definitions, &edits)
}

#[test]
fn a_file_makes_it_so_and_is_written_back_as_it_was() {
    let rows = applied(Definitions::default(), FILE, false);
    assert_eq!((rows.organizations.len(), rows.workflows.len(), rows.config.len()), (2, 2, 4));
    let exported = render(&whole(&rows)).unwrap();
    let (wanted, _) = parse("exported", &exported).unwrap();
    let again = DefinitionWish::Whole { wanted, prune: true }.edits(&rows);
    assert!(plan(&rows, &again).unwrap().is_empty(), "{exported}");
    // And the same in another database.
    let other = applied(Definitions::default(), &exported, false);
    assert_eq!(render(&whole(&other)).unwrap(), exported);
    assert!(exported.contains("[workflows.\"billing/invoice\"]") && !exported.contains("id ="), "{exported}");
}

#[test]
fn what_a_workflow_says_of_admission_is_in_its_row() {
    let rows = applied(Definitions::default(), FILE, false);
    let row = rows.workflows.iter().find(|row| row.organization_id.is_none()).unwrap();
    assert_eq!(row.max_attempts, Some(3), "as many attempts as its policy says");
    assert_eq!((row.retry.max_attempts, row.retry.backoff_seconds), (None, Some(5.0)));
    let concurrency = row.admission.concurrency.as_ref().unwrap();
    assert_eq!((concurrency.total, concurrency.per_key), (Some(20), Some(2)));
    assert_eq!(row.admission.queue.as_deref(), Some("python"));
    let pruned = applied(rows, "[limits.mail]\ntotal = 1\n", true);
    assert_eq!(pruned.limits.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["mail"]);
}

#[test]
fn limits_are_named_by_those_who_need_them() {
    let rows = applied(Definitions::default(), FILE, false);
    let set = |change: fn(&mut WorkflowDefinition)| {
        let mut wanted = WorkflowDefinition::named("w");
        change(&mut wanted);
        DefinitionEdit::SetWorkflow(wanted)
    };
    let told = problems(&rows, set(|w| w.limits = Some(vec!["crm-cals".into()])));
    assert!(
        told.contains("workflows.w.limits: there is no limit \"crm-cals\"; did you mean crm-calls?"),
        "{told}"
    );
    let told = problems(&rows, set(|w| w.limits = Some(vec!["crm-calls".into(); 5])));
    assert!(told.contains("at most 4"), "{told}");
    let told = problems(&rows, set(|w| w.concurrency = Some(Default::default())));
    assert!(told.contains("workflows.w.concurrency: total, per_key: both missing"), "{told}");
    let told = problems(&rows, set(|w| w.queue = Some("two words".into())));
    assert!(told.contains("workflows.w.queue: must be the name of a queue"), "{told}");
    let told = problems(
        &rows,
        set(|w| {
            w.max_attempts = Some(2);
            w.retry = Some(RetryOptions { max_attempts: Some(3), ..RetryOptions::default() });
        }),
    );
    assert!(told.contains("max_attempts is 3 here and 2 beside it"), "{told}");
    let remove = |name: &str| DefinitionEdit::RemoveLimit { name: name.into() };
    assert!(problems(&rows, remove("crm-calls")).contains("is named by the workflow billing/invoice"));
    assert!(problems(&rows, remove("crm-cals")).contains("there is no such limit; did you mean crm-calls?"));
    let own = crate::api::LimitDefinition { name: "workflow/w".into(), total: Some(1), ..Default::default() };
    assert!(
        problems(&rows, DefinitionEdit::SetLimit(own)).contains("set that of a workflow with the workflow")
    );
    let nothing = crate::api::LimitDefinition { name: "crm".into(), ..Default::default() };
    assert!(problems(&rows, DefinitionEdit::SetLimit(nothing)).contains("limits.crm: total, per_key, rate"));
}

#[test]
fn what_the_file_does_not_name_stays_unless_it_is_pruned() {
    let rows = written(applied(Definitions::default(), FILE, false), &[secret("kept")]);
    let file = "[config.global]\napi_url = 'x'\n";
    let stayed = applied(rows.clone(), file, false);
    assert_eq!((stayed.organizations.len(), stayed.workflows.len(), stayed.config.len()), (2, 2, 5));
    let pruned = applied(rows.clone(), file, true);
    let keys: Vec<_> = pruned.config.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(
        (
            pruned.schedules.len() + pruned.webhooks.len(),
            pruned.organizations.len(),
            pruned.workflows.len(),
            keys
        ),
        (0, 0, 0, vec!["kept", "api_url"])
    );
    // A secret of an organization keeps it.
    let value = raw("1");
    let held = DefinitionEdit::SetSecret { key: "s".into(), organization: Some("acme".into()), value };
    let rows = written(rows, &[held]);
    let (wanted, _) = parse("f", file).unwrap();
    let edits = DefinitionWish::Whole { wanted, prune: true }.edits(&rows);
    assert!(
        plan(&rows, &edits).unwrap_err()[0].to_string().contains("organizations.acme: still has 1 secret")
    );
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line_and_the_nearest_right_word() {
    let told = |file: &str| parse("muster.defs.toml", file).unwrap_err().to_string();
    let unknown = told("[workflows.w]\ntiemout_seconds = 3\n");
    assert!(unknown.starts_with("muster.defs.toml:2: unknown field `tiemout_seconds`"), "{unknown}");
    assert!(unknown.ends_with("did you mean timeout_seconds?"), "{unknown}");
    let section = told("\n[workflow.w]\n");
    assert!(
        section.starts_with("muster.defs.toml:2:") && section.contains("did you mean workflows?"),
        "{section}"
    );
    let twice = told("[workflows.a]\n[workflows.b]\nname = 'a'\n");
    assert!(twice.starts_with("muster.defs.toml:2: workflows.b: another table defines"), "{twice}");
    // What only the supervisor knows.
    let file = "[workflows.w]\npath = 'w.js'\n[workflows.l]\nname = 'x y'\norganization = 'acmee'\n";
    let (wanted, places) = parse("f", file).unwrap();
    let edits = DefinitionWish::Whole { wanted, prune: false }.edits(&with_acme());
    let problem = plan(&with_acme(), &edits).unwrap_err()[0].to_string();
    let located = places.locate(&problem);
    assert!(
        located.starts_with("f:5: workflows.\"x y\".organization: ") && located.contains("mean acme?"),
        "{located}"
    );
}

/// Words, texts and values of all kinds.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[a-z/]{1,12}", "\\PC{1,12}"]
}

fn json_values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
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
    let workflow =
        (texts(), owner(), proptest::option::of(texts()), proptest::option::of(0.001..1e6f64), any::<bool>())
            .prop_map(|(name, organization, function, timeout_seconds, is_active)| WorkflowDefinition {
                organization,
                path: function.is_some().then(|| "a/b.js".to_owned()),
                function,
                timeout_seconds,
                is_active,
                ..WorkflowDefinition::named(&name)
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
        DefinitionsView { organizations, workflows, variables, ..DefinitionsView::default() }
    })
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
    }
}

#[test]
fn a_schedule_that_cannot_be_is_refused_with_what_would_be_right() {
    let told = |cron: &str, zone: &str| {
        let file = format!("[schedules.n]\nworkflow = 'w'\ncron = '{cron}'\ntime_zone = '{zone}'\n");
        let (wanted, places) = parse("f", &file).unwrap();
        let edits = DefinitionWish::Whole { wanted, prune: false }.edits(&Definitions::default());
        places.locate(&plan(&Definitions::default(), &edits).unwrap_err()[0].to_string())
    };
    let zone = told("0 0 * * *", "Europe/Berlyn");
    assert!(
        zone.starts_with("f:4: schedules.n.time_zone:") && zone.contains("did you mean Europe/Berlin?"),
        "{zone}"
    );
    let never = told("0 0 30 2 *", "UTC");
    assert!(never.starts_with("f:3: schedules.n.cron:") && never.contains("never comes"), "{never}");
}

#[test]
fn a_schedule_paused_by_hand_stays_so_when_the_file_does_not_say() {
    let rows = applied(Definitions::default(), FILE, false);
    let pause = |is_paused| DefinitionEdit::PauseSchedule { name: "nightly".into(), is_paused };
    let rows = written(rows, &[pause(true)]);
    assert!(rows.schedules[0].is_paused && applied(rows.clone(), FILE, true).schedules[0].is_paused);
    assert!(!written(rows, &[pause(false)]).schedules[0].is_paused);
}

#[test]
fn a_webhook_that_cannot_be_is_refused_with_what_would_be_right() {
    let problem = |line: &str| {
        let file = format!("[webhooks.n]\nurl = 'https://example.com'\n{line}\n");
        let file = if line.starts_with("url") { format!("[webhooks.n]\n{line}\n") } else { file };
        let (wanted, places) = parse("f", &file).unwrap();
        let edits = DefinitionWish::Whole { wanted, prune: false }.edits(&Definitions::default());
        let problems = plan(&Definitions::default(), &edits).unwrap_err();
        places.locate(&problems[0].to_string())
    };
    let event = problem("events = ['FAILD']");
    assert!(
        event.starts_with("f:3: webhooks.n.events:") && event.contains("did you mean FAILED?"),
        "{event}"
    );
    for url in ["ftp://example.com", "example.com", "https://user:pass@example.com/", ""] {
        let wrong = problem(&format!("url = '{url}'"));
        assert!(wrong.contains("webhooks.n.url: must be an http or https address"), "{wrong}");
    }
}

#[test]
fn the_lines_of_a_large_file_are_found_in_one_reading() {
    const SCHEDULES: usize = 20_000;
    let mut file = String::new();
    for number in 0..SCHEDULES {
        let comment = "# ".repeat(40);
        file.push_str(&format!(
            "{comment}\n[schedules.n{number}]\nworkflow = \"w\"\ncron = \"1 2 * * *\"\noverlap = \"skip\"\n"
        ));
    }
    let (wanted, places) = parse("f", &file).unwrap();
    assert_eq!(wanted.schedules.len(), SCHEDULES);
    for (number, line) in [(0, 4), (7, 39), (SCHEDULES - 1, SCHEDULES * 5 - 1)] {
        let problem = format!("schedules.n{number}.cron: is wrong");
        assert_eq!(places.locate(&problem), format!("f:{line}: {problem}"));
    }
}
