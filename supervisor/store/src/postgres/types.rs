//! How our types lie in columns of PostgreSQL, which has types of its own for them.

use serde_json::value::RawValue;
use sqlx::decode::Decode;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Postgres, Type, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::columns::{IdColumn, JsonColumn, TimeColumn, moment};

/// PostgreSQL counts microseconds from the first moment of 2000.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

impl Type<Postgres> for IdColumn {
    fn type_info() -> PgTypeInfo {
        <Uuid as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for IdColumn {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <Uuid as Decode<Postgres>>::decode(value).map(Self)
    }
}

impl Type<Postgres> for TimeColumn {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("TIMESTAMPTZ")
    }
}

impl PgHasArrayType for TimeColumn {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_TIMESTAMPTZ")
    }
}

impl<'r> Decode<'r, Postgres> for TimeColumn {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        // Prepared statements always answer in binary, where a moment is an eight-byte integer.
        let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        Ok(Self(moment(micros.saturating_add(POSTGRES_EPOCH_US))))
    }
}

impl Encode<'_, Postgres> for TimeColumn {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_microsecond().saturating_sub(POSTGRES_EPOCH_US);
        <i64 as Encode<Postgres>>::encode(micros, buffer)
    }

    fn size_hint(&self) -> usize {
        size_of::<i64>()
    }
}

impl Type<Postgres> for JsonColumn {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("JSONB")
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        *ty == <Self as Type<Postgres>>::type_info() || <str as Type<Postgres>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Postgres> for JsonColumn {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let is_jsonb = value.type_info().name() == "JSONB";
        let bytes = match value.format() {
            // One byte of version, then the text.
            PgValueFormat::Binary if is_jsonb => value.as_bytes()?.get(1..).unwrap_or_default(),
            PgValueFormat::Binary | PgValueFormat::Text => value.as_bytes()?,
        };
        Ok(Self(RawValue::from_string(std::str::from_utf8(bytes)?.to_owned())?))
    }
}
