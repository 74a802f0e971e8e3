//! What an endpoint asks of whoever calls it, and whether they have it.

use uuid::Uuid;

use super::Role;

/// What somebody was given: a role, in everything or in one organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    /// What they may do.
    pub role: Role,
    /// To what is of this organization and nothing else; `None` is everything.
    pub organization_id: Option<Uuid>,
}

impl RoleGrant {
    /// Everything.
    pub const ADMIN: Self = Self { role: Role::Admin, organization_id: None };
}

/// What an endpoint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Things that are each of an organization, or of none. Whoever is bound to one is let in, and the endpoint shows
    /// and does only what is of that one.
    Organization,
    /// What is shared by all: supervisors, settings, secrets, limits. Nobody who is bound to one organization is let in.
    Fleet,
}

/// What an endpoint asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRule {
    /// Nothing: it tells strangers nothing that matters.
    Open,
    /// A token of this role or a greater one.
    Needs(Role, Reach),
}

/// Whose the thing is that somebody wants to see or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// It is not known yet: the endpoint has to ask again when it is.
    Unknown,
    /// Of this organization; `None` is of none, or of all.
    Of(Option<Uuid>),
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// They showed no token that is known.
    #[error("a token is needed")]
    NoToken,
    /// Their role is too small.
    #[error("this needs the role {needed}, and the token shown has the role {held}")]
    RoleTooSmall {
        /// The smallest role that would do.
        needed: Role,
        /// The role they have.
        held: Role,
    },
    /// They are bound to one organization, and this is everybody's.
    #[error(
        "this is not of one organization, and the token shown is bound to one: it needs the role {needed} without \
         an organization"
    )]
    NotOfOneOrganization {
        /// The smallest role that would do, without an organization.
        needed: Role,
    },
    /// They are bound to one organization, and this is of another, or of none.
    #[error("the token shown is bound to one organization, and this is not of that one")]
    OtherOrganization,
}

/// Whether somebody with this grant may do what asks for this, to what is of these.
///
/// # Errors
/// What they lack.
pub fn decide(grant: Option<RoleGrant>, rule: AccessRule, touched: Touched) -> Result<(), AccessRefusal> {
    let (needed, reach) = match rule {
        AccessRule::Open => return Ok(()),
        AccessRule::Needs(needed, reach) => (needed, reach),
    };
    let Some(RoleGrant { role: held, organization_id }) = grant else { return Err(AccessRefusal::NoToken) };
    if held < needed {
        return Err(AccessRefusal::RoleTooSmall { needed, held });
    }
    let Some(own) = organization_id else { return Ok(()) };
    match (reach, touched) {
        (Reach::Fleet, Touched::Unknown | Touched::Of(_)) => {
            Err(AccessRefusal::NotOfOneOrganization { needed })
        }
        (Reach::Organization, Touched::Unknown) => Ok(()),
        (Reach::Organization, Touched::Of(whose)) if whose == Some(own) => Ok(()),
        (Reach::Organization, Touched::Of(_)) => Err(AccessRefusal::OtherOrganization),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Uuid = Uuid::from_u128(1);
    const THEIRS: Uuid = Uuid::from_u128(2);

    fn grants() -> Vec<Option<RoleGrant>> {
        let of = |organization_id| Role::ALL.map(|role| Some(RoleGrant { role, organization_id }));
        [None].into_iter().chain(of(None)).chain(of(Some(OURS))).collect()
    }

    const TOUCHED: [Touched; 4] =
        [Touched::Unknown, Touched::Of(None), Touched::Of(Some(OURS)), Touched::Of(Some(THEIRS))];

    #[test]
    fn everybody_may_do_what_is_open_and_strangers_nothing_else() {
        for (grant, touched) in grants().into_iter().flat_map(|grant| TOUCHED.map(|touched| (grant, touched)))
        {
            assert_eq!(decide(grant, AccessRule::Open, touched), Ok(()));
        }
        for (role, touched) in Role::ALL.into_iter().flat_map(|role| TOUCHED.map(|touched| (role, touched))) {
            for reach in [Reach::Organization, Reach::Fleet] {
                let refused = decide(None, AccessRule::Needs(role, reach), touched);
                assert_eq!(refused, Err(AccessRefusal::NoToken));
            }
        }
    }

    #[test]
    fn a_role_may_do_what_those_before_it_may() {
        for (held, needed) in Role::ALL.into_iter().flat_map(|held| Role::ALL.map(|needed| (held, needed))) {
            for (reach, touched) in [Reach::Organization, Reach::Fleet]
                .into_iter()
                .flat_map(|reach| TOUCHED.map(|it| (reach, it)))
            {
                let grant = RoleGrant { role: held, organization_id: None };
                let decided = decide(Some(grant), AccessRule::Needs(needed, reach), touched);
                let expected =
                    if held >= needed { Ok(()) } else { Err(AccessRefusal::RoleTooSmall { needed, held }) };
                assert_eq!(decided, expected, "whose it is matters to nobody who is bound to none");
            }
        }
    }

    #[test]
    fn who_is_bound_to_an_organization_has_that_and_nothing_else() {
        for (held, needed) in Role::ALL.into_iter().flat_map(|held| Role::ALL.map(|needed| (held, needed))) {
            if held < needed {
                continue;
            }
            let grant = Some(RoleGrant { role: held, organization_id: Some(OURS) });
            for touched in TOUCHED {
                let fleet = decide(grant, AccessRule::Needs(needed, Reach::Fleet), touched);
                assert_eq!(fleet, Err(AccessRefusal::NotOfOneOrganization { needed }));
            }
            let of = |touched| decide(grant, AccessRule::Needs(needed, Reach::Organization), touched);
            assert_eq!(of(Touched::Unknown), Ok(()), "the endpoint keeps it to its own");
            assert_eq!(of(Touched::Of(Some(OURS))), Ok(()));
            assert_eq!(of(Touched::Of(Some(THEIRS))), Err(AccessRefusal::OtherOrganization));
            assert_eq!(of(Touched::Of(None)), Err(AccessRefusal::OtherOrganization));
        }
    }

    #[test]
    fn a_refusal_names_what_is_missing() {
        let grant = |role, organization_id| Some(RoleGrant { role, organization_id });
        let needs = |role| AccessRule::Needs(role, Reach::Fleet);
        let view = decide(grant(Role::View, None), needs(Role::Operate), Touched::Unknown).unwrap_err();
        assert_eq!(view.to_string(), "this needs the role operate, and the token shown has the role view");
        let bound = decide(grant(Role::Admin, Some(OURS)), needs(Role::View), Touched::Unknown).unwrap_err();
        assert!(bound.to_string().contains("the role view without an organization"), "{bound}");
    }
}
