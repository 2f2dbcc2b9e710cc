//! Generates the published JSON Schema of the messages, and checks that it is current.

use super::*;
use crate::message::Profile;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::json;

fn schema() -> String {
    let mut generator = SchemaGenerator::default();
    let message = EventMessage::json_schema(&mut generator);
    // Also the types of HTTP API responses.
    generator.subschema_for::<RequestDetail>();
    generator.subschema_for::<Profile>();
    generator.subschema_for::<CommandOutcome>();
    generator.subschema_for::<TrackedErrorDetail>();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages and API responses of Snaxum's dev server",
        "$defs": generator.definitions(),
    });
    let fields = message.to_value();
    let fields = fields.as_object().expect("a message is an object");
    schema.as_object_mut().expect("an object").extend(fields.clone());
    format!("{schema:#}\n")
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.schema.json");
    if std::env::var_os("SNAXUM_WRITE_SCHEMA").is_some() {
        std::fs::write(path, schema()).expect("the repository is writable");
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(published, schema(), "run with SNAXUM_WRITE_SCHEMA=1 and review the diff");
}
