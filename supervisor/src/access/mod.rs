//! Who may use the API: the token of the settings and those that were made, where the first is kept, and how a program
//! of this machine comes by it.
//!
//! Without a token the API on loopback is a key that every workflow holds. So there is one by default: made at the
//! first start, in a file of data_dir that only the supervisor's user can read. A client of the same user asks the
//! supervisor where that file is; the answer says so to this machine only. Whoever has it may do everything.
//!
//! Others are made beside it, with a role and perhaps an organization ([`KnownTokens`]). What a role may do is decided in
//! `muster_core::access`; which role an endpoint needs stands beside the endpoint.

mod book;
mod caller;
mod follow;
mod known;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

pub use book::{TokenBook, TokenStanding};
pub use caller::{Caller, Credential, SETTING_NAME};
pub use follow::note_uses_for_ever;
pub use known::KnownTokens;
pub use muster_settings::access::{
    TOKEN_FILE, TOKEN_PREFIX, TokenError, dashboard_url, hash_of, known_to, make_or_read, make_token,
    read_main,
};

use crate::settings::{HttpToken, Settings};

/// Who may use the HTTP interface. Clones are the same.
#[derive(Clone, Debug)]
pub struct Access {
    main: MainToken,
    /// The tokens that were made.
    pub tokens: Arc<KnownTokens>,
}

/// The token of the settings, whose holder may do everything.
#[derive(Clone, Debug)]
pub enum MainToken {
    /// There is none: every program of this machine may do everything.
    Open,
    /// Whoever shows it is let in.
    Token {
        /// The token that clients must show.
        token: SecretString,
        /// Where it is kept, when it was made here.
        file: Option<PathBuf>,
    },
}

/// What came of looking at what somebody showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenAdmission {
    /// They are let in.
    Admitted(Caller),
    /// They showed a token that counts no more.
    Expired {
        /// The name of the token.
        name: Arc<str>,
        /// The moment from which on it does not count.
        at: Timestamp,
    },
    /// It is not known yet which tokens there are.
    NotYetKnown,
    /// They showed nothing that lets anybody in.
    Refused,
}

impl Access {
    /// What the settings ask for. A token that is to be made is made, or read when it was.
    ///
    /// # Errors
    /// When the file cannot be made or used.
    pub fn of(settings: &Settings) -> Result<Self, TokenError> {
        Ok(Self::with(match &settings.http_token {
            HttpToken::Open => MainToken::Open,
            HttpToken::Given(token) => MainToken::Token { token: token.clone(), file: None },
            HttpToken::Made => {
                let file = settings.data_dir.join(TOKEN_FILE);
                MainToken::Token { token: make_or_read(&file)?, file: Some(file) }
            }
        }))
    }

    /// With this token, and no others known yet.
    pub fn with(main: MainToken) -> Self {
        Self { main, tokens: Arc::default() }
    }

    /// The token of the settings.
    pub fn main(&self) -> &MainToken {
        &self.main
    }

    /// Where the token of the settings is kept, when it was made here.
    pub fn file(&self) -> Option<&Path> {
        match &self.main {
            MainToken::Open => None,
            MainToken::Token { file, .. } => file.as_deref(),
        }
    }

    /// Whether nobody needs a token.
    pub fn is_open(&self) -> bool {
        matches!(self.main, MainToken::Open)
    }

    /// Whether whoever shows this is let in, and as whom. A token that was made says what its holder may do, also where
    /// nobody needs one, and where the settings have the same: it must not gain by that.
    pub fn admit(&self, shown: Option<&str>, now: Timestamp) -> TokenAdmission {
        let named = shown.filter(|shown| shown.starts_with(TOKEN_PREFIX));
        match (named.map(|shown| self.tokens.standing(shown, now)), &self.main) {
            (Some(Some(TokenStanding::Known { caller, .. })), _) => TokenAdmission::Admitted(caller),
            (Some(Some(TokenStanding::Expired { name, at })), _) => TokenAdmission::Expired { name, at },
            (Some(None), MainToken::Token { .. }) => TokenAdmission::NotYetKnown,
            (Some(Some(TokenStanding::Unknown)) | None, MainToken::Token { token, .. }) => {
                if shown.is_some_and(|shown| is_same(shown, token)) {
                    TokenAdmission::Admitted(Caller::admin(Credential::Setting))
                } else {
                    TokenAdmission::Refused
                }
            }
            (Some(None | Some(TokenStanding::Unknown)) | None, MainToken::Open) => {
                TokenAdmission::Admitted(Caller::admin(Credential::Open))
            }
        }
    }
}

