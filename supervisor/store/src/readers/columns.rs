//! Single columns, and what several readers have in common.

/// See [`super::record_readers`].
macro_rules! column_readers {
    ($row:ty) => {
        pub(crate) fn required_id(row: &$row, column: &str) -> Result<Uuid> {
            Ok(row.try_get::<IdColumn, _>(column)?.0)
        }

        pub(crate) fn ids(rows: &[$row]) -> Result<HashSet<Uuid>> {
            rows.iter().map(|row| required_id(row, "id")).collect()
        }

        pub(crate) fn id(row: &$row, column: &str) -> Result<Option<Uuid>> {
            Ok(row.try_get::<Option<IdColumn>, _>(column)?.map(|id| id.0))
        }

        fn at(row: &$row, column: &str) -> Result<Option<Timestamp>> {
            Ok(row.try_get::<Option<TimeColumn>, _>(column)?.map(|at| at.0))
        }

        fn json(row: &$row, column: &str) -> Result<Option<Box<RawValue>>> {
            Ok(row.try_get::<Option<JsonColumn>, _>(column)?.map(|json| json.0))
        }

        fn number(row: &$row, column: &str) -> Result<u32> {
            row.try_get::<i32, _>(column).map(unsigned)
        }

        fn priority(row: &$row) -> Result<u8> {
            Ok(u8::try_from(number(row, "priority")?).unwrap_or(u8::MAX))
        }

        pub(crate) fn status(row: &$row) -> Result<Status> {
            let text: String = row.try_get("status")?;
            text.parse().map_err(|error| sqlx::Error::ColumnDecode {
                index: "status".to_owned(),
                source: Box::<muster_core::execution::UnknownStatus>::new(error),
            })
        }

        pub(crate) fn long(row: &$row, column: &str) -> Result<u64> {
            Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
        }

        fn most(row: &$row, column: &str) -> Result<Option<u32>> {
            Ok(row.try_get::<Option<i32>, _>(column)?.map(unsigned))
        }

        fn counted(row: &$row, column: &str) -> Result<u32> {
            Ok(u32::try_from(long(row, column)?).unwrap_or(u32::MAX))
        }

        /// What a column holds as JSON text. What cannot be read, because somebody wrote it by hand, says nothing.
        fn parsed<T: serde::de::DeserializeOwned>(row: &$row, column: &str) -> Result<Option<T>> {
            let text: Option<String> = row.try_get(column)?;
            Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
        }

        /// JSON that is kept as text.
        fn json_text(row: &$row, column: &str) -> Result<Option<Box<RawValue>>> {
            let text: Option<String> = row.try_get(column)?;
            Ok(text.map(|text| RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())))
        }
    };
}

pub(crate) use column_readers;
