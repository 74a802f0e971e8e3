//! The embedded database as an administrator reaches it: with SQL, beside a supervisor that runs.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::Installation;
use crate::blocking::block_on;

impl Installation {
    /// Changes something in the embedded database, which a supervisor has made.
    ///
    /// # Panics
    /// When the database is not there or refuses.
    #[track_caller]
    pub fn embedded_sql(&self, sql: &str) {
        let done: sqlx::Result<()> = block_on(async {
            let mut connection = self.embedded().await?;
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
            connection.close().await
        });
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The texts in the first column of what a SELECT gives.
    ///
    /// # Panics
    /// When the database is not there or refuses.
    #[track_caller]
    pub fn embedded_texts(&self, sql: &str) -> Vec<String> {
        let texts: sqlx::Result<Vec<String>> = block_on(async {
            let mut connection = self.embedded().await?;
            let texts = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await?;
            connection.close().await?;
            Ok(texts)
        });
        texts.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The numbers in the first column of what a SELECT gives.
    ///
    /// # Panics
    /// When the database is not there or refuses.
    #[track_caller]
    pub fn embedded_numbers(&self, sql: &str) -> Vec<i64> {
        let numbers: sqlx::Result<Vec<i64>> = block_on(async {
            let mut connection = self.embedded().await?;
            let numbers =
                sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await?;
            connection.close().await?;
            Ok(numbers)
        });
        numbers.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn embedded(&self) -> sqlx::Result<SqliteConnection> {
        let options = SqliteConnectOptions::new().filename(self.path("data/muster.db"));
        options.busy_timeout(Duration::from_secs(10)).connect().await
    }
}
