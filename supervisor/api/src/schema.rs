//! The enums of what is kept as text, for the OpenAPI document.

use muster_protocol::LogLevel;
use muster_system::process::WALL_NAMES;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The levels of a log line.
pub(super) fn log_levels() -> Object {
    one_of(LogLevel::ALL.map(LogLevel::as_str))
}

/// What keeps workers away from the supervisor's secrets.
pub(super) fn wall_names() -> Object {
    one_of(WALL_NAMES)
}

fn one_of<const N: usize>(texts: [&'static str; N]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(texts)).build()
}
