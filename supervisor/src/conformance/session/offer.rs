//! What a worker says of itself, and what it offers to be held to.

use muster_protocol::wire::Spelling;

/// A Hello.
#[derive(Clone, Debug)]
pub(in crate::conformance) struct Introduction {
    pub(in crate::conformance) protocol_min: u16,
    pub(in crate::conformance) protocol_max: u16,
    pub(in crate::conformance) implementation: String,
    pub(in crate::conformance) implementation_version: String,
    pub(in crate::conformance) language: String,
    pub(in crate::conformance) features: Vec<String>,
}

/// What the worker said of itself in the first conversation.
#[derive(Clone, Debug)]
pub(in crate::conformance) struct WorkerOffer {
    pub(in crate::conformance) introduction: Introduction,
    pub(in crate::conformance) workflows: Vec<String>,
    pub(in crate::conformance) spelling: Spelling,
}

impl WorkerOffer {
    pub(in crate::conformance) fn has_feature(&self, name: &str) -> bool {
        self.introduction.features.iter().any(|feature| feature == name)
    }

    pub(in crate::conformance) fn has_workflow(&self, name: &str) -> bool {
        self.workflows.iter().any(|workflow| workflow.strip_prefix("conformance.") == Some(name))
    }
}
