//! `supervisor webhook`: who is told what executions came to.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_api::client::{ApiClient, ClientError, Defined, DefinitionKind};
use muster_api::{DeliveriesView, DeliveryView, DeliveryWord, WebhookDefinition, WebhooksView};
use muster_settings::webhook_key::{make_key, secret_of};
use uuid::Uuid;

use super::definition::{ChangeFlags, print_found};
use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, note, print_line, print_table};
use super::server::ServerFlags;

/// Tell other systems what executions came to, by signed webhooks.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor webhook key | supervisor secret set webhook.ops
  supervisor webhook set ops --to https://example.com/hook --event FAILED --event TIMEOUT
  supervisor webhook deliveries --webhook ops
  supervisor webhook retry ops 0198aa00-0000-7000-8000-000000000001")]
pub struct WebhookCommand {
    #[command(subcommand)]
    action: WebhookAction,
}

#[derive(Debug, Subcommand)]
enum WebhookAction {
    /// List the webhooks.
    #[command(after_help = "Examples:
  supervisor webhook list
  supervisor webhook list --json | jq -r '.webhooks[] | \"\\(.name) \\(.url)\"'")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Show one webhook, as JSON.
    #[command(after_help = "Examples:
  supervisor webhook show ops
  supervisor webhook show ops | jq -r .url")]
    Show {
        /// Which webhook.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Define a webhook, or change it: what is not said stays as it is.
    #[command(after_help = "Examples:
  supervisor webhook set ops --to https://example.com/hook
  supervisor webhook set ops --event FAILED --event TIMEOUT --workflow billing/invoice
  supervisor webhook set ops --paused true")]
    Set(Box<WebhookFlags>),
    /// Remove a webhook, and what it was to be told.
    #[command(after_help = "Examples:
  supervisor webhook remove ops
  supervisor webhook remove ops --dry-run")]
    Remove {
        /// Which webhook.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        change: ChangeFlags,
    },
    /// Make a signing key: for `supervisor secret set webhook.NAME`, and for the receiver.
    #[command(after_help = "Examples:
  supervisor webhook key | tee ops.key | supervisor secret set webhook.ops
  supervisor webhook key")]
    Key,
    /// List deliveries, the newest first: what was told, what waits for its next try, and what failed.
    #[command(after_help = "Examples:
  supervisor webhook deliveries --state failed
  supervisor webhook deliveries --webhook ops --json | jq '.deliveries[].history'")]
    Deliveries {
        /// Of this webhook only.
        #[arg(long, value_name = "NAME")]
        webhook: Option<String>,
        /// Those in this state only.
        #[arg(long, value_name = "STATE")]
        state: Option<DeliveryWord>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Tell of an execution again, from the first try on.
    #[command(after_help = "Examples:
  supervisor webhook retry ops 0198aa00-0000-7000-8000-000000000001
  supervisor webhook deliveries --state failed --json | jq -r '.deliveries[] | \"\\(.webhook) \\(.execution_id)\"' | xargs -n 2 supervisor webhook retry")]
    Retry {
        /// Which webhook.
        #[arg(value_name = "NAME")]
        name: String,
        /// The execution, by its whole id.
        #[arg(value_name = "EXECUTION")]
        execution: Uuid,
        #[command(flatten)]
        server: ServerFlags,
    },
}

/// What `set` may say.
#[derive(Debug, Args)]
struct WebhookFlags {
    /// Which webhook.
    #[arg(value_name = "NAME")]
    name: String,
    /// The address that is told.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// What it is told of: SUCCESS, FAILED, TIMEOUT or CANCELLED; may be given several times [default: all].
    #[arg(long = "event", value_name = "STATUS")]
    events: Vec<String>,
    /// Of which workflow it is told; may be given several times [default: all]; empty: of those only that name it.
    #[arg(long = "workflow", value_name = "NAME")]
    workflows: Vec<String>,
    /// Whether it is told nothing; one whose receiver answered 410 is paused.
    #[arg(long, value_name = "BOOL")]
    paused: Option<bool>,
    /// The id of a new one [default: made of its name, the same in every database].
    #[arg(long, value_name = "ID")]
    id: Option<Uuid>,
    #[command(flatten)]
    change: ChangeFlags,
}

fn webhook(name: &str) -> Defined<'_> {
    Defined { kind: DefinitionKind::Webhook, name, organization: None }
}

impl WebhookCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        match self.action {
            WebhookAction::List { json, server } => list(json, &server)?,
            WebhookAction::Show { name, server } => {
                let found: Option<WebhookDefinition> = server.client()?.defined(webhook(&name))?;
                print_found(found, "webhook", &name)?;
            }
            WebhookAction::Set(flags) => flags.run()?,
            WebhookAction::Remove { name, change } => change.remove(webhook(&name))?,
            WebhookAction::Key => print_line(&make_key())?,
            WebhookAction::Deliveries { webhook, state, limit, json, server } => {
                let found = server.client()?.deliveries(webhook.as_deref(), state, limit)?;
                if json { print_line(&json_line(&found))? } else { show_deliveries(&found)? }
            }
            WebhookAction::Retry { name, execution, server } => {
                show_deliveries(&server.client()?.retry_delivery(&name, execution)?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl WebhookFlags {
    /// What is said of workflows; an empty name is none.
    fn workflows(&self) -> Option<Vec<String>> {
        let named = self.workflows.iter().filter(|name| !name.is_empty()).cloned().collect();
        (!self.workflows.is_empty()).then_some(named)
    }

    /// Nothing is said of the webhook itself.
    fn says_nothing(&self) -> bool {
        let Self { name: _, to, events, workflows, paused, id, change: _ } = self;
        to.is_none() && events.is_empty() && workflows.is_empty() && paused.is_none() && id.is_none()
    }

    /// The receiver's address is given by another flag than in files and requests. Where that was mixed up, the receiver would be
    /// asked for the webhook, and shown the token.
    fn check(&self, client: &ApiClient) -> Result<(), CommandFailure> {
        match self.change.server.named() {
            Some(url) if self.says_nothing() => Err(CommandFailure::usage(format!(
                "nothing is said of the webhook: its receiver is --to {url}; --url is the address of the supervisor"
            ))),
            Some(url) if self.to.is_none() => match client.check_is_supervisor() {
                Err(ClientError::Foreign { .. }) => Err(CommandFailure::usage(format!(
                    "what answers at {url} is no supervisor, whose address --url is: if it is the webhook's receiver, say \
                     --to {url}"
                ))),
                checked => Ok(checked?),
            },
            Some(_) | None => Ok(()),
        }
    }

    fn run(self) -> Result<(), CommandFailure> {
        let client = self.change.client()?;
        self.check(&client)?;
        let known: Option<WebhookDefinition> = client.defined(webhook(&self.name))?;
        let before = known.as_ref();
        let url =
            self.to.clone().or_else(|| before.map(|known| known.url.clone())).ok_or_else(|| {
                CommandFailure::usage(format!("the webhook {:?} is new: say --to", self.name))
            })?;
        let given = |names: &Vec<String>| Some(names.clone()).filter(|names| !names.is_empty());
        let wanted = WebhookDefinition {
            name: self.name.clone(),
            url,
            events: given(&self.events).or_else(|| before?.events.clone()),
            workflows: self.workflows().or_else(|| before?.workflows.clone()),
            is_paused: self.paused,
            id: self.id.or_else(|| before?.id),
        };
        self.change.report(&client.define(webhook(&self.name), &wanted, self.change.dry_run)?)?;
        if known.is_none() {
            let key = secret_of(&self.name);
            note(&format!(
                "what it is told is signed with the secret {key}: supervisor webhook key | supervisor secret set {key}"
            ));
        }
        Ok(())
    }
}

fn list(json: bool, server: &ServerFlags) -> Result<(), CommandFailure> {
    let all: WebhooksView = server.client()?.all_defined(DefinitionKind::Webhook)?;
    if json {
        return print_line(&json_line(&all));
    }
    let names = |names: &Option<Vec<String>>| {
        names.as_ref().map_or_else(|| "all".to_owned(), |names| names.join(", "))
    };
    let workflows = |one: &WebhookDefinition| {
        let is_none = one.workflows.as_ref().is_some_and(Vec::is_empty);
        if is_none { "those that name it".to_owned() } else { names(&one.workflows) }
    };
    let row = |one: &WebhookDefinition| {
        let paused = if one.is_paused == Some(true) { "yes" } else { "no" };
        vec![one.name.clone(), one.url.clone(), names(&one.events), workflows(one), paused.to_owned()]
    };
    let rows: Vec<Vec<String>> = all.webhooks.iter().map(row).collect();
    print_table(&["NAME", "URL", "EVENTS", "WORKFLOWS", "PAUSED"], &rows, "no webhook is defined")
}

fn show_deliveries(found: &DeliveriesView) -> Result<(), CommandFailure> {
    let row = |one: &DeliveryView| {
        let answer = one.last_status.map_or_else(String::new, |status| status.to_string());
        let answer = one.last_error.clone().unwrap_or(answer);
        vec![
            one.webhook.clone(),
            one.execution_id.to_string(),
            one.event.clone(),
            one.state.as_str().to_owned(),
            one.attempts.to_string(),
            one.due_at.map_or_else(|| "-".to_owned(), human::time),
            answer,
        ]
    };
    let rows: Vec<Vec<String>> = found.deliveries.iter().map(row).collect();
    let header = ["WEBHOOK", "EXECUTION", "EVENT", "STATE", "TRIES", "NEXT", "ANSWER"];
    print_table(&header, &rows, "there is no such delivery")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: WebhookFlags,
    }

    /// The command line is refused before anything is sent, with the token, to whoever is at that address.
    #[test]
    fn the_address_of_the_receiver_is_not_taken_for_the_supervisors() {
        let check = |arguments: &[&str]| {
            let line = ["set", "ops"].iter().chain(arguments);
            let flags = <Line as clap::Parser>::try_parse_from(line).unwrap().flags;
            flags.check(&flags.change.server.client().unwrap())
        };
        let refused = format!("{:?}", check(&["--url", "http://127.0.0.1:9/hook"]).unwrap_err());
        assert!(refused.contains("its receiver is --to http://127.0.0.1:9/hook"), "{refused}");
        assert!(check(&[]).is_ok());
        assert!(check(&["--url", "http://127.0.0.1:9", "--to", "http://127.0.0.1:9/hook"]).is_ok());
    }
}
