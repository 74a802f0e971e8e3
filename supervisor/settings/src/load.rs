//! Puts the sources over one another and finds every problem before it reports any.

use std::collections::BTreeMap;
use std::path::PathBuf;

use muster_core::nearest::nearest;
use muster_system::certificates::{CertificateFiles, ServerAddress};
use secrecy::{ExposeSecret, SecretString};

use super::kind::{HttpToken, SettingKind};
use super::problem::{REMOVED, SettingProblem, SettingsError};
use super::secret_files::read_secret_files;
use super::source::{Origin, Origins, Raw, Sources, key, raw_of_toml};
use super::table::{KEYS, Readable, Settings};
use crate::access::is_made_token;

/// Variables that begin with `MUSTER_` and are no settings: they speak to workers and to the client.
pub const NOT_SETTINGS: &[&str] =
    &["MUSTER_PROTOCOL", "MUSTER_CONFORMANCE", "MUSTER_URL", "MUSTER_WORKER_ID", "MUSTER_LOADING_DIR"];

/// The file of the embedded database, in data_dir.
pub const DATABASE_FILE: &str = "muster.db";

impl Settings {
    /// Reads, checks and resolves the settings: defaults, then the file, then the environment, then flags.
    ///
    /// # Errors
    /// Every problem there is, not just the first.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let mut layers = file_layer(sources, &mut problems);
        layers.extend(environment_layer(sources, &mut problems));
        layers.extend(flag_layer(sources, &mut problems));
        read_secret_files(&mut layers, &mut problems);
        let read = Readable::read(&mut SettingsReader { layers: &layers, problems: &mut problems });
        problems.extend(conflicts(&read));
        problems.extend(made_token(&read));
        match read.whole() {
            Some(settings) if problems.is_empty() => Ok(settings.finish()),
            Some(_) | None => Err(SettingsError { problems }),
        }
    }

    /// A server at this URL, with the certificates of the settings.
    pub fn server(&self, url: &SecretString) -> ServerAddress {
        let certificates = CertificateFiles {
            ca: self.tls_ca_file.clone(),
            certificate: self.tls_cert_file.clone(),
            key: self.tls_key_file.clone(),
        };
        ServerAddress { url: url.expose_secret().to_owned(), certificates }
    }

    /// The queues whose executions are run here.
    pub fn served_queues(&self) -> &[String] {
        if self.queues.is_empty() { std::slice::from_ref(&self.queue) } else { &self.queues }
    }

    /// The files that set something, for the log at start.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for shown in self.shown() {
            if let Origin::File(path) = shown.origin
                && !files.contains(&path)
            {
                files.push(path);
            }
        }
        files
    }

    /// Fills in what is computed from others.
    fn finish(mut self) -> Self {
        if self.min_workers > self.max_workers {
            self.min_workers = self.max_workers;
            self.origins.set("min_workers", Origin::Adjusted("lowered to max_workers"));
        }
        if self.database_url.expose_secret().is_empty() {
            let file = self.data_dir.join(DATABASE_FILE);
            self.database_url = SecretString::from(format!("sqlite://{}", file.display()));
        }
        self
    }
}

/// Where settings that can be read contradict each other. A default floor above the ceiling is no contradiction:
/// it gives way.
fn conflicts(read: &Readable) -> Vec<SettingProblem> {
    let conflict = |key, reason| SettingProblem::Conflict { key, origin: read.origins.get(key), reason };
    let mut problems = Vec::new();
    if let (Some(least), Some(most)) = (read.min_workers, read.max_workers)
        && least > most
        && read.origins.get("min_workers") != Origin::Default
    {
        let place = read.origins.get("max_workers");
        problems.push(conflict(
            "min_workers",
            format!("is {least}, above max_workers, which is {most} ({place}): lower one or raise the other"),
        ));
    }
    if let (Some(certificate), Some(key)) = (&read.tls_cert_file, &read.tls_key_file)
        && certificate.is_some() != key.is_some()
    {
        let (given, missing) = match certificate {
            Some(_) => ("tls_cert_file", "tls_key_file"),
            None => ("tls_key_file", "tls_cert_file"),
        };
        problems.push(conflict(given, format!("is given without {missing}: give both, or none")));
    }
    if let (Some(Some(address)), Some(HttpToken::Open)) = (read.http_bind, &read.http_token)
        && !address.ip().is_loopback()
    {
        problems.push(conflict(
            "http_bind",
            format!("is {address}, which other machines can reach: leave http_token out or set one, or bind to 127.0.0.1"),
        ));
    }
    if let (Some(paths), Some(data_dir)) = (&read.worker_paths_rw, &read.data_dir)
        && let Some(path) = paths.iter().find(|path| data_dir.starts_with(path) || path.starts_with(data_dir))
    {
        problems.push(conflict(
            "worker_paths_rw",
            format!(
                "holds {}, and data_dir is {}: no worker may write there",
                path.display(),
                data_dir.display()
            ),
        ));
    }
    problems
}

