//! Webhooks.

use muster_api::file::meant;
use muster_core::execution::{Status, check};
use muster_core::webhook::OF_REQUESTS;
use muster_store::{DefinitionWrite, WebhookRecord};
use serde_json::value::to_raw_value;

use super::{EditSubject, Planner, derived_id, id_for};
use crate::api::WebhookDefinition;
use crate::definitions::shelf::Mark;
use crate::definitions::view::{text, webhook};

pub(super) const KIND: &str = "webhook";
const SECTION: &str = "webhooks";
/// The longest name.
const NAME_MAX_BYTES: usize = 100;
/// The longest address.
const URL_MAX_BYTES: usize = 2_000;

impl Planner {
    pub(super) fn set_webhook(&mut self, wanted: &WebhookDefinition) {
        let subject = EditSubject { section: SECTION, name: &wanted.name };
        if !self.check_webhook(subject, wanted) {
            return;
        }
        let found = self.webhook_named(&wanted.name).cloned();
        let derived = derived_id(KIND, None, &wanted.name);
        let id = match id_for(wanted.id, found.as_ref().map(|row| row.id), derived) {
            Ok(id) => id,
            Err(message) => return self.refuse(subject, Some("id"), message),
        };
        if found.is_none() && self.webhooks.get(&id).is_some() {
            return self.refuse(subject, Some("id"), format!("{id} is that of another webhook"));
        }
        // A list of strings always has a form in JSON.
        let list = |names: &Option<Vec<String>>| names.as_ref().and_then(|names| to_raw_value(names).ok());
        let row = WebhookRecord {
            id,
            name: wanted.name.clone(),
            url: wanted.url.clone(),
            events: list(&wanted.events),
            workflows: list(&wanted.workflows),
            is_paused: wanted.is_paused.unwrap_or(found.as_ref().is_some_and(|row| row.is_paused)),
        };
        let before = found.as_ref().map(|row| text(&webhook(row)));
        let after = Some(text(&webhook(&row)));
        if before == after {
            return;
        }
        self.webhooks.put(row.clone());
        self.push((KIND, &wanted.name), None, (before, after), DefinitionWrite::PutWebhook(row));
    }

    pub(super) fn pause_webhook(&mut self, name: &str, is_paused: bool) {
        let Some(row) = self.webhook_row(name) else { return };
        self.set_webhook(&WebhookDefinition { is_paused: Some(is_paused), ..webhook(&row) });
    }

    pub(super) fn remove_webhook(&mut self, name: &str) {
        let Some(row) = self.webhook_row(name) else { return };
        let mark = Mark::Webhook(name.to_owned());
        let by: Vec<&str> = self.workflows.marked(&mark).map(|row| row.name.as_str()).collect();
        if !by.is_empty() {
            let message = format!("is named by the workflow {}: take it out there first", by.join(", "));
            return self.refuse(EditSubject { section: SECTION, name }, None, message);
        }
        self.webhooks.remove(&row.id);
        let before = Some(text(&webhook(&row)));
        self.push((KIND, name), None, (before, None), DefinitionWrite::RemoveWebhook(row.id));
    }

    fn webhook_named(&self, name: &str) -> Option<&WebhookRecord> {
        self.webhooks.marked(&Mark::Name(name.to_owned())).next()
    }

    /// The webhook of this name, or a note that there is none.
    fn webhook_row(&mut self, name: &str) -> Option<WebhookRecord> {
        let found = self.webhook_named(name).cloned();
        if found.is_none() {
            let hint = meant(name, self.webhooks.all().map(|row| row.name.as_str()));
            let subject = EditSubject { section: SECTION, name };
            self.not_found(subject, format!("there is no such webhook{hint}"));
        }
        found
    }

    /// A webhook that there is; else the nearest one.
    pub(super) fn check_webhook_name(&self, name: &str) -> Result<(), String> {
        if self.webhook_named(name).is_some() {
            return Ok(());
        }
        let hint = meant(name, self.webhooks.all().map(|row| row.name.as_str()));
        Err(format!(
            "there is no webhook {name:?}{hint} (`supervisor webhook list` shows them, `supervisor webhook set {name}` \
             makes one)"
        ))
    }

    fn check_webhook(&mut self, subject: EditSubject<'_>, wanted: &WebhookDefinition) -> bool {
        let name = if wanted.name == OF_REQUESTS {
            Err("is how deliveries are called that requests ask for".to_owned())
        } else if check::is_word(&wanted.name, NAME_MAX_BYTES) && !wanted.name.contains('/') {
            check::defined_name(&wanted.name)
        } else {
            Err(format!("must be 1 to {NAME_MAX_BYTES} characters without spaces and slashes"))
        };
        let names = wanted.workflows.iter().flatten().try_for_each(|name| check::name(name));
        let checks = [
            ("name", name),
            ("url", check_url(&wanted.url)),
            ("events", wanted.events.iter().flatten().try_for_each(|event| check_event(event))),
            ("workflows", names),
        ];
        let mut is_right = true;
        for (field, checked) in checks {
            is_right &= self.check(subject, field, checked);
        }
        is_right
    }
}

fn check_url(text: &str) -> Result<(), String> {
    let wrong =
        || format!("must be an http or https address without a user, of at most {URL_MAX_BYTES} bytes");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let is_right = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && text.len() <= URL_MAX_BYTES;
    if is_right { Ok(()) } else { Err(wrong()) }
}

fn check_event(event: &str) -> Result<(), String> {
    let ends = || Status::ALL.into_iter().filter(|status| status.is_terminal()).map(Status::as_str);
    if ends().any(|end| end == event) {
        return Ok(());
    }
    let known: Vec<&str> = ends().collect();
    let hint = meant(&event.to_ascii_uppercase(), ends());
    Err(format!("{event:?} is nothing that an execution comes to{hint} ({})", known.join(", ")))
}