/// Compares in a time that does not tell how much was right. The length of a token is no secret.
pub fn is_same(shown: &str, token: &SecretString) -> bool {
    shown.as_bytes().ct_eq(token.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use muster_core::access::Role;
    use muster_store::TokenRecord;
    use uuid::Uuid;

    use super::*;

    fn admitted(admission: TokenAdmission) -> Caller {
        let TokenAdmission::Admitted(caller) = admission else { panic!("{admission:?}") };
        caller
    }

    #[test]
    fn before_the_table_is_read_nobody_is_refused_for_a_token_of_it() {
        let token = MainToken::Token { token: SecretString::from("main"), file: None };
        let access = Access::with(token);
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(access.admit(Some("muster_x"), now), TokenAdmission::NotYetKnown);
        assert_eq!(access.admit(Some("other"), now), TokenAdmission::Refused);
        assert_eq!(access.admit(None, now), TokenAdmission::Refused);
        assert_eq!(admitted(access.admit(Some("main"), now)).credential, Credential::Setting);
        access.tokens.replace(Vec::new());
        assert_eq!(access.admit(Some("muster_x"), now), TokenAdmission::Refused);
    }

    /// A token that was made, with the least rights, and expires at this moment.
    fn least(secret: &str, expires_at: Timestamp) -> TokenRecord {
        TokenRecord {
            id: Uuid::from_u128(7),
            name: "least".to_owned(),
            role: Role::View,
            organization_id: Some(Uuid::from_u128(8)),
            organization_key: None,
            hash: hash_of(secret),
            previous_hash: None,
            previous_until: None,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: "anna".to_owned(),
            rotated_at: None,
            expires_at: Some(expires_at),
            last_used_at: None,
        }
    }

    #[test]
    fn a_token_that_was_made_gains_nothing_by_being_that_of_the_settings() {
        let secret = make_token();
        let access = Access::with(MainToken::Token { token: secret.clone(), file: None });
        let (shown, at) = (secret.expose_secret(), Timestamp::from_second);
        assert_eq!(access.admit(Some(shown), at(0).unwrap()), TokenAdmission::NotYetKnown);
        access.tokens.replace(vec![least(shown, at(9).unwrap())]);
        let caller = admitted(access.admit(Some(shown), at(8).unwrap()));
        assert_eq!((caller.token_name(), caller.grant.role), (Some("least"), Role::View));
        assert_eq!(caller.organization_id(), Some(Uuid::from_u128(8)));
        let expired = access.admit(Some(shown), at(9).unwrap());
        assert!(matches!(expired, TokenAdmission::Expired { .. }), "{expired:?}");
    }

    #[test]
    fn a_token_of_the_settings_may_begin_as_those_do_that_are_made() {
        let access = Access::with(MainToken::Token { token: SecretString::from("muster_dev"), file: None });
        access.tokens.replace(Vec::new());
        let caller = admitted(access.admit(Some("muster_dev"), Timestamp::UNIX_EPOCH));
        assert_eq!(caller.credential, Credential::Setting);
    }

    #[test]
    fn where_nobody_needs_a_token_whatever_is_shown_lets_in() {
        let access = Access::with(MainToken::Open);
        for shown in [None, Some("other"), Some("muster_x")] {
            assert_eq!(admitted(access.admit(shown, Timestamp::UNIX_EPOCH)).credential, Credential::Open);
        }
    }
}
