//! Variables and secrets: entries of configuration.

use muster_api::file::{GLOBAL, is_same, meant};
use muster_core::execution::check;
use muster_store::{ConfigRecord, DefinitionWrite};
use serde_json::value::RawValue;

use super::{EditSubject, Planner};
use crate::definitions::view::config_text;

fn noun(is_secret: bool) -> &'static str {
    if is_secret { "secret" } else { "variable" }
}

impl Planner {
    pub(super) fn set_config(
        &mut self,
        key: &str,
        organization: Option<&str>,
        value: &RawValue,
        is_secret: bool,
    ) {
        let section = section(organization, is_secret);
        let subject = EditSubject { section: &section, name: key };
        let Some(owner) = self.owner(subject, organization) else { return };
        if let Err(message) = check::defined_name(key) {
            return self.refuse(subject, None, format!("the key {message}"));
        }
        let found = self.config.get(&(owner, key.to_owned())).cloned();
        if let Some(found) = &found {
            if found.is_secret && !is_secret {
                let message = "is a secret: change it with `supervisor secret set`, or remove it first";
                return self.refuse(subject, None, message);
            }
            // A secret that is set again is always written: it is not looked at to see whether it is the same.
            if !is_secret && is_same(value, &found.value) {
                return;
            }
        }
        let row = ConfigRecord {
            organization_id: owner,
            key: key.to_owned(),
            value: value.to_owned(),
            is_secret,
            key_id: None,
        };
        let before = found.as_ref().map(config_text);
        let after = Some(config_text(&row));
        self.config.put(row.clone());
        self.push((noun(is_secret), key), owner, (before, after), DefinitionWrite::PutConfig(row));
    }

    pub(super) fn remove_config(&mut self, key: &str, organization: Option<&str>, is_secret: bool) {
        let section = section(organization, is_secret);
        let subject = EditSubject { section: &section, name: key };
        let Some(owner) = self.owner(subject, organization) else { return };
        let id = (owner, key.to_owned());
        let Some(found) = self.config.get(&id).filter(|row| row.is_secret == is_secret).cloned() else {
            let same = |row: &&ConfigRecord| row.organization_id == owner && row.is_secret == is_secret;
            let keys = self.config.all().filter(same).map(|row| row.key.as_str());
            let message = format!("there is no such {}{}", noun(is_secret), meant(key, keys));
            return self.not_found(subject, message);
        };
        self.config.remove(&id);
        let write = DefinitionWrite::RemoveConfig { organization_id: owner, key: key.to_owned() };
        self.push((noun(is_secret), key), owner, (Some(config_text(&found)), None), write);
    }
}

/// Where problems of an entry are told. Secrets are in no file, and told of in the same words.
fn section(organization: Option<&str>, is_secret: bool) -> String {
    let owner = organization.unwrap_or(GLOBAL);
    if is_secret { format!("secrets.{owner}") } else { format!("config.{owner}") }
}
