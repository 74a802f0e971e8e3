//! The database: reachable, of a version and a schema that fit, with the rights and the clock it needs.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use muster_store::{ConnectionBudget, DatabaseFacts, Durability, SchemaStore, StoreError};
use secrecy::ExposeSecret as _;

use super::encryption;
use super::finding::DoctorFinding;
use super::secrets;
use crate::service::{BackendError, open_store, sqlite_path};
use crate::settings::{Settings, mask_url};

/// Leases go by the database's clock alone, so this is about the times people read.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(2);
/// PostgreSQL's own project has given up on older ones.
const POSTGRES_MAJOR_MIN: u32 = 13;
/// A file is looked through for so long at most.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// Nothing but a copy fixes what is damaged.
const RESTORE: &str =
    "stop its supervisors and restore it from a backup, as \"Backup and restore\" in OPERATIONS.md says";
/// What every SQLite file begins with.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

pub(super) async fn check(settings: &Settings) -> Vec<DoctorFinding> {
    let url = settings.database_url.expose_secret();
    if let Some(path) = sqlite_path(url)
        && let Some(finding) = before_opening(path)
    {
        return vec![finding];
    }
    let looked = async {
        let store = open_store(settings, Durability::Full).await?.store;
        let facts = match store.facts().await {
            Ok(facts) => store.check_file(LOOK_MAX).await.map(|()| facts),
            Err(error) => Err(error),
        };
        Ok((store, facts))
    };
    match looked.await {
        Ok((store, Err(error))) => {
            store.close().await;
            vec![unreachable(&mask_url(url), &BackendError::Store(error))]
        }
        Ok((store, Ok(facts))) => {
            let mut findings = vec![told_encryption(finding_for(&facts), settings, &facts)];
            if facts.schema_version == facts.schema_newest {
                findings.extend(rights(&*store).await);
                findings.extend(secrets::check(&*store, &settings.secret_keys()).await);
            }
            store.close().await;
            findings
        }
        Err(error) => vec![unreachable(&mask_url(url), &error)],
    }
}

/// The same, with how the server is spoken to.
fn told_encryption(finding: DoctorFinding, settings: &Settings, facts: &DatabaseFacts) -> DoctorFinding {
    match facts.encrypted {
        None => finding,
        Some(is_encrypted) => {
            let url = settings.database_url.expose_secret();
            encryption::told(
                finding,
                &encryption::of_postgres(url, settings.tls_ca_file.is_some(), is_encrypted),
            )
        }
    }
}

/// A file that is not there, or is no database, is not opened: that would make it one.
fn before_opening(path: &Path) -> Option<DoctorFinding> {
    let shown = path.display();
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seen = format!("sqlite {shown}: not there yet; the first start makes it");
            return Some(DoctorFinding::ok("database", seen));
        }
        Err(error) => {
            let fix = "give the supervisor's user the right to read and write it";
            return Some(DoctorFinding::fail(
                "database",
                format!("sqlite {shown} cannot be opened: {error}"),
                fix,
            ));
        }
    };
    let mut magic = [0; SQLITE_MAGIC.len()];
    match file.read_exact(&mut magic) {
        Ok(()) if magic == SQLITE_MAGIC => None,
        Ok(()) | Err(_) => {
            let fix = "move the file away, or set database_url to another";
            Some(DoctorFinding::fail("database", format!("{shown} is no SQLite database"), fix))
        }
    }
}

