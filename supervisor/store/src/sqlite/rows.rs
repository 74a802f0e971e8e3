//! A statement with its parameters, and the rows it gives, on the writing connection.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::{FromSql, ToSqlOutput, Value, ValueRef};

/// A statement and what is bound to it, in order.
pub(super) struct WriteQuery<'q> {
    sql: &'q str,
    values: Vec<ToSqlOutput<'q>>,
}

/// A statement without parameters so far.
pub(super) fn write_query(sql: &str) -> WriteQuery<'_> {
    WriteQuery { sql, values: Vec::new() }
}

impl<'q> WriteQuery<'q> {
    /// Binds the next parameter.
    pub(super) fn bind(mut self, value: impl Bound<'q>) -> Self {
        self.values.push(value.bound());
        self
    }

    /// Runs it to its end.
    pub(super) fn rows(self, connection: &Connection) -> rusqlite::Result<Vec<WriteRow>> {
        let mut statement = connection.prepare_cached(self.sql)?;
        for (index, value) in self.values.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        let columns: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
        let (mut found, mut rows) = (Vec::new(), statement.raw_query());
        while let Some(row) = rows.next()? {
            let values = (0..columns.len()).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?;
            found.push(WriteRow { columns: Arc::clone(&columns), values });
        }
        Ok(found)
    }
}

/// A row.
#[derive(Debug)]
pub(super) struct WriteRow {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl WriteRow {
    /// The value of a column, as [`sqlx::Row::try_get`] gives it on the connections that read.
    pub(super) fn try_get<T: FromSql, C: AsRef<str>>(&self, column: C) -> sqlx::Result<T> {
        let name = column.as_ref();
        let index = self.columns.iter().position(|column| column == name);
        let value = index.and_then(|index| self.values.get(index));
        let value = value.ok_or_else(|| sqlx::Error::ColumnNotFound(name.to_owned()))?;
        T::column_result(ValueRef::from(value))
            .map_err(|error| sqlx::Error::ColumnDecode { index: name.to_owned(), source: Box::new(error) })
    }
}

/// What can be bound.
pub(super) trait Bound<'q> {
    /// The value as SQLite takes it.
    fn bound(self) -> ToSqlOutput<'q>;
}

macro_rules! bound_owned {
    ($($kind:ty),*) => {$(
        impl<'q> Bound<'q> for $kind {
            fn bound(self) -> ToSqlOutput<'q> {
                ToSqlOutput::Owned(self.into())
            }
        }
    )*};
}

bound_owned!(i64, u32, u8, f64, bool, String);

impl<'q> Bound<'q> for &'q str {
    fn bound(self) -> ToSqlOutput<'q> {
        ToSqlOutput::Borrowed(self.into())
    }
}

impl<'q> Bound<'q> for &'q String {
    fn bound(self) -> ToSqlOutput<'q> {
        self.as_str().bound()
    }
}

impl<'q> Bound<'q> for &'q Option<String> {
    fn bound(self) -> ToSqlOutput<'q> {
        self.as_deref().bound()
    }
}

impl<'q, T: Bound<'q>> Bound<'q> for Option<T> {
    fn bound(self) -> ToSqlOutput<'q> {
        self.map_or(ToSqlOutput::Owned(Value::Null), Bound::bound)
    }
}
