//! Where in a file things are, so that a problem is told with its line.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::place::key_text;

/// The lines of a file's keys.
#[derive(Debug)]
pub struct Places {
    file: String,
    lines: BTreeMap<String, usize>,
}

impl Places {
    /// The places of a file that can be read.
    pub(super) fn of(file: &str, text: &str) -> Self {
        let mut lines = BTreeMap::new();
        if let Ok(table) = DeTable::parse(text) {
            collect(&LineEnds::of(text), "", table.get_ref(), &mut lines);
        }
        Self { file: file.to_owned(), lines }
    }

    /// What is called so in problems is called otherwise in the file.
    pub(super) fn also_called(&mut self, called: &str, in_file: &str) {
        if called == in_file {
            return;
        }
        // What is within it stands beside it in this order, but for a few whose names go on otherwise.
        let within =
            self.lines.range(in_file.to_owned()..).take_while(|(place, _)| place.starts_with(in_file));
        let renamed: Vec<(String, usize)> = within
            .filter_map(|(place, line)| {
                let rest = place.strip_prefix(in_file)?;
                (rest.is_empty() || rest.starts_with('.')).then(|| (format!("{called}{rest}"), *line))
            })
            .collect();
        self.lines.extend(renamed);
    }

    /// The problem, with the file and the line that it is about.
    pub fn locate(&self, problem: &str) -> String {
        let place = problem.split(": ").next().unwrap_or_default();
        // The thing itself, or the nearest that it is in.
        let mut known = Some(place);
        let line = loop {
            let Some(here) = known else { break None };
            if let Some(line) = self.lines.get(here) {
                break Some(line);
            }
            known = here.rfind('.').and_then(|end| here.get(..end));
        };
        match line {
            Some(line) => format!("{}:{line}: {problem}", self.file),
            None => format!("{}: {problem}", self.file),
        }
    }
}

fn collect(ends: &LineEnds, above: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let key_place = key_text(key.get_ref());
        let place = if above.is_empty() { key_place } else { format!("{above}.{key_place}") };
        lines.insert(place.clone(), ends.line_at(key.span().start));
        if let DeValue::Table(inner) = value.get_ref() {
            collect(ends, &place, inner, lines);
        }
    }
}

/// Where the lines of a file end. It is read once: a file of many keys would be counted through for each of them.
pub(super) struct LineEnds(Vec<usize>);

impl LineEnds {
    pub(super) fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The number of the line that holds this byte.
    pub(super) fn line_at(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte) + 1
    }
}
