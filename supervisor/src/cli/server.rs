//! Which supervisor a command talks to.

use clap::Args;
use secrecy::SecretString;

use super::exit::Failure;
use crate::client::{Client, DEFAULT_URL};

/// Where the supervisor is and how to be let in.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Supervisor")]
pub(crate) struct Server {
    /// Address of the supervisor [default: MUSTER_URL, else http://127.0.0.1:7420].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Its bearer token [default: MUSTER_HTTP_TOKEN].
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

impl Server {
    /// A client for it; nothing is sent yet.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let url = self.url.clone().or_else(|| variable("MUSTER_URL"));
        let token = self.token.clone().or_else(|| variable("MUSTER_HTTP_TOKEN"));
        let url = url.unwrap_or_else(|| DEFAULT_URL.to_owned());
        Ok(Client::new(&url, token.map(SecretString::from))?)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
