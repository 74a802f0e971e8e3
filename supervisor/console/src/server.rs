//! Which supervisor a command talks to.

use std::collections::BTreeMap;

use clap::Args;
use muster_api::client::{ApiClient, DEFAULT_URL};
use muster_settings::access::known_to;
use muster_settings::{CLIENT_TOKEN, Settings, Sources};
use secrecy::SecretString;

use super::exit::CommandFailure;

/// Where the supervisor is and how to be let in.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Supervisor")]
pub struct ServerFlags {
    /// Address of the supervisor [default: MUSTER_URL, else http://127.0.0.1:7420].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Its bearer token [default: MUSTER_HTTP_TOKEN, else the one a supervisor of this machine and user keeps].
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

impl ServerFlags {
    /// The address that this command line names, if it names one.
    pub(crate) fn named(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// A client for it; nothing is sent yet.
    pub fn client(&self) -> Result<ApiClient, CommandFailure> {
        let url = self.url.clone().or_else(|| variable("MUSTER_URL"));
        self.client_at(&url.unwrap_or_else(|| DEFAULT_URL.to_owned()))
    }

    /// A client for the one at this address, with the same token.
    pub fn client_at(&self, url: &str) -> Result<ApiClient, CommandFailure> {
        // Perhaps with the end of the line it stood on. "none" is the setting of a supervisor without one.
        let token = self.token.clone().or_else(|| variable(CLIENT_TOKEN));
        let token = token.map(|token| token.trim().to_owned()).filter(|token| token != "none");
        // Settings that cannot be read are for the commands that need them.
        let settings = Settings::load(&Sources::of_process(None, BTreeMap::new())).ok();
        let fallback = settings.as_ref().and_then(known_to);
        Ok(ApiClient::new(url, token.map(SecretString::from))?.or_token(fallback))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
