//! Schedules.

use jiff::tz::TimeZone;
use muster_api::file::{is_same, meant};
use muster_core::execution::check;
use muster_core::schedule::Cron;
use muster_store::{DefinitionWrite, ScheduleRecord};
use serde_json::value::RawValue;

use super::{EditSubject, Planner, derived_id, id_for};
use crate::api::ScheduleDefinition;
use crate::definitions::shelf::Mark;
use crate::definitions::view::{schedule, text};
use crate::schedules::{MISSED_SECONDS, UTC};

pub(super) const KIND: &str = "schedule";
const SECTION: &str = "schedules";
/// The longest name.
const NAME_MAX_BYTES: usize = 100;
/// The longest that a missed tick may be made up for, and the largest jitter: a year.
const SECONDS_MAX: u32 = 366 * 86_400;

impl Planner {
    pub(super) fn set_schedule(&mut self, wanted: &ScheduleDefinition) {
        let subject = EditSubject { section: SECTION, name: &wanted.name };
        let Some(owner) = self.owner(subject, wanted.organization.as_deref()) else { return };
        if !self.check_schedule(subject, wanted) {
            return;
        }
        let found = self.schedule_named(&wanted.name);
        let derived = derived_id(KIND, None, &wanted.name);
        let id = match id_for(wanted.id, found.as_ref().map(|row| row.id), derived) {
            Ok(id) => id,
            Err(message) => return self.refuse(subject, Some("id"), message),
        };
        if found.is_none()
            && let Some(other) = self.schedules.get(&id)
        {
            let message = format!("{id} is that of the schedule {}", other.name);
            return self.refuse(subject, Some("id"), message);
        }
        let is_paused = wanted.is_paused.unwrap_or(found.as_ref().is_some_and(|row| row.is_paused));
        let row = ScheduleRecord {
            id,
            name: wanted.name.clone(),
            workflow: wanted.workflow.clone(),
            organization_id: owner,
            cron: wanted.cron.trim().to_owned(),
            time_zone: wanted.time_zone.clone().unwrap_or_else(|| UTC.to_owned()),
            queue: wanted.queue.clone(),
            parameters: parameters(wanted, found.as_ref()),
            overlap: wanted.overlap.unwrap_or_default().as_str().to_owned(),
            missed: wanted.missed.unwrap_or_default().as_str().to_owned(),
            missed_seconds: wanted.missed_seconds.unwrap_or(MISSED_SECONDS),
            jitter_seconds: wanted.jitter_seconds.unwrap_or_default(),
            is_paused,
            next_at: None,
            due_at: None,
            last_at: None,
            last_execution: None,
            last_outcome: None,
        };
        let before = found.as_ref().map(|row| text(&schedule(&self.organizations, row)));
        let after = Some(text(&schedule(&self.organizations, &row)));
        if before == after {
            return;
        }
        self.schedules.put(row.clone());
        self.push((KIND, &wanted.name), owner, (before, after), DefinitionWrite::PutSchedule(row));
    }

    pub(super) fn pause_schedule(&mut self, name: &str, is_paused: bool) {
        let Some(row) = self.schedule_row(name) else { return };
        let wanted = ScheduleDefinition { is_paused: Some(is_paused), ..schedule(&self.organizations, &row) };
        self.set_schedule(&wanted);
    }

    pub(super) fn remove_schedule(&mut self, name: &str) {
        let Some(row) = self.schedule_row(name) else { return };
        let before = text(&schedule(&self.organizations, &row));
        self.schedules.remove(&row.id);
        let write = DefinitionWrite::RemoveSchedule(row.id);
        self.push((KIND, name), row.organization_id, (Some(before), None), write);
    }

    fn schedule_named(&self, name: &str) -> Option<ScheduleRecord> {
        self.schedules.marked(&Mark::Name(name.to_owned())).next().cloned()
    }

    /// The schedule of this name, or a note that there is none.
    fn schedule_row(&mut self, name: &str) -> Option<ScheduleRecord> {
        let found = self.schedule_named(name);
        if found.is_none() {
            let hint = meant(name, self.schedules.all().map(|row| row.name.as_str()));
            let subject = EditSubject { section: SECTION, name };
            self.not_found(subject, format!("there is no such schedule{hint}"));
        }
        found
    }

    fn check_schedule(&mut self, subject: EditSubject<'_>, wanted: &ScheduleDefinition) -> bool {
        let is_plain = check::is_word(&wanted.name, NAME_MAX_BYTES) && !wanted.name.contains('/');
        let name = if is_plain {
            check::defined_name(&wanted.name)
        } else {
            Err(format!("must be 1 to {NAME_MAX_BYTES} characters without spaces and slashes"))
        };
        let zone = wanted.time_zone.as_deref().unwrap_or(UTC);
        let parameters = match &wanted.parameters {
            Some(parameters) if !parameters.get().starts_with('{') => {
                Err("must be a table, or a JSON object".to_owned())
            }
            Some(_) | None => Ok(()),
        };
        let bounded = |seconds: Option<u32>| match seconds {
            Some(seconds) if seconds > SECONDS_MAX => Err(format!("must be at most {SECONDS_MAX}")),
            Some(_) | None => Ok(()),
        };
        let checks = [
            ("name", name),
            ("workflow", check::name(&wanted.workflow)),
            ("cron", wanted.cron.parse::<Cron>().map(drop).map_err(|error| error.to_string())),
            ("time_zone", check_zone(zone)),
            ("queue", wanted.queue.as_deref().map_or(Ok(()), check::queue_name)),
            ("parameters", parameters),
            ("missed_seconds", bounded(wanted.missed_seconds)),
            ("jitter_seconds", bounded(wanted.jitter_seconds)),
        ];
        let mut is_right = true;
        for (field, checked) in checks {
            is_right &= self.check(subject, field, checked);
        }
        is_right
    }
}

/// The parameters, as they are kept when they only were written in another way, as a file does.
fn parameters(wanted: &ScheduleDefinition, found: Option<&ScheduleRecord>) -> Option<Box<RawValue>> {
    let given = wanted.parameters.as_ref()?;
    let kept = found.and_then(|row| row.parameters.as_ref()).filter(|kept| is_same(given, kept));
    Some(kept.unwrap_or(given).clone())
}

/// Files beside those of the database: what they say is this machine's, and may be another on the next one.
const LOCAL_ZONES: [&str; 3] = ["localtime", "posixrules", "Factory"];

fn check_zone(name: &str) -> Result<(), String> {
    let is_local = LOCAL_ZONES.iter().any(|local| local.eq_ignore_ascii_case(name));
    if !is_local && TimeZone::get(name).is_ok() {
        return Ok(());
    }
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .filter(|name| !LOCAL_ZONES.contains(&name.as_str()))
        .collect();
    let hint = meant(name, names.iter().map(String::as_str));
    Err(format!("{name:?} is no time zone{hint} (a name of the IANA database, such as Europe/Berlin)"))
}
