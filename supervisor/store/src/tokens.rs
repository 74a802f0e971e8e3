//! Tokens of the HTTP interface: who is let in beside the holder of the one in the settings.
//!
//! A row has the hash of a token and never the token, which is shown once to whoever asks for it. Every change is noted
//! among the changes in its own transaction, and heard of by every supervisor as a change of definitions is.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::access::Role;
use uuid::Uuid;

use crate::Result;

/// A token, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The id of the token, which a rotation keeps.
    pub id: Uuid,
    /// The name of the token; no other has it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// To what is of this organization and nothing else; `None` is everything.
    pub organization_id: Option<Uuid>,
    /// The key that the organization is known by, if it has one.
    pub organization_key: Option<String>,
    /// What is kept of the token: SHA-256 in hexadecimal digits.
    pub hash: String,
    /// The same of the one before, while that is let in as well.
    pub previous_hash: Option<String>,
    /// The moment from which on the one before is not let in any more.
    pub previous_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who asked for it.
    pub created_by: String,
    /// When it was given another secret; `None`: never.
    pub rotated_at: Option<Timestamp>,
    /// The moment from which on nobody is let in with it; `None`: it lasts.
    pub expires_at: Option<Timestamp>,
    /// When it was last seen to be used, to within a few minutes; `None`: never.
    pub last_used_at: Option<Timestamp>,
}

/// A token that somebody wants.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The id it gets.
    pub id: Uuid,
    /// The name it gets.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// To what is of this organization and nothing else; `None` is everything.
    pub organization_id: Option<Uuid>,
    /// What is kept of it.
    pub hash: String,
    /// The moment from which on nobody is let in with it; `None`: it lasts.
    pub expires_at: Option<Timestamp>,
}

/// Another secret for a token.
#[derive(Clone, Debug)]
pub struct TokenRotation {
    /// What is kept of the new one.
    pub hash: String,
    /// For so long the one before is let in as well.
    pub overlap: Duration,
    /// When it expires from now on; `None`: as it did.
    pub expires_at: Option<Timestamp>,
}

/// Tokens for those who let in, and for those who say who is.
#[async_trait]
pub trait TokenStore: Debug + Send + Sync + 'static {
    /// All tokens, by name. One whose role a later version knows is left out: nobody is let in with it here.
    async fn tokens(&self) -> Result<Vec<TokenRecord>>;

    /// Makes a token. `None`: another has its name.
    async fn create_token(&self, new: &NewToken, who: &str) -> Result<Option<TokenRecord>>;

    /// Gives a token another secret. `None`: there is none of this name.
    async fn rotate_token(
        &self,
        name: &str,
        rotation: &TokenRotation,
        who: &str,
    ) -> Result<Option<TokenRecord>>;

    /// Forgets a token. False: there is none of this name.
    async fn remove_token(&self, name: &str, who: &str) -> Result<bool>;

    /// Notes when tokens were used. That is no change of them, and nobody is told.
    async fn note_token_uses(&self, uses: &[(Uuid, Timestamp)]) -> Result<()>;
}

/// The part of a transaction that is about tokens. Methods take no empty lists.
pub(crate) trait TokenSession: Send {
    /// All tokens, by name.
    fn all_tokens(&mut self) -> impl Future<Output = Result<Vec<TokenRecord>>> + Send;

    /// Makes a token. False: another has its name.
    fn insert_token(&mut self, new: &NewToken, who: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Gives a token another secret. False: there is none of this name.
    fn put_secret_of_token(
        &mut self,
        name: &str,
        rotation: &TokenRotation,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Forgets a token. False: there is none of this name.
    fn remove_token(&mut self, name: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Notes when a token was used; an earlier moment than the one known changes nothing.
    fn note_token_use(&mut self, id: Uuid, at: Timestamp) -> impl Future<Output = Result<()>> + Send;
}
