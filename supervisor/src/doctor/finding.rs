//! What a check found, and how people and programs read it.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// All is as it should be.
    Ok,
    /// Executions run; something is worse than it could be.
    Warn,
    /// Executions do not run, or not for long.
    Fail,
}

impl Severity {
    /// The word at the beginning of a line. A failure is loud.
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One line of the doctor's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorFinding {
    /// What was looked at: `settings`, `worker`, `database` ...
    pub check: &'static str,
    /// How bad the finding is.
    pub verdict: Severity,
    /// What was seen, in words for people.
    pub seen: String,
    /// What to do about it; `None` when there is nothing to do.
    #[serde(rename = "mend")]
    pub fix: Option<String>,
}

impl DoctorFinding {
    /// Makes a finding that all is well.
    pub fn ok(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, verdict: Severity::Ok, seen: seen.into(), fix: None }
    }

    /// It works, and could work better.
    pub fn warn(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Severity::Warn, seen: seen.into(), fix: Some(fix.into()) }
    }

    /// Makes a finding that something does not work, with what to do.
    pub fn fail(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Severity::Fail, seen: seen.into(), fix: Some(fix.into()) }
    }
}

impl std::fmt::Display for DoctorFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What others said may span lines, and a finding is one.
        let seen = one_line(&self.seen);
        write!(f, "{:<5} {:<9} {seen}", self.verdict.word(), self.check)?;
        match &self.fix {
            Some(fix) => write!(f, "; fix: {}", one_line(fix)),
            None => Ok(()),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_its_mend() {
        let well = DoctorFinding::ok("redis", "7.0.15");
        assert_eq!(well.to_string(), "ok    redis     7.0.15");
        let bad = DoctorFinding::fail("database", "no\n  answer", "start it");
        assert_eq!(bad.to_string(), "FAIL  database  no answer; fix: start it");
        assert!(Severity::Ok < Severity::Warn && Severity::Warn < Severity::Fail);
    }
}
