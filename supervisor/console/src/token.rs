//! `supervisor token`: who is let in beside the holder of `http_token`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use muster_api::moment::{moment, seconds};
use muster_api::{MadeTokenView, TokenRequest, TokenRotationRequest, TokenView};
use muster_core::access::Role;

use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, note, print_line, print_table};
use super::server::ServerFlags;

/// Say who is let in beside the holder of http_token: tokens with a role, for an organization, for a time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor token create grafana --role view
  supervisor token create acme-ci --role operate --organization acme --expires 90d
  supervisor token rotate acme-ci --overlap 1h
  supervisor token remove grafana")]
pub struct TokenCommand {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// List the tokens, without what lets in.
    #[command(after_help = "Examples:
  supervisor token list
  supervisor token list --json | jq -r '.tokens[] | select(.role == \"admin\") | .name'")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Make a token, and print it: it is shown this once and kept nowhere.
    #[command(after_help = "Examples:
  supervisor token create grafana --role view
  supervisor token create deploy --role admin --expires 12h
  supervisor token create acme-ci --role operate --organization acme > acme-ci.token")]
    Create {
        /// What to call it: whoever reads who changed something reads this.
        #[arg(value_name = "NAME")]
        name: String,
        /// What its holder may do: look (view), also run and stop things (operate), or everything (admin).
        #[arg(long, value_name = "ROLE", value_parser = roles())]
        role: Role,
        /// Only to what is of this organization, by its key or id.
        #[arg(long, value_name = "KEY")]
        organization: Option<String>,
        /// When it expires: after 90s, 15m, 12h, 30d or 8w, or at a moment as in 2027-05-01T06:30:00Z [default: never].
        #[arg(long, value_name = "TIME", value_parser = TokenLife::parse)]
        expires: Option<TokenLife>,
        /// Print it with what is known of it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Give a token another secret, and print it: within a second the one before lets nobody in.
    #[command(after_help = "Examples:
  supervisor token rotate acme-ci
  supervisor token rotate acme-ci --overlap 1h           both count for an hour
  supervisor token rotate acme-ci --expires 90d")]
    Rotate {
        /// The name of the token.
        #[arg(value_name = "NAME")]
        name: String,
        /// For so long the one before lets in as well: 90s, 15m, 12h, at most 30d [default: not at all].
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        overlap: Option<f64>,
        /// When it expires from now on; one that has expired already needs it [default: as before].
        #[arg(long, value_name = "TIME", value_parser = TokenLife::parse)]
        expires: Option<TokenLife>,
        /// Print it with what is known of it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Remove a token: within a second it lets nobody in.
    #[command(after_help = "Examples:
  supervisor token remove grafana")]
    Remove {
        /// The name of the token.
        #[arg(value_name = "NAME")]
        name: String,
        /// Print what was removed as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
}

fn roles() -> impl clap::builder::TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|text| text.parse::<Role>())
}

/// How long a token lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum TokenLife {
    Seconds(f64),
    Until(Timestamp),
}

impl TokenLife {
    fn parse(text: &str) -> Result<Self, String> {
        match (seconds(text), moment(text)) {
            (Ok(seconds), _) => Ok(Self::Seconds(seconds)),
            (Err(_), Ok(at)) => Ok(Self::Until(at)),
            (Err(_), Err(_)) => Err(format!("{text:?} is no time: write 12h, 30d, or 2027-05-01T06:30:00Z")),
        }
    }

    /// As the moment, or as the seconds, that a request takes.
    fn fields(life: Option<Self>) -> (Option<Timestamp>, Option<f64>) {
        match life {
            None => (None, None),
            Some(Self::Seconds(seconds)) => (None, Some(seconds)),
            Some(Self::Until(at)) => (Some(at), None),
        }
    }
}

impl TokenCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        match self.action {
            TokenAction::List { json, server } => list(json, &server)?,
            TokenAction::Create { name, role, organization, expires, json, server } => {
                let (expires_at, expires_seconds) = TokenLife::fields(expires);
                let wanted = TokenRequest { name, role, organization, expires_at, expires_seconds };
                print_made(&server.client()?.create_token(&wanted)?, json)?;
            }
            TokenAction::Rotate { name, overlap, expires, json, server } => {
                let (expires_at, expires_seconds) = TokenLife::fields(expires);
                let wanted = TokenRotationRequest { overlap_seconds: overlap, expires_at, expires_seconds };
                print_made(&server.client()?.rotate_token(&name, &wanted)?, json)?;
            }
            TokenAction::Remove { name, json, server } => {
                let removed = server.client()?.remove_token(&name)?;
                match json {
                    true => print_line(&json_line(&removed))?,
                    false => print_line(&format!("removed token {name}"))?,
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The secret alone on standard output, so that it can go into a file; what is to be known of it beside.
fn print_made(made: &MadeTokenView, json: bool) -> Result<(), CommandFailure> {
    if json {
        return print_line(&json_line(made));
    }
    let TokenView { name, role, organization, expires_at, previous_until, .. } = &made.token;
    let whose = organization.as_ref().map(|key| format!(" in organization {key}")).unwrap_or_default();
    let until =
        expires_at.map_or_else(|| "it does not expire".to_owned(), |at| format!("it expires at {at}"));
    note(&format!("token {name} with the role {role}{whose}; {until}"));
    if let Some(until) = previous_until {
        note(&format!("the one before lets in until {until}"));
    }
    if std::io::stdout().is_terminal() {
        note("it is shown this once:");
    }
    print_line(&made.secret)
}

fn list(json: bool, server: &ServerFlags) -> Result<(), CommandFailure> {
    let all = server.client()?.tokens()?;
    if json {
        return print_line(&json_line(&all));
    }
    let time = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), human::time);
    let row = |one: &TokenView| {
        vec![
            one.name.clone(),
            one.role.to_string(),
            one.organization.clone().unwrap_or_else(|| "all".to_owned()),
            time(one.expires_at, "never"),
            time(one.last_used_at, "never"),
            time(Some(one.rotated_at.unwrap_or(one.created_at)), ""),
            one.created_by.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = all.tokens.iter().map(row).collect();
    let header = ["TOKEN", "ROLE", "ORGANIZATION", "EXPIRES", "LAST USED", "SECRET OF", "MADE BY"];
    print_table(&header, &rows, "no token is made: whoever is let in has http_token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_time_or_a_moment() {
        assert_eq!(TokenLife::parse("12h"), Ok(TokenLife::Seconds(43_200.0)));
        let at = "2027-05-01T06:30:00Z";
        assert_eq!(TokenLife::parse(at), Ok(TokenLife::Until(at.parse().unwrap())));
        assert!(TokenLife::parse("tomorrow").unwrap_err().contains("30d"));
    }
}
