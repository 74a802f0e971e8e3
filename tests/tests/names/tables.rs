//! Tables and columns, as they are after `supervisor migrate`.

use muster_tests::{Installation, Record, Services};

use crate::compare;

#[test]
fn the_tables_of_postgres() {
    let backends = Services::shared().fresh();
    migrate(&Installation::new().backends(&backends));
    let columns = Record::of(&backends).select(
        "SELECT table_name || '.' || column_name || ' ' || data_type AS name
         FROM information_schema.columns WHERE table_schema = 'public'",
    );
    compare("postgres.txt", &columns.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect());
}

#[test]
fn the_tables_of_sqlite() {
    let installation = Installation::new();
    migrate(&installation);
    let columns = installation.embedded_texts(
        "SELECT tables.name || '.' || columns.name || ' ' || columns.type
         FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type IN ('table', 'view') AND tables.name NOT LIKE 'sqlite_%'",
    );
    compare("sqlite.txt", &columns.into_iter().collect());
}

#[track_caller]
fn migrate(installation: &Installation) {
    let output = installation.run(&["migrate"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
