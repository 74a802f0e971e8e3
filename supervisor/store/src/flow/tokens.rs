//! Tokens are made, rotated and forgotten, each with a line among the changes.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::access::Role;
use serde::Serialize;
use uuid::Uuid;

use super::again;
use crate::definitions::DefinitionSession as _;
use crate::pauses::NotedChange;
use crate::session::{Backend, Extent, Purpose, StoreSession};
use crate::tokens::TokenSession as _;
use crate::{NewToken, Result, TokenRecord, TokenRotation, TokenStore};

#[async_trait]
impl<B: Backend> TokenStore for B {
    async fn tokens(&self) -> Result<Vec<TokenRecord>> {
        again(B::PLANS_MAX, || tokens(self)).await
    }

    async fn create_token(&self, new: &NewToken, who: &str) -> Result<Option<TokenRecord>> {
        again(B::PLANS_MAX, || create(self, new, who)).await
    }

    async fn rotate_token(
        &self,
        name: &str,
        rotation: &TokenRotation,
        who: &str,
    ) -> Result<Option<TokenRecord>> {
        again(B::PLANS_MAX, || rotate(self, name, rotation, who)).await
    }

    async fn remove_token(&self, name: &str, who: &str) -> Result<bool> {
        again(B::PLANS_MAX, || remove(self, name, who)).await
    }

    async fn note_token_uses(&self, uses: &[(Uuid, Timestamp)]) -> Result<()> {
        if uses.is_empty() {
            return Ok(());
        }
        again(B::PLANS_MAX, || note_uses(self, uses)).await
    }
}

/// What is kept of a token among the changes: nothing by which anybody is let in.
#[derive(Serialize)]
struct NotedToken<'a> {
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_at: Option<Timestamp>,
}

/// How the organization of a token is called: by its key, else by its id.
fn organization(record: &TokenRecord) -> Option<String> {
    record.organization_key.clone().or_else(|| Some(record.organization_id?.to_string()))
}

fn noted(record: &TokenRecord) -> String {
    let organization = organization(record);
    let noted = NotedToken {
        role: record.role,
        organization: organization.as_deref(),
        expires_at: record.expires_at,
        rotated_at: record.rotated_at,
    };
    // Words and moments have no way to fail.
    serde_json::to_string(&noted).unwrap_or_default()
}

async fn note<S: StoreSession>(
    session: &mut S,
    who: &str,
    before: Option<&TokenRecord>,
    after: Option<&TokenRecord>,
) -> Result<()> {
    let Some(token) = after.or(before) else { return Ok(()) };
    let organization = organization(token);
    let (before, after) = (before.map(noted), after.map(noted));
    let change = NotedChange {
        who,
        kind: "token",
        name: &token.name,
        organization: organization.as_deref(),
        before: before.as_deref(),
        after: after.as_deref(),
    };
    session.note_change(&change).await
}

fn named(tokens: Vec<TokenRecord>, name: &str) -> Option<TokenRecord> {
    tokens.into_iter().find(|token| token.name == name)
}

async fn tokens<B: Backend>(backend: &B) -> Result<Vec<TokenRecord>> {
    let mut session = backend.begin(Purpose::Read, Extent::OneStatement).await?;
    let tokens = session.all_tokens().await?;
    session.commit().await?;
    Ok(tokens)
}

async fn create<B: Backend>(backend: &B, new: &NewToken, who: &str) -> Result<Option<TokenRecord>> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    session.lock_definitions().await?;
    if !session.insert_token(new, who).await? {
        session.roll_back().await;
        return Ok(None);
    }
    let made = named(session.all_tokens().await?, &new.name);
    note(&mut session, who, None, made.as_ref()).await?;
    session.commit().await?;
    backend.definitions_written();
    Ok(made)
}

async fn rotate<B: Backend>(
    backend: &B,
    name: &str,
    rotation: &TokenRotation,
    who: &str,
) -> Result<Option<TokenRecord>> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    session.lock_definitions().await?;
    let before = named(session.all_tokens().await?, name);
    if before.is_none() || !session.put_secret_of_token(name, rotation).await? {
        session.roll_back().await;
        return Ok(None);
    }
    let after = named(session.all_tokens().await?, name);
    note(&mut session, who, before.as_ref(), after.as_ref()).await?;
    session.commit().await?;
    backend.definitions_written();
    Ok(after)
}

async fn remove<B: Backend>(backend: &B, name: &str, who: &str) -> Result<bool> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    session.lock_definitions().await?;
    let before = named(session.all_tokens().await?, name);
    if !session.remove_token(name).await? {
        session.roll_back().await;
        return Ok(false);
    }
    note(&mut session, who, before.as_ref(), None).await?;
    session.commit().await?;
    backend.definitions_written();
    Ok(true)
}

async fn note_uses<B: Backend>(backend: &B, uses: &[(Uuid, Timestamp)]) -> Result<()> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    for (id, at) in uses {
        session.note_token_use(*id, *at).await?;
    }
    session.commit().await
}
