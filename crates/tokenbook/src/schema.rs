//! JSON Schema of the types whose JSON is written by hand; the types of other languages are generated from it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::{Api, Count, Date, Timestamp, TokenKind, Usage, Usd};

macro_rules! inline {
    ($($type:ty, $name:literal => $schema:tt;)+) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

inline! {
    Count, "Count" => {"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64};
    Usd, "Usd" => {"type": "string", "format": "usd"};
    Timestamp, "Timestamp" => {"type": "string", "format": "date-time"};
    Date, "Date" => {"type": "string", "format": "date"};
}

impl JsonSchema for Api {
    fn schema_name() -> Cow<'static, str> {
        "Api".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Self::ALL.iter().map(|api| api.name()).collect();
        json_schema!({"type": "string", "enum": names, "description": "A wire format: how one kind of endpoint spells requests, responses and usage."})
    }
}

impl JsonSchema for Usage {
    fn schema_name() -> Cow<'static, str> {
        "Usage".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let count = generator.subschema_for::<Count>();
        let described = |text: &str| {
            let mut schema = count.clone();
            schema.insert("description".to_owned(), text.into());
            schema
        };
        let mut properties: Map<String, Value> =
            TokenKind::ALL.into_iter().map(|kind| (kind.name().to_owned(), described(kind.about()).into())).collect();
        properties.insert(
            "server_tool_requests".to_owned(),
            json!({"type": "object", "additionalProperties": count, "description": "Requests made by server-side tools, by the tool's name."}),
        );
        properties.insert(
            "total_input_tokens".to_owned(),
            described("The sum of all input kinds; checked when read.").into(),
        );
        properties.insert(
            "total_output_tokens".to_owned(),
            described("The sum of all output kinds; checked when read.").into(),
        );
        properties.insert("raw".to_owned(), json!({"description": "The provider's own usage object, verbatim."}));
        json_schema!({
            "type": "object",
            "description": "The tokens of a call as disjoint kinds; a kind that is left out is 0.",
            "properties": properties,
        })
    }
}
