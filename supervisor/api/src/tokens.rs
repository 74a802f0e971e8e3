//! Tokens, as they are asked for and shown.

use std::fmt;

use jiff::Timestamp;
use muster_core::access::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The tokens that were made, beside that of the settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Tokens)]
pub struct TokensView {
    /// By name.
    pub tokens: Vec<TokenView>,
}

/// What is known of a token. What lets its holder in is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenInfo)]
pub struct TokenView {
    /// The name of the token; no other has it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// To what is of this organization and nothing else, by its key; null is everything.
    pub organization: Option<String>,
    /// The moment from which on nobody is let in with it; null: it lasts.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who asked for it, as far as they said, and from where.
    pub created_by: String,
    /// When it was given another secret; null: never.
    pub rotated_at: Option<Timestamp>,
    /// The moment up to which the secret before is let in as well; null: it is not.
    pub previous_until: Option<Timestamp>,
    /// When it was last used, to within a few minutes; null: never.
    pub last_used_at: Option<Timestamp>,
}

/// A token that somebody wants.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenRequest)]
pub struct TokenRequest {
    /// What to call it: whoever reads who changed something reads this.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// Only to what is of this organization, by its key or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// The moment from which on nobody is let in with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<Timestamp>,
    /// The same, so many seconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, exclusive_minimum = 0)]
    pub expires_seconds: Option<f64>,
}

/// Another secret for a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenRotationRequest)]
pub struct TokenRotationRequest {
    /// For so many seconds the secret before is let in as well; left out, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub overlap_seconds: Option<f64>,
    /// The moment from which on nobody is let in with it; left out, as it was. A token that has expired needs another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<Timestamp>,
    /// The same, so many seconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, exclusive_minimum = 0)]
    pub expires_seconds: Option<f64>,
}

/// A token with its secret, which is told this once and kept nowhere.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = NewToken)]
pub struct MadeTokenView {
    /// What its holder shows.
    pub secret: String,
    /// What is known of it.
    pub token: TokenView,
}

/// The secret must not come into a log by way of a `{:?}`.
impl fmt::Debug for MadeTokenView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeTokenView").field("token", &self.token).finish_non_exhaustive()
    }
}

/// A token that is no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TokenRemoved)]
pub struct TokenRemovedView {
    /// The name of the token.
    pub name: String,
}

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Access)]
pub struct AccessView {
    /// The name of their token; null where none is needed. `http_token` is that of the settings.
    pub token: Option<String>,
    /// What they may do.
    pub role: Role,
    /// To what is of this organization and nothing else, by its key; null is everything.
    pub organization: Option<String>,
    /// The id of that organization.
    pub organization_id: Option<Uuid>,
}
