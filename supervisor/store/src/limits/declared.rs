//! What code declares of its limits: known to this process, and asked whenever a row is written.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::NewExecution;

/// The limits of each workflow that declares some, by its name.
#[derive(Debug, Default)]
pub(crate) struct DeclaredLimits(RwLock<Arc<HashMap<String, Vec<String>>>>);

impl DeclaredLimits {
    /// From now on these.
    pub(crate) fn replace(&self, by_workflow: HashMap<String, Vec<String>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(by_workflow);
    }

    /// What they are at this moment.
    pub(crate) fn now(&self) -> Arc<HashMap<String, Vec<String>>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The names of the limits of an execution: those of its code beside those that were asked for; a request that names some
/// has said which, and only what is a workflow's own, with a slash in its name, counts all the same.
pub(crate) fn limits_of(new: &NewExecution, declared: &HashMap<String, Vec<String>>) -> Vec<String> {
    let of_code = new.workflow_name.as_ref().and_then(|name| declared.get(name)).into_iter().flatten();
    let of_code = of_code.filter(|name| new.limits.is_empty() || name.contains('/'));
    new.limits.iter().chain(of_code).cloned().collect()
}

#[cfg(test)]
mod tests {
    use muster_core::execution::ExecutionRequest;

    use super::*;

    #[test]
    fn a_message_says_which_limits_and_a_workflows_own_counts_in_any_case() {
        let of_code = vec!["crm".to_owned(), "workflow/report".to_owned()];
        let declared = HashMap::from([("report".to_owned(), of_code)]);
        let limits = |rest: &str| {
            let id = "0190b8a0-0000-7000-8000-000000000001";
            let json = format!(r#"{{"execution_id":"{id}"{rest}}}"#);
            let request = ExecutionRequest::parse(json.as_bytes()).unwrap();
            limits_of(&NewExecution::of(&request, 3), &declared)
        };
        assert_eq!(limits(r#","workflow":"report""#), ["crm", "workflow/report"]);
        assert_eq!(limits(r#","workflow":"report","limits":["mail"]"#), ["mail", "workflow/report"]);
        assert!(limits(r#","workflow":"other""#).is_empty());
    }
}
