//! What the workers of the pool described, for all who ask.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use muster_core::json;
use muster_protocol::{CodeSource, ErrorInfo};
use serde_json::value::RawValue;

use super::changed_code::may_have_changed;
use super::described::DescribedWorkflow;
use super::set::DescribedSet;

/// So many entries of the folder with the code are looked at where nothing may wait for it.
pub const BRIEF_LOOK_ENTRIES: usize = 200;
/// So many are looked at elsewhere.
pub const WHOLE_LOOK_ENTRIES: usize = 10_000;

/// The descriptions in force. Those of a generation count from its first Ready on, and the last word counts.
#[derive(Debug, Default)]
pub struct Descriptions {
    pool: RwLock<PoolDescriptions>,
    workflows_dir: RwLock<PathBuf>,
}

#[derive(Debug, Default)]
struct PoolDescriptions {
    generation: u64,
    set: DescribedSet,
}

impl Descriptions {
    /// Makes a registry of what is described of the code in this folder, which is nothing at first.
    pub fn new(workflows_dir: PathBuf) -> Self {
        Self { pool: RwLock::default(), workflows_dir: RwLock::new(workflows_dir) }
    }

    /// The code is in this folder from now on.
    pub fn set_workflows_dir(&self, workflows_dir: PathBuf) {
        *self.workflows_dir.write().unwrap_or_else(PoisonError::into_inner) = workflows_dir;
    }

    /// True if the code may have changed since it was described: then only the worker that loads it again knows what it takes.
    /// Looks at no more than so many entries of the folder, of which each costs a microsecond or two; a folder with more may
    /// have changed.
    pub fn may_be_stale(&self, described: &DescribedWorkflow, entries_max: usize) -> bool {
        let folder = self.workflows_dir.read().unwrap_or_else(PoisonError::into_inner).clone();
        may_have_changed(&folder, &described.declared.source_file, described.described_at, entries_max)
    }

    /// A worker of this generation is Ready and has described this by now. One that described nothing, because it
    /// decides per execution, leaves what is known of its own generation.
    pub fn ready(&self, generation: u64, described: Option<DescribedSet>) {
        let mut pool = self.write();
        if generation < pool.generation {
            return;
        }
        let before = pool.set.broken.clone();
        if let Some(set) = described {
            *pool = PoolDescriptions { generation, set };
        } else if generation > pool.generation {
            *pool = PoolDescriptions { generation, set: DescribedSet::default() };
        }
        tell_broken(&before, &pool.set.broken);
    }

    /// A worker of this generation that is Ready describes more. What does not fit is told.
    pub fn add(&self, generation: u64, described: DescribedSet) -> Vec<String> {
        let mut pool = self.write();
        if generation != pool.generation {
            return Vec::new();
        }
        let before = pool.set.broken.clone();
        let problems = pool.set.merge(described);
        tell_broken(&before, &pool.set.broken);
        problems
    }

    /// The description of what will be run, if there is one.
    pub fn of(&self, workflow: &str, source: &CodeSource) -> Option<Arc<DescribedWorkflow>> {
        let described = self.named(workflow)?;
        match source {
            CodeSource::Named => Some(described),
            // A row may give a name of its own to a file: another file of that name is another workflow.
            CodeSource::Path { path, .. } => Some(described).filter(|it| it.declared.source_file == *path),
            CodeSource::Inline { .. } => None,
        }
    }

    /// The description of this name, whatever a row makes of it.
    pub fn named(&self, workflow: &str) -> Option<Arc<DescribedWorkflow>> {
        self.read().set.workflows.get(workflow).map(Arc::clone)
    }

    /// Gives all workflows that are described, ordered by name.
    pub fn all(&self) -> Vec<Arc<DescribedWorkflow>> {
        self.read().set.workflows.values().map(Arc::clone).collect()
    }