fn finding_for(facts: &DatabaseFacts) -> DoctorFinding {
    let DatabaseFacts { backend, version, schema_version, schema_newest, .. } = facts;
    let seen = format!("{backend} {version}, schema {schema_version} of {schema_newest}");
    if schema_version > schema_newest {
        let fix = "run the newer supervisor, or restore the database from before its upgrade";
        return DoctorFinding::fail("database", seen, fix);
    }
    if schema_version < schema_newest && !facts.may_migrate {
        let fix = "grant CREATE on the schema to the database user, or run `supervisor migrate` as its owner";
        let seen = format!("{seen}, and its user may not bring it up to date");
        return DoctorFinding::fail("database", seen, fix);
    }
    if facts.notices_death == Some(false) {
        let seen = format!(
            "{seen}; a pooler shares its sessions, so a dead supervisor shows only when its lease ends"
        );
        return DoctorFinding::warn(
            "database",
            seen,
            "give a direct database_url, or one with session pooling",
        );
    }
    if let Some(ConnectionBudget { needed, allowed }) = facts.connections
        && allowed < needed
    {
        let seen =
            format!("{seen}; a supervisor opens up to {needed} connections, and its user may have {allowed}");
        let fix =
            "raise max_connections, or the CONNECTION LIMIT of the user or database; each supervisor counts";
        return DoctorFinding::warn("database", seen, fix);
    }
    if facts.clock_ahead.abs() > SKEW_MAX {
        let seen = format!("{seen}; its clock is {} from ours", skew(facts.clock_ahead));
        let fix =
            "synchronise both clocks (chrony, systemd-timesyncd): leases hold, times people read do not";
        return DoctorFinding::warn("database", seen, fix);
    }
    if *backend == "postgresql" && major(version).is_some_and(|major| major < POSTGRES_MAJOR_MIN) {
        let seen = format!("{seen}; its project supports it no more");
        return DoctorFinding::warn("database", seen, format!("upgrade to {POSTGRES_MAJOR_MIN} or newer"));
    }
    let seen = if schema_version < schema_newest {
        format!("{seen}: the next start brings it up to date, as does `supervisor migrate`")
    } else {
        seen
    };
    match facts.notices_death {
        Some(_) => DoctorFinding::ok("database", format!("{seen}, clock {}", skew(facts.clock_ahead))),
        None => DoctorFinding::ok("database", seen),
    }
}

