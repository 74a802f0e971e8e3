//! The schema's history: each adapter embeds its own list of files and applies those that are missing, in
//! order, in one transaction under a lock.

use super::error::{Result, StoreError};

/// One step of the schema. Steps are only ever appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    /// Counts from 1.
    pub(crate) version: u32,
    /// Its statements.
    pub(crate) sql: &'static str,
}

/// The version of a schema with all of its steps.
pub(crate) fn newest(all: &[Migration]) -> u32 {
    all.last().map_or(0, |migration| migration.version)
}

/// The steps a database still needs that stands at `applied`.
pub(crate) fn missing(
    backend: &'static str,
    all: &'static [Migration],
    applied: u32,
) -> Result<&'static [Migration]> {
    let newest = newest(all);
    if applied > newest {
        let message = format!(
            "its schema is at version {applied} and this supervisor knows versions up to {newest}; \
             run the newer supervisor, or restore the database from before its upgrade"
        );
        return Err(StoreError::Incompatible { backend, message });
    }
    Ok(all.get(applied as usize..).unwrap_or_default())
}

/// A statement that does not fit the schema, or that the role may not run.
pub(crate) fn unprepared(backend: &'static str, statement: &str, error: &StoreError) -> StoreError {
    let message = format!(
        "the statement {statement} cannot be prepared: {error}; run `supervisor migrate`, and check what the \
         database user may do"
    );
    StoreError::Incompatible { backend, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_from_the_future_is_refused() {
        const ALL: &[Migration] = &[Migration { version: 1, sql: "" }, Migration { version: 2, sql: "" }];
        assert_eq!(missing("test", ALL, 0).unwrap().len(), 2);
        assert_eq!(missing("test", ALL, 2).unwrap().len(), 0);
        let error = missing("test", ALL, 3).unwrap_err().to_string();
        assert!(error.contains("version 3") && error.contains("up to 2"), "{error}");
    }
}