/// What a client shows is in a variable that a supervisor takes for its setting, and whoever has the token of the settings
/// may do everything: a token that was made must not come to that by the shell it was exported in. Where nothing listens
/// it counts for nothing.
fn made_token(read: &Readable) -> Option<SettingProblem> {
    let Some(HttpToken::Given(token)) = &read.http_token else { return None };
    if read.http_bind == Some(None) || !is_made_token(token.expose_secret()) {
        return None;
    }
    let (key, origin) = ("http_token", read.origins.get("http_token"));
    let without = match &origin {
        Origin::Environment(variable) => format!("unset {variable}"),
        Origin::Default | Origin::Adjusted(_) | Origin::File(_) | Origin::Flag(_) => {
            "leave it out".to_owned()
        }
    };
    let reason = format!(
        "is a token that `supervisor token create` made, and whoever has http_token may do everything: give http_token \
         one of its own, or {without}, and one is made"
    );
    Some(SettingProblem::Invalid { key, origin, reason })
}

/// Values by key with the highest-ranking origin.
pub(super) type Layers = BTreeMap<&'static str, (Raw, Origin)>;

fn file_layer(sources: &Sources, problems: &mut Vec<SettingProblem>) -> Layers {
    let mut layer = Layers::new();
    let (path, table) = match sources.file() {
        Ok(Some(found)) => found,
        Ok(None) => return layer,
        Err(problem) => {
            problems.push(problem);
            return layer;
        }
    };
    for (name, value) in &table {
        let origin = Origin::File(path.clone());
        let Some(key) = key(name) else {
            problems.push(unknown(name, name, origin, |key| key.to_owned()));
            continue;
        };
        match raw_of_toml(value) {
            Ok(raw) => {
                layer.insert(key.name, (raw, origin));
            }
            Err(reason) => {
                problems.push(SettingProblem::Invalid { key: key.name, origin, reason: reason.to_owned() });
            }
        }
    }
    layer
}

fn environment_layer(sources: &Sources, problems: &mut Vec<SettingProblem>) -> Layers {
    let mut layer = Layers::new();
    for (variable, value) in &sources.environment {
        let Some(name) = variable.strip_prefix("MUSTER_") else { continue };
        if NOT_SETTINGS.contains(&variable.as_str()) || is_of_a_service(variable, &sources.environment) {
            continue;
        }
        let origin = Origin::Environment(variable.clone());
        let name = name.to_ascii_lowercase();
        match key(&name).filter(|key| key.variable() == *variable) {
            Some(key) => {
                layer.insert(key.name, (Raw::Text(value.clone()), origin));
            }
            None => problems
                .push(unknown(&name, variable, origin, |key| format!("MUSTER_{}", key.to_ascii_uppercase()))),
        }
    }
    layer
}

/// True for what Kubernetes puts into the environment of every container for a Service whose name begins with `muster`:
/// `MUSTER_SERVICE_HOST`, `MUSTER_PORT` and more. A family of them is known by its host and port.
fn is_of_a_service(variable: &str, environment: &BTreeMap<String, String>) -> bool {
    let families = environment.keys().filter_map(|name| name.strip_suffix("_SERVICE_HOST"));
    let mut families = families.filter(|family| environment.contains_key(&format!("{family}_SERVICE_PORT")));
    families.any(|family| {
        variable.strip_prefix(family).is_some_and(|rest| {
            ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].contains(&rest)
                || rest.starts_with("_SERVICE_PORT_")
                || rest.starts_with("_PORT_")
        })
    })
}

fn flag_layer(sources: &Sources, problems: &mut Vec<SettingProblem>) -> Layers {
    let mut layer = Layers::new();
    for (name, raw) in &sources.flags {
        let flag = flag_of(name);
        let origin = Origin::Flag(flag.clone());
        match key(name) {
            Some(key) => {
                layer.insert(key.name, (raw.clone(), origin));
            }
            None => problems.push(unknown(name, &flag, origin, flag_of)),
        }
    }
    layer
}

/// Says what to do about a name that is no setting: as a key, as it is written, and how its source would
/// spell another key.
fn unknown(name: &str, written: &str, origin: Origin, spell: impl Fn(&str) -> String) -> SettingProblem {
    if let Some((key, instead)) = REMOVED.iter().find(|(key, _)| *key == name) {
        return SettingProblem::Removed { key, origin, instead };
    }
    let nearest = nearest(name, KEYS.iter().map(|key| key.name)).map(&spell);
    SettingProblem::Unknown { name: written.to_owned(), origin, nearest }
}

fn flag_of(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

/// Hands out the values key by key and collects what is wrong with them.
pub(super) struct SettingsReader<'a> {
    layers: &'a Layers,
    problems: &'a mut Vec<SettingProblem>,
}

impl SettingsReader<'_> {
    /// The value of `key`, or `None` after noting the problem.
    pub(super) fn value<K: SettingKind>(
        &mut self,
        key: &'static str,
        default: &str,
        kind: &K,
    ) -> Option<K::Value> {
        let (raw, origin) = match self.layers.get(key) {
            Some((raw, origin)) => (raw.clone(), origin.clone()),
            None => (Raw::Text(default.to_owned()), Origin::Default),
        };
        let parsed = match &origin {
            Origin::File(file) => kind.parse_beside(&raw, file),
            Origin::Default | Origin::Adjusted(_) | Origin::Environment(_) | Origin::Flag(_) => {
                kind.parse(&raw)
            }
        };
        match parsed {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problems.push(SettingProblem::Invalid { key, origin, reason });
                None
            }
        }
    }

    /// Where the values came from.
    pub(super) fn origins(&self) -> Origins {
        let mut origins = Origins::default();
        for (key, (_, origin)) in self.layers {
            origins.set(key, origin.clone());
        }
        origins
    }
}
