//! What a limit says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LimitRate, OnFull};
use crate::execution::check;

/// So many may start early together at most.
const BURST_MAX: u32 = 10_000;
/// The longest path into the parameters.
const PATH_MAX_BYTES: usize = 200;

/// What a limit allows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitTerms {
    /// How many may run at once in the whole fleet; left out, as many as want to.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub total: Option<u32>,
    /// How many may run at once for one key; left out, as many as want to.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub per_key: Option<u32>,
    /// How many may start in a period for one key, as in `100/60s`; left out, as many as want to.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub rate: Option<LimitRate>,
    /// How many of these may start early together; left out, 1.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub burst: Option<u32>,
    /// What it counts by: `organization`, `workflow`, `caller`, or `parameters.` and a path.
    #[serde(default)]
    #[schema(value_type = String, default = "organization")]
    pub key: LimitKey,
    /// What happens to an execution that comes when it is full.
    #[serde(default)]
    #[schema(value_type = OnFull, default = "wait")]
    pub on_full: OnFull,
}

/// What a limit counts by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LimitKey {
    /// The organization it runs for; all without one count as one.
    #[default]
    Organization,
    /// The workflow.
    Workflow,
    /// Who asked: the `user_id`, else the `email`, else the `name` of the caller.
    Caller,
    /// A value in the parameters, by the names on the way to it.
    Parameter(Vec<String>),
}

/// A text that is nothing a limit counts by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key: must be organization, workflow, caller or parameters.NAME, not {0:?}")]
pub struct InvalidLimitKey(String);

impl FromStr for LimitKey {
    type Err = InvalidLimitKey;

    fn from_str(text: &str) -> Result<Self, InvalidLimitKey> {
        match text {
            "organization" => Ok(Self::Organization),
            "workflow" => Ok(Self::Workflow),
            "caller" => Ok(Self::Caller),
            path => {
                let names = path.strip_prefix("parameters.").filter(|path| path.len() <= PATH_MAX_BYTES);
                let names: Vec<String> =
                    names.into_iter().flat_map(|path| path.split('.')).map(str::to_owned).collect();
                if names.is_empty() || names.iter().any(|name| check::name(name).is_err()) {
                    return Err(InvalidLimitKey(text.to_owned()));
                }
                Ok(Self::Parameter(names))
            }
        }
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization => f.write_str("organization"),
            Self::Workflow => f.write_str("workflow"),
            Self::Caller => f.write_str("caller"),
            Self::Parameter(names) => write!(f, "parameters.{}", names.join(".")),
        }
    }
}

impl TryFrom<String> for LimitKey {
    type Error = InvalidLimitKey;

    fn try_from(text: String) -> Result<Self, InvalidLimitKey> {
        text.parse()
    }
}

impl From<LimitKey> for String {
    fn from(key: LimitKey) -> Self {
        key.to_string()
    }
}

impl LimitTerms {
    /// All that is wrong with it, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.total.is_none() && self.per_key.is_none() && self.rate.is_none() {
            problems.push("total, per_key, rate: all missing; give at least one of them".to_owned());
        }
        if self.rate.is_some()
            && self.total.is_none()
            && self.per_key.is_none()
            && self.on_full != OnFull::Wait
        {
            problems.push(format!(
                "on_full: {} needs total or per_key, because only they can be full; what a rate does not let start waits",
                self.on_full.as_str()
            ));
        }
        match (self.burst, self.rate) {
            (Some(_), None) => problems.push("burst: there is no rate it could belong to".to_owned()),
            (Some(0), Some(_)) => problems.push("burst: must be 1 or more".to_owned()),
            (Some(burst), Some(_)) if burst > BURST_MAX => {
                problems.push(format!("burst: must be at most {BURST_MAX}"));
            }
            (Some(_) | None, _) => {}
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_limit_counts_by_is_read_and_written() {
        for text in ["organization", "workflow", "caller", "parameters.customer", "parameters.a.b"] {
            assert_eq!(text.parse::<LimitKey>().unwrap().to_string(), text);
        }
        for text in ["", "org", "parameters", "parameters.", "parameters.a..b"] {
            assert!(text.parse::<LimitKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_that_allows_everything_is_none() {
        assert_eq!(LimitTerms::default().problems().len(), 1);
        assert!(LimitTerms { total: Some(0), ..LimitTerms::default() }.problems().is_empty());
        let rate = LimitTerms { rate: "5/m".parse().ok(), on_full: OnFull::Reject, ..LimitTerms::default() };
        assert!(
            rate.problems()[0].starts_with("on_full: reject needs total or per_key"),
            "{:?}",
            rate.problems()
        );
        assert!(LimitTerms { per_key: Some(1), ..rate }.problems().is_empty());
    }
}
