//! Whether the folder of workflows is there. Where it is not, the first sign would be a workflow that is not found.

use crate::settings::{Origin, Settings};

/// Says so when it cannot be read: as a warning where somebody counts on it.
pub(super) fn say_if_missing(settings: &Settings) {
    let Err(error) = std::fs::read_dir(&settings.workflows_dir) else { return };
    let workflows_dir = super::core::absolute_workflows_dir(settings);
    let workflows_dir = workflows_dir.display();
    if is_counted_on(settings) {
        tracing::warn!(
            %workflows_dir,
            %error,
            "workflows_dir cannot be read, so workers find no workflow in it: make it, or set workflows_dir"
        );
    } else {
        tracing::info!(%workflows_dir, %error, "there is no workflows_dir: the worker has its own workflows");
    }
}

/// The default worker has no workflows but those in it. Any other may bring its own, and then nobody names a folder.
fn is_counted_on(settings: &Settings) -> bool {
    is_set(settings, "workflows_dir") || !is_set(settings, "worker_command")
}

fn is_set(settings: &Settings, key: &str) -> bool {
    match settings.origin(key) {
        Origin::Default | Origin::Adjusted(_) => false,
        Origin::File(_) | Origin::Environment(_) | Origin::Flag(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    #[test]
    fn a_folder_is_counted_on_by_who_names_it_and_by_the_default_worker() {
        let counted_on = |set: &[(&str, &str)]| {
            let mut sources = Sources::default();
            sources.environment.extend(set.iter().map(|(name, value)| ((*name).into(), (*value).into())));
            is_counted_on(&Settings::load(&sources).unwrap())
        };
        let (folder, worker) = (("MUSTER_WORKFLOWS_DIR", "./absent"), ("MUSTER_WORKER_COMMAND", "./mine"));
        assert!(counted_on(&[]) && counted_on(&[folder]) && counted_on(&[folder, worker]));
        assert!(!counted_on(&[worker]));
    }
}