fn major(version: &str) -> Option<u32> {
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn skew(ahead: SignedDuration) -> String {
    let side = if ahead.is_negative() { "behind" } else { "ahead" };
    format!("{} ms {side}", ahead.as_millis().unsigned_abs())
}

/// Every statement fits the schema, and the user may run it.
async fn rights(store: &dyn SchemaStore) -> Option<DoctorFinding> {
    match store.check_statements().await {
        Ok(()) => None,
        Err(error) => {
            let fix = "run `supervisor migrate`, and grant the user what is missing";
            Some(DoctorFinding::fail("database", error.to_string(), fix))
        }
    }
}

fn unreachable(url: &str, error: &BackendError) -> DoctorFinding {
    let fix = match (sqlite_path(url), error) {
        (Some(path), BackendError::Store(error)) => fix_of_file(path, error),
        (Some(_) | None, error) => fix_of_server(error).to_owned(),
    };
    DoctorFinding::fail("database", format!("{url}: {error}"), fix)
}

/// SQLite is no server, and writes no log: what there is are a file, its folder and its disk.
fn fix_of_file(path: &Path, error: &StoreError) -> String {
    let shown = path.display();
    let rights = format!("give the supervisor's user the right to write {shown} and its folder");
    match error {
        StoreError::NoRoom { .. } => "make room on the disk that holds it".to_owned(),
        StoreError::Damaged { .. } => RESTORE.to_owned(),
        StoreError::Incompatible { .. } => "correct database_url, or what it names".to_owned(),
        StoreError::Failed { message, .. } if message.contains("readonly") => rights,
        StoreError::Unreachable { .. }
        | StoreError::CommitUnknown { .. }
        | StoreError::Locked { .. }
        | StoreError::NotBuilt
        | StoreError::Refused { .. }
        | StoreError::StalePlan { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Failed { .. } => {
            format!(
                "{rights}; if it has that, see that no other program holds the file, and that its disk is well"
            )
        }
    }
}

fn fix_of_server(error: &BackendError) -> &'static str {
    match error {
        BackendError::Store(StoreError::Unreachable { .. } | StoreError::CommitUnknown { .. }) => {
            "start it, or correct host and port in database_url"
        }
        BackendError::Store(StoreError::NoRoom { .. }) => "make room on the disk that holds it",
        BackendError::Store(StoreError::Damaged { .. }) => RESTORE,
        BackendError::Store(StoreError::NotBuilt) => {
            "install a build with PostgreSQL, or set database_url to sqlite://FILE"
        }
        BackendError::Store(StoreError::Incompatible { .. }) => "correct database_url, or what it names",
        BackendError::Store(
            StoreError::Refused { .. }
            | StoreError::Locked { .. }
            | StoreError::StalePlan { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Failed { .. },
        ) => "look into the database's own log",
        BackendError::DatabaseUrl | BackendError::Bus(_) => "correct database_url",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    fn facts() -> DatabaseFacts {
        DatabaseFacts {
            backend: "postgresql",
            version: "15.5 (Debian 15.5-0+deb12u1)".to_owned(),
            schema_version: 1,
            schema_newest: 1,
            may_migrate: true,
            clock_ahead: SignedDuration::from_millis(-3),
            notices_death: Some(true),
            connections: Some(ConnectionBudget { needed: 17, allowed: 97 }),
            encrypted: Some(false),
        }
    }

    #[test]
    fn a_database_that_fits_says_what_it_is() {
        let finding = finding_for(&facts());
        assert_eq!(finding.verdict, Severity::Ok);
        assert_eq!(finding.seen, "postgresql 15.5 (Debian 15.5-0+deb12u1), schema 1 of 1, clock 3 ms behind");
    }

    #[test]
    fn a_schema_that_is_behind_is_well_only_if_it_can_be_brought_up_to_date() {
        let behind = DatabaseFacts { schema_version: 0, ..facts() };
        assert_eq!(finding_for(&behind).verdict, Severity::Ok);
        assert_eq!(finding_for(&DatabaseFacts { may_migrate: false, ..behind }).verdict, Severity::Fail);
        assert_eq!(finding_for(&DatabaseFacts { may_migrate: false, ..facts() }).verdict, Severity::Ok);
        assert_eq!(finding_for(&DatabaseFacts { schema_version: 2, ..facts() }).verdict, Severity::Fail);
    }

    #[test]
    fn poolers_clocks_limits_and_old_servers_are_warnings() {
        for odd in [
            DatabaseFacts { connections: Some(ConnectionBudget { needed: 17, allowed: 3 }), ..facts() },
            DatabaseFacts { notices_death: Some(false), ..facts() },
            DatabaseFacts { clock_ahead: SignedDuration::from_secs(-9), ..facts() },
            DatabaseFacts { version: "12.4".to_owned(), ..facts() },
        ] {
            assert_eq!(finding_for(&odd).verdict, Severity::Warn, "{odd:?}");
        }
    }

    #[test]
    fn what_keeps_a_file_from_being_written_is_its_rights_and_not_a_log() {
        let failed = |message: &str| StoreError::Failed { backend: "sqlite", message: message.to_owned() };
        let readonly = BackendError::Store(failed("attempt to write a readonly database"));
        let finding = unreachable("sqlite:///var/lib/muster/muster.db", &readonly);
        let fix = "give the supervisor's user the right to write /var/lib/muster/muster.db and its folder";
        assert_eq!(finding.fix.as_deref(), Some(fix));
        for failure in [
            failed("disk I/O error"),
            StoreError::Unreachable { backend: "sqlite", message: "unable to open".to_owned() },
        ] {
            let mend = unreachable("sqlite://muster.db", &BackendError::Store(failure)).fix.unwrap();
            assert!(!mend.contains("log") && !mend.contains("host"), "{mend}");
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_not_made_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.db");
        assert_eq!(before_opening(&path).unwrap().verdict, Severity::Ok);
        assert!(!path.exists());
        std::fs::write(&path, "text").unwrap();
        assert_eq!(before_opening(&path).unwrap().verdict, Severity::Fail);
    }
}
