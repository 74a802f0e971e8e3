//! The shapes of bodies and answers: the schemas that their types derive, by name.

use std::borrow::Cow;

use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};

/// Schemas by name.
pub(super) type NamedSchemas = Vec<(String, RefOr<Schema>)>;

/// The schema of a type, to be referred to.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    name: fn() -> Cow<'static, str>,
    collect: fn(&mut NamedSchemas),
}

impl Shape {
    pub(super) const fn of<T: ToSchema>() -> Self {
        Self { name: T::name, collect: collect::<T> }
    }

    pub(super) fn reference(self) -> Ref {
        Ref::from_schema_name((self.name)())
    }

    /// Adds the schema and those it refers to.
    pub(super) fn collect(self, schemas: &mut NamedSchemas) {
        (self.collect)(schemas);
    }
}

fn collect<T: ToSchema>(schemas: &mut NamedSchemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
