//! The tokens of the API as they are written: the file of data_dir that keeps one, the text of those that are made, and
//! what a client of this machine shows.
//!
//! Who is let in with one is the supervisor's to say.

mod kept;
mod secret;

use secrecy::{ExposeSecret as _, SecretString};

pub use kept::{TokenError, make_or_read, read_main, read_named};
pub use secret::{TOKEN_PREFIX, hash_of, is_made_token, make_token};

use crate::{HttpToken, Settings};

/// The file of the token, in data_dir.
pub const TOKEN_FILE: &str = "http_token";

/// What a client of this machine with these settings shows; nothing is made.
pub fn known_to(settings: &Settings) -> Option<SecretString> {
    match &settings.http_token {
        HttpToken::Open => None,
        HttpToken::Given(token) => Some(token.clone()),
        HttpToken::Made => read_named(&settings.data_dir.join(TOKEN_FILE)).ok(),
    }
}

/// The address of the dashboard for whoever has the token. It stands behind the `#`, which a browser keeps to
/// itself: neither a server's log nor a Referer has it.
pub fn dashboard_url(base: &str, token: Option<&SecretString>) -> String {
    let base = base.trim_end_matches('/');
    match token {
        Some(token) => format!("{base}/#token={}", token.expose_secret()),
        None => format!("{base}/"),
    }
}
