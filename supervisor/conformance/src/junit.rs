//! The report as JUnit XML, which build servers read.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::report::{CheckEntry, CheckVerdict, ConformanceReport};

/// The whole document: one suite, named after the worker's `command`.
///
/// # Errors
/// When a text cannot be written as XML.
pub fn junit(report: &ConformanceReport, command: &str) -> Result<String, SerializeError> {
    let name = format!("muster conformance: {command}");
    let mut suite = TestSuite::new(name.as_str());
    suite.set_time(report.entries.iter().map(|entry| entry.took).sum());
    suite.add_test_cases(report.entries.iter().map(case));
    let mut document = Report::new(name.as_str());
    document.set_time(report.entries.iter().map(|entry| entry.took).sum()).add_test_suite(suite);
    document.to_string()
}

fn case(entry: &CheckEntry) -> TestCase {
    let status = match &entry.verdict {
        CheckVerdict::Passed => TestCaseStatus::success(),
        CheckVerdict::NotChecked { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        CheckVerdict::Failed { expected, seen } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!("expected: {expected}")).set_description(format!("seen: {seen}"));
            status
        }
    };
    let mut case = TestCase::new(entry.name, status);
    case.set_classname(entry.group.as_str()).set_time(entry.took);
    case
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::CheckGroup;

    #[test]
    fn verdicts_become_cases() {
        let entry = |name, verdict| CheckEntry {
            name,
            group: CheckGroup::Framing,
            promise: "keeps it",
            verdict,
            took: Duration::from_millis(1500),
        };
        let failed = CheckVerdict::Failed { expected: "a < b".into(), seen: "\"b\"\n\u{0}".into() };
        let open = CheckVerdict::NotChecked { reason: "does not offer it".into() };
        let entries = vec![entry("one", CheckVerdict::Passed), entry("two", failed), entry("three", open)];
        let report = ConformanceReport { worker: None, entries, complete: true };
        insta::assert_snapshot!(junit(&report, "./worker --x & y").unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="muster conformance: ./worker --x &amp; y" tests="3" skipped="1" failures="1" errors="0" time="4.500">
            <testsuite name="muster conformance: ./worker --x &amp; y" tests="3" skipped="1" errors="0" failures="1" time="4.500">
                <testcase name="one" classname="framing" time="1.500"/>
                <testcase name="two" classname="framing" time="1.500">
                    <failure message="expected: a &lt; b">seen: &quot;b&quot;
        </failure>
                </testcase>
                <testcase name="three" classname="framing" time="1.500">
                    <skipped message="does not offer it"/>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }
}
