//! The JSON Schema of what operations take and give, from which the types of other languages are generated.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::ops;

/// The schema of every named type, by its name.
pub fn schema() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    ops::define(&mut generator);
    define::<tokenbook::extract::Progress>(&mut generator);
    define::<crate::meter::MeterProgress>(&mut generator);
    define::<crate::meter::Metered>(&mut generator);
    generator.take_definitions(true)
}

/// Adds a type, and all it is made of.
pub(crate) fn define<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}
