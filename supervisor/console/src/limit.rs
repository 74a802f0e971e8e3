//! `supervisor limit`: how many executions may run at once.

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand};
use muster_api::LimitView;
use muster_core::limit::{LimitKey, LimitRate, LimitTerms, OnFull};
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::output::{json_line, print, print_line};
use super::server::ServerFlags;

/// Set how many executions may run at once, and see how full that is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor limit set crm --total 5
  supervisor limit set crm --per-key 2 --key parameters.customer
  supervisor submit report --limit crm --wait
  supervisor limit list")]
pub struct LimitCommand {
    #[command(subcommand)]
    action: LimitAction,
}

#[derive(Debug, Subcommand)]
enum LimitAction {
    /// List the limits, how many run in each, and how many wait.
    #[command(after_help = "Examples:
  supervisor limit list
  supervisor limit list --json | jq -r '.[] | select(.waiting > 0) | .name'")]
    List {
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Show one limit.
    #[command(after_help = "Examples:
  supervisor limit show crm
  supervisor limit show crm --json | jq .running")]
    Show {
        /// The name of the limit.
        #[arg(value_name = "NAME")]
        name: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Set all that a limit allows, from the next claim on: what is not said here holds nobody back. What runs goes on.
    #[command(after_help = "Examples:
  supervisor limit set crm --total 5
  supervisor limit set crm --total 20 --per-key 2 --key parameters.customer
  supervisor limit set import --per-key 1 --on-full reject
  supervisor limit set mail --rate 100/60s --key organization",
        group = ArgGroup::new("bounds").args(["total", "per_key", "rate"]).required(true).multiple(true))]
    Set {
        /// The name of the limit.
        #[arg(value_name = "NAME")]
        name: String,
        /// How many may run at once in the whole fleet; 0 lets nothing start.
        #[arg(long, value_name = "N")]
        total: Option<u32>,
        /// How many may run at once for one key.
        #[arg(long, value_name = "N")]
        per_key: Option<u32>,
        /// How many may start in a period for one key, as in 100/60s.
        #[arg(long, value_name = "COUNT/PERIOD")]
        rate: Option<LimitRate>,
        /// How many of these may start early together; left out, 1.
        #[arg(long, value_name = "N", requires = "rate")]
        burst: Option<u32>,
        /// What it counts by: organization, workflow, caller, or parameters.NAME.
        #[arg(long, value_name = "KEY", default_value_t)]
        key: LimitKey,
        /// What happens to one that comes when it is full: wait; reject: it is refused; replace: it takes the place of one that
        /// waits; cancel_running: of one that runs, too.
        #[arg(long, value_name = "WHAT", default_value = OnFull::Wait.as_str(), value_parser = on_full())]
        on_full: OnFull,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Remove a limit, and let go what waits for it.
    #[command(after_help = "Examples:
  supervisor limit remove crm")]
    Remove {
        /// The name of the limit.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        server: ServerFlags,
    },
}

impl LimitCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        match &self.action {
            LimitAction::List { json, server } => {
                let limits = server.client()?.limits()?.limits;
                if *json { print_line(&json_line(&limits))? } else { print(&spelled_out(&table(&limits)))? }
            }
            LimitAction::Show { name, json, server } => show(&server.client()?.limit(name)?, *json)?,
            LimitAction::Set { name, total, per_key, rate, burst, key, on_full, json, server } => {
                let terms = LimitTerms {
                    total: *total,
                    per_key: *per_key,
                    rate: *rate,
                    burst: *burst,
                    key: key.clone(),
                    on_full: *on_full,
                };
                show(&server.client()?.set_limit(name, &terms)?, *json)?;
            }
            LimitAction::Remove { name, server } => {
                let removed = server.client()?.remove_limit(name)?;
                print_line(&format!("limit {} is removed", removed.name))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(limit: &LimitView, json: bool) -> Result<(), CommandFailure> {
    if json { print_line(&json_line(limit)) } else { print_line(&spelled_out(&describe(limit))) }
}

fn describe(limit: &LimitView) -> String {
    let LimitView { name, terms, running, waiting } = limit;
    format!("limit {name}: {}; {running} running, {waiting} waiting", allows(terms.as_ref()))
}

/// What it allows, in words.
fn allows(terms: Option<&LimitTerms>) -> String {
    let Some(terms) = terms else { return "not set, holds nothing back".to_owned() };
    let total = terms.total.map(|most| format!("{most} in all"));
    let per_key = terms.per_key.map(|most| format!("{most} per {}", terms.key));
    let early = terms.burst.filter(|burst| *burst > 1).map(|burst| format!(", {burst} at once"));
    let rate = terms.rate.map(|rate| format!("{rate} per {}{}", terms.key, early.unwrap_or_default()));
    let on_full = match terms.on_full {
        OnFull::Wait => None,
        OnFull::Reject => Some("refuses more"),
        OnFull::Replace => Some("the newest waits"),
        OnFull::CancelRunning => Some("the newest runs"),
    };
    [total, per_key, rate, on_full.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The words there are, which also a shell can complete.
pub(crate) fn on_full() -> impl TypedValueParser<Value = OnFull> {
    PossibleValuesParser::new(OnFull::ALL.map(OnFull::as_str))
        .map(|word| OnFull::of_word(&word).unwrap_or_default())
}

fn table(limits: &[LimitView]) -> String {
    let width = limits.iter().map(|limit| limit.name.chars().count()).max().unwrap_or_default().max(5);
    let mut text = format!("{:width$}  {:>7}  {:>7}  ALLOWS\n", "LIMIT", "RUNNING", "WAITING");
    for limit in limits {
        let allows = allows(limit.terms.as_ref());
        text.push_str(&format!(
            "{:width$}  {:>7}  {:>7}  {allows}\n",
            limit.name, limit.running, limit.waiting
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_listed_with_what_they_allow_and_how_full_they_are() {
        let terms = LimitTerms {
            total: Some(5),
            per_key: Some(1),
            key: "parameters.customer".parse().unwrap(),
            on_full: OnFull::Reject,
            rate: Some("100/60s".parse().unwrap()),
            burst: Some(3),
        };
        let set = LimitView { name: "crm".to_owned(), terms: Some(terms), running: 5, waiting: 12 };
        let named = LimitView { name: "unset".to_owned(), running: 1, ..LimitView::default() };
        insta::assert_snapshot!(table(&[set.clone(), named]), @r"
        LIMIT  RUNNING  WAITING  ALLOWS
        crm          5       12  5 in all, 1 per parameters.customer, 100/60s per parameters.customer, 3 at once, refuses more
        unset        1        0  not set, holds nothing back
        ");
        assert_eq!(
            describe(&set),
            "limit crm: 5 in all, 1 per parameters.customer, 100/60s per parameters.customer, 3 at once, refuses more; 5 running, 12 waiting"
        );
    }
}