    /// The files that could not be loaded, and why.
    pub fn broken(&self) -> BTreeMap<String, ErrorInfo> {
        self.read().set.broken.clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, PoolDescriptions> {
        self.pool.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, PoolDescriptions> {
        self.pool.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names the files that cannot be loaded now and could before, or could not for another reason.
fn tell_broken(before: &BTreeMap<String, ErrorInfo>, now: &BTreeMap<String, ErrorInfo>) {
    let is_known =
        |file: &String, error: &ErrorInfo| before.get(file).is_some_and(|known| known.kind == error.kind);
    for (file, error) in now.iter().filter(|(file, error)| !is_known(file, error)) {
        let (error_type, error_message) = (error.kind.as_str(), error.message.as_str());
        tracing::warn!(file, error_type, error_message, "workflow file cannot be loaded; the others serve");
    }
}

impl DescribedWorkflow {
    /// Refuses parameters that the workflow does not take, with all that is wrong with them.
    ///
    /// # Errors
    /// What is wrong, one problem after the other.
    pub fn check(&self, parameters: &RawValue) -> Result<(), String> {
        let problems = self.problems(parameters);
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    /// All that is wrong with parameters; nothing where it is not known what the workflow takes.
    pub fn problems(&self, parameters: &RawValue) -> Vec<String> {
        let schema = self.schema.as_ref();
        schema.map_or_else(Vec::new, |schema| json::check_schema(schema, parameters, "parameters"))
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::{BrokenFile, JsonBytes, WorkflowDescription};

    use super::*;

    fn set(replaces: bool, names: &[&str]) -> DescribedSet {
        let described =
            |name: &&str| WorkflowDescription { name: (*name).to_owned(), ..WorkflowDescription::default() };
        let workflows: Vec<_> = names.iter().map(described).collect();
        DescribedSet::read(replaces, &workflows, &[]).0
    }

    fn names(descriptions: &Descriptions) -> Vec<String> {
        descriptions.all().iter().map(|it| it.declared.name.clone()).collect()
    }

    #[test]
    fn the_last_word_of_the_newest_generation_that_serves_counts() {
        let descriptions = Descriptions::default();
        descriptions.ready(1, Some(set(true, &["a", "b"])));
        // One that decides per execution adds what it comes to know.
        descriptions.ready(1, None);
        assert!(descriptions.add(1, set(false, &["c"])).is_empty());
        assert_eq!(names(&descriptions), ["a", "b", "c"]);
        descriptions.ready(2, Some(set(true, &["a"])));
        descriptions.ready(1, Some(set(true, &["old"])));
        descriptions.add(1, set(false, &["old"]));
        assert_eq!(names(&descriptions), ["a"]);
        descriptions.add(2, set(true, &["d"]));
        assert_eq!(names(&descriptions), ["d"]);
        descriptions.ready(3, None);
        assert!(names(&descriptions).is_empty());
    }

    #[test]
    fn a_name_that_a_row_gives_to_another_file_is_another_workflow() {
        let descriptions = Descriptions::default();
        let described = WorkflowDescription {
            name: "pay".into(),
            source_file: "pay.py".into(),
            ..WorkflowDescription::default()
        };
        descriptions.ready(1, Some(DescribedSet::read(true, &[described], &[]).0));
        let path = |path: &str| CodeSource::Path { path: path.to_owned(), function: String::new() };
        assert!(descriptions.of("pay", &CodeSource::Named).is_some());
        assert!(descriptions.of("pay", &path("pay.py")).is_some());
        assert!(descriptions.of("pay", &path("v2/pay.py")).is_none());
        assert!(descriptions.of("other", &path("pay.py")).is_none());
    }

    #[test]
    fn what_makes_no_sense_is_told_and_left_out() {
        let described = |name: &str, parameters: &str| WorkflowDescription {
            name: name.to_owned(),
            parameters: JsonBytes::from(parameters),
            limits: vec!["l".to_owned(); 5],
            ..WorkflowDescription::default()
        };
        let workflows =
            [described("", "{}"), described("odd", "[1"), described("fine", r#"{"type":"object"}"#)];
        let broken = [BrokenFile { file: "x.py".to_owned(), error: ErrorInfo::new("SyntaxError", "no") }];
        let (set, problems) = DescribedSet::read(true, &workflows, &broken);
        let descriptions = Descriptions::default();
        descriptions.ready(1, Some(set));
        assert_eq!(names(&descriptions), ["fine", "odd"]);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].contains("a name of 1 to 1024 bytes"), "{problems:?}");
        assert!(problems[2].starts_with("odd: its parameters are not checked"), "{problems:?}");
        let fine = descriptions.named("fine").unwrap();
        assert_eq!(fine.declared.limits.len(), 4);
        let parameters = RawValue::from_string("[]".to_owned()).unwrap();
        assert_eq!(fine.check(&parameters), Err("parameters: must be an object, and is a list".to_owned()));
        assert!(descriptions.broken().contains_key("x.py"));
    }

    #[test]
    fn what_a_worker_describes_is_bounded() {
        let long = |number: usize| WorkflowDescription {
            name: format!("w{number}"),
            description: "x".repeat(1024 * 1024),
            ..WorkflowDescription::default()
        };
        let workflows: Vec<_> = (0..20).map(long).collect();
        let (set, problems) = DescribedSet::read(true, &workflows, &[]);
        let descriptions = Descriptions::default();
        descriptions.ready(1, Some(set));
        assert_eq!((descriptions.all().len(), problems.len()), (15, 5), "{problems:?}");
    }
}
