//! A settings file, and the same lines as variables: settings that can be shown, or problems that say what is wrong.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_supervisor::settings::{Settings, Sources};

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fn load(sources: &Sources) {
    match Settings::load(sources) {
        Ok(settings) => assert!(!settings.shown().is_empty()),
        Err(refusal) => {
            assert!(!refusal.problems.is_empty() && !refusal.to_string().is_empty(), "a refusal says why");
        }
    }
}

fuzz_target!(|text: &str| {
    let file: PathBuf = FOLDER.path().join("muster.toml");
    std::fs::write(&file, text).expect("the file is written");
    load(&Sources { config: Some(file), ..Sources::default() });
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let environment = pairs.map(|(name, value)| {
        (format!("MUSTER_{}", name.trim().to_ascii_uppercase()), value.trim().trim_matches('"').to_owned())
    });
    load(&Sources { environment: environment.collect(), ..Sources::default() });
});
