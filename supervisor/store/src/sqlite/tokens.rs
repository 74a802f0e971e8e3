//! What is sent about tokens within a transaction.

use jiff::Timestamp;
use uuid::Uuid;

use super::error::store_error;
use super::rows::write_query;
use super::session::{SqliteSession, written as record};
use super::statements;
use crate::rows::micros;
use crate::tokens::TokenSession;
use crate::{NewToken, Result, TokenRecord, TokenRotation};

impl TokenSession for SqliteSession {
    async fn all_tokens(&mut self) -> Result<Vec<TokenRecord>> {
        record::tokens(&self.rows(write_query(statements::TOKENS)).await?).map_err(store_error)
    }

    async fn insert_token(&mut self, new: &NewToken, who: &str) -> Result<bool> {
        let query = write_query(statements::INSERT_TOKEN)
            .bind(new.id.to_string())
            .bind(&new.name)
            .bind(new.role.as_str())
            .bind(new.organization_id.map(|id| id.to_string()))
            .bind(&new.hash)
            .bind(who)
            .bind(new.expires_at.map(Timestamp::as_microsecond))
            .bind(self.now());
        Ok(!self.rows(query).await?.is_empty())
    }

    async fn put_secret_of_token(&mut self, name: &str, rotation: &TokenRotation) -> Result<bool> {
        let query = write_query(statements::ROTATE_TOKEN)
            .bind(name)
            .bind(&rotation.hash)
            .bind(micros(rotation.overlap))
            .bind(rotation.expires_at.map(Timestamp::as_microsecond))
            .bind(self.now());
        Ok(!self.rows(query).await?.is_empty())
    }

    async fn remove_token(&mut self, name: &str) -> Result<bool> {
        Ok(!self.rows(write_query(statements::REMOVE_TOKEN).bind(name)).await?.is_empty())
    }

    async fn note_token_use(&mut self, id: Uuid, at: Timestamp) -> Result<()> {
        let query = write_query(statements::NOTE_TOKEN_USE).bind(id.to_string()).bind(at.as_microsecond());
        self.run(query).await
    }
}
