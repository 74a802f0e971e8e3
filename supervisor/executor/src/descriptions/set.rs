//! What one worker described, in one message or in all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_protocol::limits::{DESCRIBED_MAX, DESCRIPTIONS_MAX_BYTES};
use muster_protocol::{BrokenFile, ErrorInfo, WorkflowDescription};

use super::described::DescribedWorkflow;

/// So many problems of one message are told.
const PROBLEMS_SHOWN_MAX: usize = 10;

/// Workflows by name, and files that cannot be loaded.
#[derive(Clone, Debug, Default)]
pub struct DescribedSet {
    /// In place of what was described before, not beside it.
    pub(super) replaces: bool,
    pub(super) workflows: BTreeMap<String, Arc<DescribedWorkflow>>,
    pub(super) broken: BTreeMap<String, ErrorInfo>,
    bytes: usize,
}

impl DescribedSet {
    /// Reads a message. What of it does not count is told. Takes as long as the message is large.
    pub fn read(
        replaces: bool,
        workflows: &[WorkflowDescription],
        broken: &[BrokenFile],
    ) -> (Self, Vec<String>) {
        let mut set = Self { replaces, ..Self::default() };
        let mut problems = Vec::new();
        for declared in workflows {
            let (described, wrong) = DescribedWorkflow::read(declared.clone());
            problems.extend(wrong);
            problems.extend(described.and_then(|described| set.put(Arc::new(described))));
        }
        for BrokenFile { file, error } in broken {
            problems.extend(set.put_broken(file.clone(), error.clone()));
        }
        let left = problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
        if left > 0 {
            problems.truncate(PROBLEMS_SHOWN_MAX);
            problems.push(format!("and {left} more"));
        }
        (set, problems)
    }

    /// Takes a later message of the same worker. What of it does not fit is told.
    pub fn merge(&mut self, later: Self) -> Vec<String> {
        if later.replaces {
            *self = later;
            return Vec::new();
        }
        let workflows = later.workflows.into_values().filter_map(|described| self.put(described));
        let mut problems: Vec<String> = workflows.take(1).collect();
        problems.extend(
            later.broken.into_iter().filter_map(|(file, error)| self.put_broken(file, error)).take(1),
        );
        problems
    }

    fn put(&mut self, described: Arc<DescribedWorkflow>) -> Option<String> {
        let name = &described.declared.name;
        let before = self.workflows.get(name).map_or(0, |known| known.size_bytes());
        let bytes = self.bytes - before + described.size_bytes();
        if bytes > DESCRIPTIONS_MAX_BYTES || (before == 0 && self.workflows.len() >= DESCRIBED_MAX) {
            return Some(format!(
                "{name} and what follows: a worker describes at most {DESCRIBED_MAX} workflows in \
                 {DESCRIPTIONS_MAX_BYTES} bytes, and the rest is left out"
            ));
        }
        self.bytes = bytes;
        self.workflows.insert(name.clone(), described);
        None
    }

    fn put_broken(&mut self, file: String, error: ErrorInfo) -> Option<String> {
        let size = |file: &str, error: &ErrorInfo| {
            file.len() + error.kind.len() + error.message.len() + error.stack.len() + size_of::<ErrorInfo>()
        };
        let before = self.broken.get(&file).map_or(0, |known| size(&file, known));
        let bytes = self.bytes - before + size(&file, &error);
        if bytes > DESCRIPTIONS_MAX_BYTES || (before == 0 && self.broken.len() >= DESCRIBED_MAX) {
            return Some(format!(
                "{file} and what follows: of broken files only the first {DESCRIBED_MAX} are kept"
            ));
        }
        self.bytes = bytes;
        self.broken.insert(file, error);
        None
    }
}
