//! `docs/processor-openapi.json`, and what was seen of it.

use std::collections::BTreeSet;
use std::fs;

use bytes::Bytes;
use hyper::HeaderMap;
use jsonschema::Validator;
use serde_json::Value;

pub(crate) const POST: &str = "post /payments";
pub(crate) const GET: &str = "get /payments/{correlationId}";
pub(crate) const HEALTH: &str = "get /payments/service-health";

/// The document, and which of its answers were seen.
pub(crate) struct Document {
    pub(crate) json: Value,
    pub(crate) seen: BTreeSet<String>,
}

impl Document {
    pub(crate) fn read() -> Self {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/processor-openapi.json"
        );
        Self {
            json: serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap(),
            seen: BTreeSet::new(),
        }
    }

    fn responses(&self, operation: &str) -> &Value {
        let (method, path) = operation.split_once(' ').unwrap();
        &self.json["paths"][path][method]["responses"]
    }

    /// The name under which the document has a status of this operation: its own, or that of
    /// its hundred.
    fn name(&self, operation: &str, status: u16) -> Option<String> {
        let responses = self.responses(operation);
        let names = [status.to_string(), format!("{}XX", status / 100)];
        names.into_iter().find(|name| responses[name].is_object())
    }

    /// What Feeway reads in an answer of this status, as the document has it.
    pub(crate) fn feeway(&self, operation: &str, status: u16) -> Option<&str> {
        let name = self.name(operation, status)?;
        self.responses(operation)[&name]["x-feeway"].as_str()
    }

    pub(crate) fn validator(&self, schema: &Value) -> Validator {
        let mut whole = schema.clone();
        whole["components"] = self.json["components"].clone();
        jsonschema::validator_for(&whole).unwrap()
    }

    pub(crate) fn schema(&self, name: &str) -> Validator {
        self.validator(&self.json["components"]["schemas"][name])
    }

    /// Whether an answer is as the document has it; fails when there is no such answer.
    pub(crate) fn fits(&mut self, operation: &str, answer: &Answer) -> bool {
        let name = self.name(operation, answer.status);
        let name = name.unwrap_or_else(|| panic!("{operation} has no {}", answer.status));
        let schema = &self.responses(operation)[&name]["content"]["application/json"]["schema"];
        let is_json = answer.header("content-type") == Some("application/json");
        let fits = !schema.is_object() || !is_json || {
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            self.validator(schema).is_valid(&body)
        };
        self.seen.insert(format!("{operation} {name}"));
        fits
    }

    /// Every answer that the document foresees.
    pub(crate) fn foreseen(&self) -> BTreeSet<String> {
        let operations = [POST, GET, HEALTH];
        let statuses = operations.map(|operation| {
            let responses = self.responses(operation).as_object().unwrap();
            responses
                .keys()
                .map(move |name| format!("{operation} {name}"))
        });
        statuses.into_iter().flatten().collect()
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
