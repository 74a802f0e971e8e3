//! Organizations: how they are called, what they weigh, when they go.

use jiff::Timestamp;
use muster_core::access::Role;
use muster_store::{Definitions, OrganizationRecord, TokenRecord};
use uuid::Uuid;

use super::super::DefinitionEdit;
use super::{acme, organization, problems, secret, variable, with_acme, written};
use crate::api::OrganizationDefinition;

#[test]
fn an_organization_goes_only_when_nothing_is_left_of_it() {
    let held = written(with_acme(), &[variable("url", Some("acme"), "1"), secret("global")]);
    let remove = DefinitionEdit::RemoveOrganization { key: "acme".into() };
    assert!(problems(&held, remove.clone()).contains("still has 1 variable: remove them first"));
    let variable = DefinitionEdit::RemoveVariable { key: "url".into(), organization: Some("acme".into()) };
    assert!(written(held, &[variable, remove]).organizations.is_empty());
}

/// Who comes with it would be let in as before, and into an organization of the same key that is made later.
#[test]
fn an_organization_stays_while_a_token_is_bound_to_it() {
    let token = |organization_id| TokenRecord {
        id: Uuid::from_u128(7),
        name: "ci".to_owned(),
        role: Role::Operate,
        organization_id,
        organization_key: None,
        hash: String::new(),
        previous_hash: None,
        previous_until: None,
        created_at: Timestamp::UNIX_EPOCH,
        created_by: String::new(),
        rotated_at: None,
        expires_at: None,
        last_used_at: None,
    };
    let remove = DefinitionEdit::RemoveOrganization { key: "acme".into() };
    let held = Definitions { tokens: vec![token(None), token(Some(acme().id))], ..with_acme() };
    assert!(problems(&held, remove.clone()).contains("still has 1 token: remove them first"));
    let others = Definitions { tokens: vec![token(None), token(Some(Uuid::from_u128(9)))], ..with_acme() };
    assert!(written(others, &[remove]).organizations.is_empty());
}

#[test]
fn an_organization_written_by_hand_is_known_by_its_id_and_name_and_can_be_given_a_key() {
    let by_hand = OrganizationRecord { key: None, ..acme() };
    let rows = Definitions { organizations: vec![by_hand.clone()], ..Definitions::default() };
    for called in ["Acme", &by_hand.id.to_string()] {
        let config = written(rows.clone(), &[variable("url", Some(called), "1")]).config;
        assert_eq!(config[0].organization_id, Some(by_hand.id));
    }
    let keyed =
        OrganizationDefinition { name: Some("Acme".into()), id: Some(by_hand.id), ..organization("Acme") };
    let rows = written(rows, &[DefinitionEdit::SetOrganization(keyed)]);
    assert_eq!(rows.organizations, [OrganizationRecord { key: Some("Acme".into()), ..acme() }]);
}

#[test]
fn a_weight_is_kept_and_one_that_is_none_is_refused() {
    let heavy = OrganizationDefinition { weight: Some(2.5), ..organization("acme") };
    let rows = written(with_acme(), &[DefinitionEdit::SetOrganization(heavy)]);
    assert_eq!(rows.organizations[0].weight, Some(2.5));
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
        let wrong = OrganizationDefinition { weight: Some(wrong), ..organization("acme") };
        let told = problems(&with_acme(), DefinitionEdit::SetOrganization(wrong));
        assert!(told.contains("organizations.acme.weight") && told.contains("from 0.001 to 1000"), "{told}");
    }
}

#[test]
fn a_number_of_a_file_that_json_does_not_have_is_refused_with_its_line() {
    let file = "[organizations.acme]\nweight = nan\n[workflows.w]\nretry = { backoff_factor = -inf }\n\
        [schedules.s]\nworkflow = 'w'\ncron = '@daily'\nparameters = { n = inf }\n";
    let told = super::super::file::parse("f", file).unwrap_err().0;
    let expected = [
        "f:2: organizations.acme.weight: NaN is no number that JSON has",
        "f:8: schedules.s.parameters.n: inf is no number that JSON has",
        "f:4: workflows.w.retry.backoff_factor: -inf is no number that JSON has",
    ];
    assert_eq!(told, expected);
}

#[test]
fn ids_do_not_change_and_are_not_taken_twice() {
    let other = OrganizationDefinition { id: Some(Uuid::from_u128(8)), ..organization("acme") };
    let told = problems(&with_acme(), DefinitionEdit::SetOrganization(other));
    assert!(told.contains("cannot be changed"), "{told}");
    let taken = OrganizationDefinition { id: Some(acme().id), ..organization("other") };
    let told = problems(&with_acme(), DefinitionEdit::SetOrganization(taken));
    assert!(told.contains("is that of the organization acme"), "{told}");
}
