//! Who asks, once they were let in.

use std::sync::Arc;

use muster_core::access::AccessRule;
use muster_core::access::{AccessRefusal, Reach, Role, RoleGrant, Touched, decide};
use uuid::Uuid;

/// What the token of the settings is called where names of tokens stand.
pub const SETTING_NAME: &str = "http_token";

/// By what somebody was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// By nothing: this machine's programs may come in.
    Open,
    /// By the token of the settings.
    Setting,
    /// By one of the tokens that were made.
    Named {
        /// The id of the token.
        id: Uuid,
        /// The name of the token.
        name: Arc<str>,
        /// What is kept of it: a rotation makes it another.
        hash: Arc<str>,
    },
}

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// By what.
    pub credential: Credential,
    /// What they may do.
    pub grant: RoleGrant,
}

impl Caller {
    /// Somebody who may do everything.
    pub fn admin(credential: Credential) -> Self {
        Self { credential, grant: RoleGrant::ADMIN }
    }

    /// The name of their token; `None` where none was needed.
    pub fn token_name(&self) -> Option<&str> {
        match &self.credential {
            Credential::Open => None,
            Credential::Setting => Some(SETTING_NAME),
            Credential::Named { name, .. } => Some(name),
        }
    }

    /// The organization that they are bound to.
    pub fn organization_id(&self) -> Option<Uuid> {
        self.grant.organization_id
    }

    /// Whether this is theirs to see: everything for whoever is bound to no organization.
    pub fn may_see(&self, whose: Option<Uuid>) -> bool {
        self.of(whose).is_ok()
    }

    /// The same, for what they want to change and named themselves.
    ///
    /// # Errors
    /// When it is of another organization than theirs.
    pub fn of(&self, whose: Option<Uuid>) -> Result<(), AccessRefusal> {
        // That their role is large enough for the endpoint was seen before.
        let rule = AccessRule::Needs(Role::View, Reach::Organization);
        decide(Some(self.grant), rule, Touched::Of(whose))
    }

    /// The organization to narrow to, when they ask for this one, or for none.
    ///
    /// # Errors
    /// When they ask for another than theirs.
    pub fn narrowed(&self, asked: Option<Uuid>) -> Result<Option<Uuid>, AccessRefusal> {
        if asked.is_some() {
            self.of(asked)?;
        }
        Ok(asked.or(self.organization_id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_asks_for_is_narrowed_to_what_is_theirs() {
        let (ours, theirs) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let everybody = Caller::admin(Credential::Setting);
        assert_eq!(everybody.narrowed(None), Ok(None));
        assert_eq!(everybody.narrowed(Some(theirs)), Ok(Some(theirs)));
        assert!(everybody.may_see(None) && everybody.may_see(Some(theirs)));
        let grant = RoleGrant { role: Role::View, organization_id: Some(ours) };
        let bound = Caller { grant, ..everybody };
        assert_eq!(bound.narrowed(None), Ok(Some(ours)));
        assert_eq!(bound.narrowed(Some(ours)), Ok(Some(ours)));
        assert_eq!(bound.narrowed(Some(theirs)), Err(AccessRefusal::OtherOrganization));
        assert!(!bound.may_see(None) && !bound.may_see(Some(theirs)) && bound.may_see(Some(ours)));
    }
}
