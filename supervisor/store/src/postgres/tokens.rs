//! What is sent about tokens within a transaction.

use jiff::Timestamp;
use uuid::Uuid;

use super::error::store_error;
use super::session::record;
use super::statements;
use super::transaction::PgSession;
use crate::columns::TimeColumn;
use crate::rows::micros;
use crate::tokens::TokenSession;
use crate::{NewToken, Result, TokenRecord, TokenRotation};

impl TokenSession for PgSession {
    async fn all_tokens(&mut self) -> Result<Vec<TokenRecord>> {
        record::tokens(&self.rows(sqlx::query(statements::TOKENS)).await?).map_err(store_error)
    }

    async fn insert_token(&mut self, new: &NewToken, who: &str) -> Result<bool> {
        let query = sqlx::query(statements::INSERT_TOKEN)
            .bind(new.id)
            .bind(new.name.clone())
            .bind(new.role.as_str())
            .bind(new.organization_id)
            .bind(new.hash.clone())
            .bind(who.to_owned())
            .bind(new.expires_at.map(TimeColumn));
        Ok(!self.rows(query).await?.is_empty())
    }

    async fn put_secret_of_token(&mut self, name: &str, rotation: &TokenRotation) -> Result<bool> {
        let query = sqlx::query(statements::ROTATE_TOKEN)
            .bind(name.to_owned())
            .bind(rotation.hash.clone())
            .bind(micros(rotation.overlap))
            .bind(rotation.expires_at.map(TimeColumn));
        Ok(!self.rows(query).await?.is_empty())
    }

    async fn remove_token(&mut self, name: &str) -> Result<bool> {
        Ok(!self.rows(sqlx::query(statements::REMOVE_TOKEN).bind(name.to_owned())).await?.is_empty())
    }

    async fn note_token_use(&mut self, id: Uuid, at: Timestamp) -> Result<()> {
        self.run(sqlx::query(statements::NOTE_TOKEN_USE).bind(id).bind(TimeColumn(at))).await
    }
}
