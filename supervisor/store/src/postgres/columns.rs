//! Several rows as one array per column, which is how PostgreSQL takes them fastest.

use sqlx::Postgres;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};

/// JSON text on its way into a `jsonb` column.
#[derive(Clone, Copy)]
pub(super) struct JsonIn<'a>(pub(super) &'a str);

impl sqlx::Type<Postgres> for JsonIn<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("JSONB")
    }
}

impl PgHasArrayType for JsonIn<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_JSONB")
    }
}

impl Encode<'_, Postgres> for JsonIn<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // One byte of version, then the text.
        buffer.push(1);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn size_hint(&self) -> usize {
        self.0.len() + 1
    }
}

/// One column of several rows.
pub(super) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Counters lie in signed columns.
pub(super) fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Counters lie in signed columns.
pub(super) fn signed_long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
