//! Secrets that stand in files of their own: a flag is in the list of processes for all to read, and a variable is in
//! the environment of whatever is started.

use std::path::Path;

use super::kind::{FileKind, SettingKind as _};
use super::load::Layers;
use super::problem::SettingProblem;
use super::source::{Origin, Raw};

/// Each secret, and the setting that names its file.
const SECRET_FILES: [(&str, &str); 6] = [
    ("database_url", "database_url_file"),
    ("amqp_url", "amqp_url_file"),
    ("redis_url", "redis_url_file"),
    ("http_token", "http_token_file"),
    ("secret_key", "secret_key_file"),
    ("otlp_headers", "otlp_headers_file"),
];

/// The most a file of a secret may hold: one that is larger is something else.
const SECRET_MAX_BYTES: u64 = 64 * 1024;

/// Puts what the files hold in the place of the secrets they stand for.
pub(super) fn read_secret_files(layers: &mut Layers, problems: &mut Vec<SettingProblem>) {
    for (secret, key) in SECRET_FILES {
        let Some((raw, origin)) = layers.get(key).cloned() else { continue };
        let path = match &origin {
            Origin::File(file) => FileKind.parse_beside(&raw, file),
            Origin::Default | Origin::Adjusted(_) | Origin::Environment(_) | Origin::Flag(_) => {
                FileKind.parse(&raw)
            }
        };
        // What is no path is told when the setting itself is read.
        let Ok(Some(path)) = path else { continue };
        let given = layers.get(secret).map(|(_, given)| given.clone());
        match given.as_ref().map(|given| rank(given).cmp(&rank(&origin))) {
            Some(std::cmp::Ordering::Greater) => continue,
            Some(std::cmp::Ordering::Equal) => {
                let reason = format!("is given beside {secret}: give one of them");
                problems.push(SettingProblem::Conflict { key, origin, reason });
                continue;
            }
            Some(std::cmp::Ordering::Less) | None => {}
        }
        match read(&path) {
            Ok(text) => {
                layers.insert(secret, (Raw::Text(text), Origin::File(path)));
            }
            Err(reason) => problems.push(SettingProblem::Invalid { key, origin, reason }),
        }
    }
}

/// Which source goes before which.
fn rank(origin: &Origin) -> u8 {
    match origin {
        Origin::Default | Origin::Adjusted(_) => 0,
        Origin::File(_) => 1,
        Origin::Environment(_) => 2,
        Origin::Flag(_) => 3,
    }
}

/// What a file holds, without the line end that editors leave.
fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let size = std::fs::metadata(path).map(|about| about.len());
    if size.is_ok_and(|size| size > SECRET_MAX_BYTES) {
        return Err(format!("names {shown}, which is too large to be a secret"));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("names {shown}, which cannot be read: {error}"))?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(format!("names {shown}, which is empty")),
        text => Ok(text.to_owned()),
    }
}
