//! Who may use the API: the token, where it is kept, and how a program of this machine comes by it.
//!
//! Without a token the API on loopback is a key that every workflow holds. So there is one by default: made at the
//! first start, in a file of data_dir that only the supervisor's user can read. A client of the same user asks the
//! supervisor where that file is; the answer says so to this machine only.

mod kept;

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

pub use kept::{TokenError, make_or_read, read_named};

use crate::settings::{HttpToken, Settings};

/// The file of the token, in data_dir.
pub const TOKEN_FILE: &str = "http_token";

/// Who may use the HTTP interface.
#[derive(Clone, Debug)]
pub enum Access {
    /// Every program of this machine is let in.
    Open,
    /// Whoever shows the token is let in.
    Token {
        /// The token that clients must show.
        token: SecretString,
        /// Where it is kept, when it was made here.
        file: Option<PathBuf>,
    },
}

impl Access {
    /// What the settings ask for. A token that is to be made is made, or read when it was.
    ///
    /// # Errors
    /// When the file cannot be made or used.
    pub fn of(settings: &Settings) -> Result<Self, TokenError> {
        match &settings.http_token {
            HttpToken::Open => Ok(Self::Open),
            HttpToken::Given(token) => Ok(Self::Token { token: token.clone(), file: None }),
            HttpToken::Made => {
                let file = settings.data_dir.join(TOKEN_FILE);
                Ok(Self::Token { token: make_or_read(&file)?, file: Some(file) })
            }
        }
    }

    /// Where the token is kept, when it was made here.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Open => None,
            Self::Token { file, .. } => file.as_deref(),
        }
    }
}

/// What a client of this machine with these settings shows; nothing is made.
pub fn known_to(settings: &Settings) -> Option<SecretString> {
    match &settings.http_token {
        HttpToken::Open => None,
        HttpToken::Given(token) => Some(token.clone()),
        HttpToken::Made => read_named(&settings.data_dir.join(TOKEN_FILE)).ok(),
    }
}

/// Compares in a time that does not tell how much was right. The length of a token is no secret.
pub fn is_same(shown: &str, token: &SecretString) -> bool {
    shown.as_bytes().ct_eq(token.expose_secret().as_bytes()).into()
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
