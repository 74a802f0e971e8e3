//! Another PostgreSQL than the one there is: built-in functions are hidden behind others of the same name.

use crate::fixture::Fixture;

/// Hides a function behind this definition, for connections made from here on. Hiding it again changes it for these
/// too.
pub(crate) async fn hide(fixture: &Fixture, definition: &str) {
    fixture
        .sql(&format!(
            "CREATE SCHEMA IF NOT EXISTS other;
            CREATE OR REPLACE FUNCTION other.{definition};
            DO $$ BEGIN EXECUTE format(
                'ALTER DATABASE %I SET search_path = public, other, pg_catalog', current_database()
            ); END $$"
        ))
        .await;
}
