//! The JSON Schema of what operations take and give, from which the types of other languages are generated.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

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

/// What operations take and give, as the parts of an `OpenAPI` document: `operations`, and the `schemas` that they refer to.
pub fn api_schema() -> Value {
    let answers = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    // What is taken is written out in place: a type may be taken with fewer fields than it is given with.
    let arguments = SchemaSettings::draft2020_12().for_deserialize().with(|settings| settings.inline_subschemas = true);
    let (arguments, answers) = (arguments.into_generator(), answers.into_generator());
    let mut api = Api { operations: Map::new(), arguments, answers };
    ops::describe(&mut api);
    json!({ "operations": api.operations, "schemas": api.answers.take_definitions(true) })
}

/// The document as it grows.
pub(crate) struct Api {
    operations: Map<String, Value>,
    arguments: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Api {
    /// Adds an operation by what it takes and gives.
    pub(crate) fn add<A: JsonSchema, B: JsonSchema>(&mut self, name: &str) {
        let (takes, gives) = (self.arguments.subschema_for::<A>(), self.answers.subschema_for::<B>());
        self.operations.insert(name.to_owned(), json!({ "takes": takes, "gives": gives }));
    }
}
