//! What the workers of the pool described, for all who ask.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use muster_core::json;
use muster_protocol::{CodeSource, ErrorInfo};
use serde_json::value::RawValue;

use super::described::DescribedWorkflow;
use super::set::DescribedSet;

/// The descriptions in force. Those of a generation count from its first Ready on, and the last word counts.
#[derive(Debug, Default)]
pub struct Descriptions(RwLock<PoolDescriptions>);

#[derive(Debug, Default)]
struct PoolDescriptions {
    generation: u64,
    set: DescribedSet,
}

impl Descriptions {
    /// A worker of this generation is Ready and has described this by now. One that described nothing, because it
    /// decides per execution, leaves what is known of its own generation.
    pub fn ready(&self, generation: u64, described: Option<DescribedSet>) {
        let mut pool = self.write();
        if generation < pool.generation {
            return;
        }
        if let Some(set) = described {
            *pool = PoolDescriptions { generation, set };
        } else if generation > pool.generation {
            *pool = PoolDescriptions { generation, set: DescribedSet::default() };
        }
    }

    /// A worker of this generation that is Ready describes more. What does not fit is told.
    pub fn add(&self, generation: u64, described: DescribedSet) -> Vec<String> {
        let mut pool = self.write();
        if generation == pool.generation { pool.set.merge(described) } else { Vec::new() }
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

    /// All of them, by name.
    pub fn all(&self) -> Vec<Arc<DescribedWorkflow>> {
        self.read().set.workflows.values().map(Arc::clone).collect()
    }

    /// The files that could not be loaded, and why.
    pub fn broken(&self) -> BTreeMap<String, ErrorInfo> {
        self.read().set.broken.clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, PoolDescriptions> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, PoolDescriptions> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DescribedWorkflow {
    /// Refuses parameters that the workflow does not take, with all that is wrong with them.
    ///
    /// # Errors
    /// What is wrong, one problem after the other.
    pub fn check(&self, parameters: &RawValue) -> Result<(), String> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let problems = json::check_schema(schema, parameters, "parameters");
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}
