//! Webhooks: what cannot be, and who names them.

use muster_store::Definitions;

use super::super::file::parse;
use super::super::{DefinitionEdit, DefinitionWish, plan};
use super::{FILE, applied, problems, workflow};
use crate::api::WorkflowDefinition;

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
fn a_webhook_that_a_workflow_names_is_there_and_stays_there() {
    let rows = applied(Definitions::default(), FILE, false);
    let named = |webhook: &str| {
        let webhook = Some(webhook.to_owned());
        workflow(WorkflowDefinition { webhook, ..WorkflowDefinition::named("w") })
    };
    let told = problems(&rows, named("biling"));
    assert!(
        told.contains("workflows.w.webhook: there is no webhook \"biling\"; did you mean billing?"),
        "{told}"
    );
    let remove = DefinitionEdit::RemoveWebhook { name: "billing".into() };
    let told = problems(&rows, remove.clone());
    assert!(told.contains("webhooks.billing: is named by the workflow billing/invoice"), "{told}");
    let forgotten = workflow(WorkflowDefinition::named("billing/invoice"));
    assert_eq!(plan(&rows, &[forgotten, remove]).unwrap().len(), 2);
    // In a file they come and go together, in whatever order they stand there.
    assert!(applied(rows, "", true).webhooks.is_empty());
}
