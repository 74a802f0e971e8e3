//! `supervisor organization`: for whom executions run.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_api::client::{Defined, DefinitionKind};
use muster_api::{OrganizationDefinition, OrganizationsView};
use uuid::Uuid;

use super::definition::{ChangeFlags, print_found};
use super::exit::CommandFailure;
use super::finite::finite;
use super::output::{json_line, print_line, print_table};
use super::server::ServerFlags;

/// Define organizations: for whom executions run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor organization set acme --name 'Acme Ltd.'
  supervisor organization list
  supervisor organization set acme --active false      it may not run anything")]
pub struct OrganizationCommand {
    #[command(subcommand)]
    action: OrganizationAction,
}

#[derive(Debug, Subcommand)]
enum OrganizationAction {
    /// List the organizations.
    #[command(after_help = "Examples:
  supervisor organization list
  supervisor organization list --json | jq -r '.organizations[] | \"\\(.key) \\(.id)\"'")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Show one organization, as JSON.
    #[command(after_help = "Examples:
  supervisor organization show acme
  supervisor organization show acme | jq -r .id")]
    Show {
        /// Its key or id.
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Define an organization, or change it: what is not said stays as it is.
    #[command(after_help = "Examples:
  supervisor organization set acme
  supervisor organization set acme --name 'Acme Ltd.' --active false
  supervisor organization set acme --weight 2          twice the workers' time of others, while all have something waiting
  supervisor organization set acme --id 0198aa00-0000-7000-8000-000000000001")]
    Set {
        /// Its key, the word that commands and files know it by.
        #[arg(value_name = "KEY")]
        key: String,
        /// Its name, for people [default: the key].
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Whether it may run anything.
        #[arg(long, value_name = "BOOL")]
        active: Option<bool>,
        /// Its part of the workers' time beside the others' [default: 1].
        #[arg(long, value_name = "NUMBER", value_parser = finite)]
        weight: Option<f64>,
        /// The id of a new one [default: made of its key, the same in every database].
        #[arg(long, value_name = "ID")]
        id: Option<Uuid>,
        #[command(flatten)]
        change: ChangeFlags,
    },
    /// Remove an organization that has no workflows, variables and secrets left. Its executions stay.
    #[command(after_help = "Examples:
  supervisor organization remove acme
  supervisor organization remove acme --dry-run")]
    Remove {
        /// Its key or id.
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        change: ChangeFlags,
    },
}

fn organization(key: &str) -> Defined<'_> {
    Defined { kind: DefinitionKind::Organization, name: key, organization: None }
}

impl OrganizationCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        match self.action {
            OrganizationAction::List { json, server } => list(json, &server)?,
            OrganizationAction::Show { key, server } => {
                let found: Option<OrganizationDefinition> = server.client()?.defined(organization(&key))?;
                print_found(found, "organization", &key)?;
            }
            OrganizationAction::Set { key, name, active, weight, id, change } => {
                let client = change.client()?;
                let known: Option<OrganizationDefinition> = client.defined(organization(&key))?;
                let wanted = OrganizationDefinition {
                    key: key.clone(),
                    name: name.or(known.as_ref().and_then(|known| known.name.clone())),
                    id: id.or(known.as_ref().and_then(|known| known.id)),
                    weight: weight.or(known.as_ref().and_then(|known| known.weight)),
                    is_active: active.unwrap_or(known.is_none_or(|known| known.is_active)),
                };
                change.report(&client.define(organization(&key), &wanted, change.dry_run)?)?;
            }
            OrganizationAction::Remove { key, change } => change.remove(organization(&key))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(json: bool, server: &ServerFlags) -> Result<(), CommandFailure> {
    let all: OrganizationsView = server.client()?.all_defined(DefinitionKind::Organization)?;
    if json {
        return print_line(&json_line(&all));
    }
    let row = |one: &OrganizationDefinition| {
        vec![
            one.key.clone(),
            one.name.clone().unwrap_or_default(),
            one.id.map(|id| id.to_string()).unwrap_or_default(),
            one.weight.unwrap_or(1.0).to_string(),
            if one.is_active { "yes" } else { "no" }.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = all.organizations.iter().map(row).collect();
    print_table(&["KEY", "NAME", "ID", "WEIGHT", "ACTIVE"], &rows, "no organization is defined")
}
