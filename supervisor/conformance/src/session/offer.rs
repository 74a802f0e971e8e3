//! What a worker says of itself, and what it offers to be held to.

use muster_protocol::wire::Spelling;

/// A Hello.
#[derive(Clone, Debug)]
pub(crate) struct Introduction {
    pub(crate) protocol_min: u16,
    pub(crate) protocol_max: u16,
    pub(crate) implementation: String,
    pub(crate) implementation_version: String,
    pub(crate) language: String,
    pub(crate) features: Vec<String>,
}

/// What the worker said of itself in the first conversation.
#[derive(Clone, Debug)]
pub(crate) struct WorkerOffer {
    pub(crate) introduction: Introduction,
    pub(crate) workflows: Vec<String>,
    pub(crate) spelling: Spelling,
}

impl WorkerOffer {
    pub(crate) fn has_feature(&self, name: &str) -> bool {
        self.introduction.features.iter().any(|feature| feature == name)
    }

    pub(crate) fn has_workflow(&self, name: &str) -> bool {
        self.workflows.iter().any(|workflow| workflow.strip_prefix("conformance.") == Some(name))
    }
}
