//! How a workflow fails.

use std::error::Error;
use std::fmt;

use muster_protocol::ErrorInfo;
use muster_protocol::value::InvalidValue;

use super::json::NotWritten;
use crate::run::{CancelRequest, refused_call};

/// Why a workflow failed, as its user will read it.
///
/// Every `std::error::Error` becomes one with `?`: its type's name is the kind, its sources follow in the
/// stack. An error made with [`new`](Self::new) has the kind it is given.
///
/// It is shown as `kind: message`. It is no `std::error::Error` itself, since all of those become one; it becomes a
/// `Box<dyn Error>`, so that `?` takes it in a test:
///
/// ```
/// use muster_worker::testing::TestContext;
/// use muster_worker::{Context, WorkflowError};
///
/// fn half(number: u32, _ctx: Context) -> Result<u32, WorkflowError> {
///     if number % 2 == 1 {
///         return Err(WorkflowError::new("Odd", format!("{number} has no half")));
///     }
///     Ok(number / 2)
/// }
///
/// fn check() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(TestContext::new().run_blocking(half, &4)?, 2);
///     let odd = TestContext::new().run_blocking(half, &3).unwrap_err();
///     assert_eq!((odd.kind(), odd.to_string().as_str()), ("Odd", "Odd: 3 has no half"));
///     Ok(())
/// }
/// # check().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct WorkflowError {
    info: ErrorInfo,
}

impl WorkflowError {
    /// An error with a kind, which becomes the execution's `error_type`, and one line for a person.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { info: ErrorInfo::new(kind, message) }
    }

    /// Says whether another attempt could help.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.info.retryable = Some(retryable);
        self
    }

    /// The error of whoever notices that the run should end.
    pub(crate) fn cancelled(request: &CancelRequest) -> Self {
        Self::new("Cancelled", request.describe())
    }

    /// The error of a call whose parameters cannot be kept.
    pub(crate) fn refused(method: &str, unfit: &InvalidValue) -> Self {
        Self::from_info(refused_call(method, unfit))
    }

    /// The error of a call whose parameters have no JSON text.
    pub(crate) fn not_written(method: &str, why: NotWritten) -> Self {
        match why {
            NotWritten::NoJson(error) => error.into(),
            NotWritten::NoNumber(unfit) => Self::refused(method, &unfit),
        }
    }

    /// The error of a call, or of a panic.
    pub(crate) fn from_info(info: ErrorInfo) -> Self {
        Self { info }
    }

    /// The kind of the error, which becomes `error_type`.
    pub fn kind(&self) -> &str {
        &self.info.kind
    }

    /// The message of the error, one line for a person.
    pub fn message(&self) -> &str {
        &self.info.message
    }
}

impl fmt::Display for WorkflowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.info.kind.is_empty() {
            f.write_str(&self.info.message)
        } else {
            write!(f, "{}: {}", self.info.kind, self.info.message)
        }
    }
}

/// What a workflow failed with, as an error for those who know nothing of workflows.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct PlainError(WorkflowError);

impl From<WorkflowError> for Box<dyn Error + Send + Sync> {
    fn from(error: WorkflowError) -> Self {
        Box::new(PlainError(error))
    }
}

impl From<WorkflowError> for Box<dyn Error> {
    fn from(error: WorkflowError) -> Self {
        Box::new(PlainError(error))
    }
}

impl<E: Error> From<E> for WorkflowError {
    fn from(error: E) -> Self {
        let mut info = ErrorInfo::new(kind_of(std::any::type_name::<E>()), error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            info.stack.push_str(&format!("caused by: {cause}\n"));
            source = cause.source();
        }
        Self { info }
    }
}

impl From<WorkflowError> for ErrorInfo {
    fn from(error: WorkflowError) -> Self {
        error.info
    }
}

/// The name of an error type as people say it: `ParseIntError`, but `io::Error` and `serde_json::Error`.
fn kind_of(type_name: &str) -> String {
    let plain = type_name.split('<').next().unwrap_or(type_name);
    let parts: Vec<&str> = plain.split("::").filter(|part| *part != "error").collect();
    match parts.as_slice() {
        [.., module, "Error"] => format!("{module}::Error"),
        [.., name] => (*name).to_owned(),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_the_names_people_use() {
        assert_eq!(kind_of("std::io::error::Error"), "io::Error");
        assert_eq!(kind_of("serde_json::error::Error"), "serde_json::Error");
        assert_eq!(kind_of("core::num::error::ParseIntError"), "ParseIntError");
        assert_eq!(kind_of("my::Wrapper<std::io::Error>"), "Wrapper");
        let error = WorkflowError::from("x".parse::<u8>().unwrap_err());
        assert_eq!((error.kind(), error.message()), ("ParseIntError", "invalid digit found in string"));
    }
}
