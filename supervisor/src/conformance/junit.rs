//! The report as JUnit XML, which build servers read.

use std::fmt::Write as _;

use super::report::{CheckVerdict, ConformanceReport};

/// The whole document.
pub fn junit(report: &ConformanceReport, command: &str) -> String {
    let (_, failed, open) = report.counts();
    let seconds: f64 = report.entries.iter().map(|entry| entry.took.as_secs_f64()).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuite name=\"muster conformance: {}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{open}\" time=\"{seconds:.3}\">",
        escaped(command),
        report.entries.len(),
    );
    for entry in &report.entries {
        let _ = write!(
            xml,
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
            entry.group.as_str(),
            entry.name,
            entry.took.as_secs_f64(),
        );
        let _ = match &entry.verdict {
            CheckVerdict::Passed => writeln!(xml, "/>"),
            CheckVerdict::NotChecked { reason } => {
                writeln!(xml, ">\n    <skipped message=\"{}\"/>\n  </testcase>", escaped(reason))
            }
            CheckVerdict::Failed { expected, seen } => writeln!(
                xml,
                ">\n    <failure message=\"expected: {}\">{}</failure>\n  </testcase>",
                escaped(expected),
                escaped(&format!("seen: {seen}")),
            ),
        };
    }
    xml.push_str("</testsuite>\n");
    xml
}

/// Text for XML 1.0, which knows no control characters, not even escaped ones.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}')
            }
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::check::CheckGroup;
    use super::super::report::CheckEntry;
    use super::*;

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
        let xml = junit(&ConformanceReport { worker: None, entries, complete: true }, "./worker --x & y");
        assert!(xml.contains("name=\"muster conformance: ./worker --x &amp; y\" tests=\"3\" failures=\"1\" skipped=\"1\" time=\"4.500\""), "{xml}");
        assert!(xml.contains("<testcase classname=\"framing\" name=\"one\" time=\"1.500\"/>"), "{xml}");
        assert!(
            xml.contains(
                "<failure message=\"expected: a &lt; b\">seen: &quot;b&quot;&#10;\u{fffd}</failure>"
            ),
            "{xml}"
        );
        assert!(xml.contains("<skipped message=\"does not offer it\"/>"), "{xml}");
    }
}
