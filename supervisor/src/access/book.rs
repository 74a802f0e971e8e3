//! The tokens that are known, as one process knows them: found by what is kept of them, and until when each counts.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use muster_core::access::RoleGrant;
use muster_store::TokenRecord;

use super::caller::{Caller, Credential};

/// What a token that was shown is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenStanding {
    /// It counts.
    Known {
        /// Who shows it.
        caller: Caller,
        /// The moment from which on it does not count any more; `None`: it lasts.
        until: Option<Timestamp>,
    },
    /// It counted until this moment.
    Expired {
        /// The name of the token.
        name: Arc<str>,
        /// The moment.
        at: Timestamp,
    },
    /// It is none that is known.
    Unknown,
}

/// All tokens by what is kept of them.
#[derive(Debug, Default)]
pub struct TokenBook(HashMap<Arc<str>, BookedToken>);

#[derive(Debug)]
struct BookedToken {
    caller: Caller,
    until: Option<Timestamp>,
}

impl TokenBook {
    /// What the rows say.
    pub fn of(records: Vec<TokenRecord>) -> Self {
        let mut book = HashMap::with_capacity(records.len());
        for record in records {
            let grant = RoleGrant { role: record.role, organization_id: record.organization_id };
            let name: Arc<str> = record.name.into();
            let mut enter = |hash: String, until: Option<Timestamp>| {
                let hash: Arc<str> = hash.into();
                let credential =
                    Credential::Named { id: record.id, name: Arc::clone(&name), hash: Arc::clone(&hash) };
                book.insert(hash, BookedToken { caller: Caller { credential, grant }, until });
            };
            if let (Some(hash), Some(until)) = (record.previous_hash, record.previous_until) {
                enter(hash, Some(record.expires_at.map_or(until, |expires| expires.min(until))));
            }
            enter(record.hash, record.expires_at);
        }
        Self(book)
    }

    /// What the token is of which this is kept.
    pub fn standing(&self, hash: &str, now: Timestamp) -> TokenStanding {
        match self.0.get(hash) {
            None => TokenStanding::Unknown,
            Some(BookedToken { caller, until: Some(until) }) if *until <= now => {
                TokenStanding::Expired { name: caller.token_name().unwrap_or_default().into(), at: *until }
            }
            Some(BookedToken { caller, until }) => {
                TokenStanding::Known { caller: caller.clone(), until: *until }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_core::access::Role;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(expires_at: Option<Timestamp>, previous: Option<(&str, Timestamp)>) -> TokenRecord {
        TokenRecord {
            id: Uuid::from_u128(7),
            name: "ci".to_owned(),
            role: Role::Operate,
            organization_id: None,
            organization_key: None,
            hash: "new".to_owned(),
            previous_hash: previous.map(|(hash, _)| hash.to_owned()),
            previous_until: previous.map(|(_, until)| until),
            created_at: at(0),
            created_by: "anna".to_owned(),
            rotated_at: None,
            expires_at,
            last_used_at: None,
        }
    }

    #[test]
    fn a_token_counts_until_it_expires_and_no_other_counts() {
        let book = TokenBook::of(vec![record(Some(at(10)), None)]);
        let TokenStanding::Known { caller, until } = book.standing("new", at(9)) else { panic!("known") };
        assert_eq!(
            (caller.token_name(), caller.grant.role, until),
            (Some("ci"), Role::Operate, Some(at(10)))
        );
        assert_eq!(book.standing("new", at(10)), TokenStanding::Expired { name: "ci".into(), at: at(10) });
        assert_eq!(book.standing("other", at(0)), TokenStanding::Unknown);
    }

    #[test]
    fn the_secret_before_counts_for_its_overlap_and_no_longer_than_the_token() {
        let book = TokenBook::of(vec![record(None, Some(("old", at(5))))]);
        assert!(matches!(book.standing("old", at(4)), TokenStanding::Known { .. }));
        assert!(matches!(book.standing("old", at(5)), TokenStanding::Expired { .. }));
        assert!(matches!(book.standing("new", at(99)), TokenStanding::Known { until: None, .. }));
        let book = TokenBook::of(vec![record(Some(at(3)), Some(("old", at(5))))]);
        assert!(matches!(book.standing("old", at(4)), TokenStanding::Expired { .. }));
    }
}
