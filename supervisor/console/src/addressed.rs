//! Commands for one supervisor of the fleet, or for all of them: each is asked at its own address.

use std::process::ExitCode;

use clap::Args;
use muster_api::client::ApiClient;
use muster_api::{FleetMemberView, PoolView, SupervisorLife};
use muster_protocol::spelled_out;
use serde::Serialize;
use uuid::Uuid;

use super::exit::CommandFailure;
use super::output::{note, print_line};
use super::server::ServerFlags;

/// Which supervisors a command is for; without any of it the one that is asked.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Supervisor")]
pub(crate) struct AddressedFlags {
    /// All that live on its database, one after another until one cannot. All of them must take the token.
    #[arg(long, conflicts_with = "supervisor")]
    fleet: bool,
    /// The one on this host, or whose id begins so: `supervisor fleet` lists them.
    #[arg(long, value_name = "HOST|ID")]
    supervisor: Option<String>,
}

/// What came of a command at one supervisor.
#[derive(Debug)]
pub(crate) struct PoolChange {
    /// The pool after it.
    pub(crate) pool: PoolView,
    /// The same for people, in a sentence.
    pub(crate) told: String,
    /// What must be said besides, and makes the command fail.
    pub(crate) but: Option<String>,
}

/// The pool of one of several supervisors.
#[derive(Debug, Serialize)]
struct PoolOf<'a> {
    id: Uuid,
    host: &'a str,
    pool: &'a PoolView,
}

impl AddressedFlags {
    /// True when it may be for several.
    pub(crate) fn is_for_all(&self) -> bool {
        self.fleet
    }

    /// Has it done by each supervisor that it is for, and tells what came of it.
    pub(crate) fn each(
        &self,
        server: &ServerFlags,
        as_json: bool,
        act: impl Fn(&ApiClient) -> Result<PoolChange, CommandFailure>,
    ) -> Result<ExitCode, CommandFailure> {
        let client = server.client()?;
        if !self.fleet && self.supervisor.is_none() {
            let PoolChange { pool, told, but } = act(&client)?;
            print_line(&if as_json { serde_json::to_string(&pool).unwrap_or_default() } else { told })?;
            return but.map_or(Ok(ExitCode::SUCCESS), |but| Err(CommandFailure::other(but)));
        }
        let members = self.members(client.fleet()?.supervisors)?;
        let (mut done, mut failed) = (0, None);
        for one in &members {
            let result = match &one.http_address {
                Some(address) => server.client_at(address).and_then(|there| act(&there)),
                None => Err(CommandFailure::other("it has no API to ask (http_bind is empty)")),
            };
            match result {
                Ok(PoolChange { pool, told, but: None }) => {
                    done += 1;
                    print_line(&match as_json {
                        true => serde_json::to_string(&PoolOf { id: one.id, host: &one.host, pool: &pool })
                            .unwrap_or_default(),
                        false => spelled_out(&format!("{}: {told}", name(one))).into_owned(),
                    })?;
                }
                Ok(PoolChange { but: Some(but), .. }) => failed = Some(CommandFailure::other(but)),
                Err(failure) => failed = Some(failure),
            }
            if let Some(failure) = failed {
                let left = members.len() - done - 1;
                if left > 0 {
                    note(&format!("{done} of {} have done it; {left} were not asked", members.len()));
                }
                return Err(failure.of(&name(one)));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Those it is for, among all that are known.
    fn members(&self, known: Vec<FleetMemberView>) -> Result<Vec<FleetMemberView>, CommandFailure> {
        let lives = |one: &FleetMemberView| match one.life {
            SupervisorLife::Serving | SupervisorLife::Troubled | SupervisorLife::Draining => true,
            SupervisorLife::Silent
            | SupervisorLife::Replaced
            | SupervisorLife::Left
            | SupervisorLife::Unknown => false,
        };
        let alive: Vec<_> = known.into_iter().filter(lives).collect();
        let Some(wanted) = &self.supervisor else {
            return match alive.len() {
                0 => Err(CommandFailure::other("no supervisor is known to live: see `supervisor fleet`")),
                _ => Ok(alive),
            };
        };
        let (mut found, others): (Vec<_>, Vec<_>) = alive.into_iter().partition(|one| {
            one.host == *wanted || one.id.simple().to_string().starts_with(&wanted.replace('-', ""))
        });
        match found.len() {
            1 => Ok(vec![found.remove(0)]),
            0 => {
                let names: Vec<_> = others.iter().map(name).collect();
                Err(CommandFailure::usage(format!(
                    "no supervisor that lives is called {wanted:?}; there are {}",
                    names.join(", ")
                )))
            }
            _ => {
                let names: Vec<_> = found.iter().map(name).collect();
                Err(CommandFailure::usage(format!(
                    "{wanted:?} may be {}: name one by its id, or use --fleet",
                    names.join(" or ")
                )))
            }
        }
    }
}

/// What people call it: several may be on one host.
fn name(one: &FleetMemberView) -> String {
    format!("{} (process {}, id {})", one.host, one.process_id, one.id)
}
