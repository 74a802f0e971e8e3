//! Tokens are made, rotated and removed, every change is noted and heard of, and what lets in is in none of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_core::access::Role;
use muster_store::{NewToken, TokenRotation};
use uuid::Uuid;

use crate::fixture::Fixture;

const ACME: Uuid = Uuid::from_u128(0xac3e);

fn token(name: &str, hash: &str) -> NewToken {
    NewToken {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        role: Role::Operate,
        organization_id: Some(ACME),
        hash: hash.to_owned(),
        expires_at: None,
    }
}

fn rotation(hash: &str, overlap: Duration) -> TokenRotation {
    TokenRotation { hash: hash.to_owned(), overlap, expires_at: None }
}

pub(crate) async fn a_token_is_made_rotated_and_removed(fixture: Fixture) {
    let store = &fixture.store;
    let made = store.create_token(&token("ci", "first"), "anna").await.unwrap().unwrap();
    assert_eq!((made.role, made.organization_id, made.hash.as_str()), (Role::Operate, Some(ACME), "first"));
    assert_eq!((made.previous_hash, made.rotated_at, made.last_used_at), (None, None, None));
    assert!(store.create_token(&token("ci", "other"), "bob").await.unwrap().is_none(), "its name is taken");

    let hour = Duration::from_secs(3600);
    let rotated = store.rotate_token("ci", &rotation("second", hour), "bob").await.unwrap().unwrap();
    assert_eq!((rotated.id, rotated.hash.as_str()), (made.id, "second"));
    assert_eq!(rotated.previous_hash.as_deref(), Some("first"));
    let left = rotated.previous_until.unwrap().duration_since(Timestamp::now());
    assert!(left > SignedDuration::from_mins(59) && left <= SignedDuration::from_mins(61), "{left}");
    let again = store.rotate_token("ci", &rotation("third", Duration::ZERO), "bob").await.unwrap().unwrap();
    assert_eq!((again.previous_hash, again.previous_until), (None, None), "without an overlap none counts");
    assert!(store.rotate_token("other", &rotation("x", hour), "bob").await.unwrap().is_none());

    assert!(store.remove_token("ci", "carl").await.unwrap());
    assert!(!store.remove_token("ci", "carl").await.unwrap());
    assert!(store.tokens().await.unwrap().is_empty());

    let changes = store.changes(None, 10).await.unwrap();
    let told: Vec<_> =
        changes.iter().map(|one| (one.who.as_str(), one.kind.as_str(), one.name.as_str())).collect();
    let by = |who| (who, "token", "ci");
    assert_eq!(told, [by("carl"), by("bob"), by("bob"), by("anna")], "and what changed nothing is not noted");
    let text = format!("{changes:?}");
    assert!(!["first", "second", "third"].iter().any(|hash| text.contains(hash)), "{text}");
}

pub(crate) async fn who_changes_a_token_is_heard_and_who_uses_one_is_not(fixture: Fixture) {
    let (here, there) = (fixture.another_store().await, &fixture.store);
    let version = async || here.definition_version().await.unwrap();
    let before = version().await;
    there.create_token(&token("ci", "first"), "anna").await.unwrap();
    let made = version().await;
    assert!(made > before);
    let id = here.tokens().await.unwrap()[0].id;
    let at = |second| Timestamp::from_second(second).unwrap();
    there.note_token_uses(&[(id, at(1_000))]).await.unwrap();
    there.note_token_uses(&[(id, at(500))]).await.unwrap();
    assert_eq!(here.tokens().await.unwrap()[0].last_used_at, Some(at(1_000)), "the last counts");
    assert_eq!(version().await, made, "nobody has to read anything again");
    there.rotate_token("ci", &rotation("second", Duration::ZERO), "anna").await.unwrap();
    let rotated = version().await;
    assert!(rotated > made);
    there.remove_token("ci", "anna").await.unwrap();
    assert!(version().await > rotated);
}

pub(crate) async fn a_role_of_a_later_version_lets_nobody_in(fixture: Fixture) {
    fixture.store.create_token(&token("ci", "first"), "anna").await.unwrap();
    fixture.store.create_token(&token("later", "second"), "anna").await.unwrap();
    fixture.sql("UPDATE tokens SET role = 'emperor' WHERE name = 'later'").await;
    let tokens = fixture.store.tokens().await.unwrap();
    assert_eq!(tokens.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["ci"]);
}
