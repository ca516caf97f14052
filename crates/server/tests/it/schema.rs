//! Whether answers are what the OpenAPI document says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::Answer;

/// The document.
pub(crate) struct Schemas(Value);

impl Schemas {
    pub(crate) fn new() -> Self {
        Self(serde_json::to_value(holdfast_server::document::document()).unwrap())
    }

    /// Checks an answer against what the document says of its path; paths that are not there answer problems.
    pub(crate) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let paths = self.0["paths"].as_object().unwrap();
        let fits = |template: &str| {
            let (left, right) = (template.split('/'), path.split('/'));
            left.clone().count() == right.clone().count()
                && left.zip(right).all(|(part, found)| part.starts_with('{') || part == found)
        };
        let exact = paths.get(path);
        let Some(found) =
            exact.or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, found)| found))
        else {
            assert!(answer.status >= 400, "{path} is not documented");
            return self.fit(&self.0["components"]["schemas"]["Problem"], &answer.json(), path);
        };
        let responses = &found[method]["responses"];
        let said = responses.get(answer.status.to_string()).unwrap_or(&responses["default"]);
        let media_type = answer.header("content-type").unwrap();
        let schema = &said["content"][media_type]["schema"];
        if found.get(method).is_none() {
            return assert_eq!(answer.status, 405, "{method} {path} is not documented");
        }
        assert!(schema.is_object(), "{path}: {} {media_type} is not documented", answer.status);
        self.fit(schema, &answer.json(), path);
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(reference) = schema["$ref"].as_str() else { return schema };
        let found = self.0.pointer(reference.strip_prefix('#').unwrap());
        found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// Every reference in the document.
    pub(crate) fn references(&self) -> BTreeSet<String> {
        fn walk(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|value| walk(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
                _ => {}
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.0, &mut found);
        found
    }

    /// Resolves a reference, or panics.
    pub(crate) fn follow(&self, reference: &str) -> &Value {
        self.0
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// Checks what our schemas use: types, fields, lists, choices.
    fn fit(&self, schema: &Value, value: &Value, place: &str) {
        assert!(self.fits(schema, value), "{place}: {value:#}\nis not\n{:#}", self.resolve(schema));
        if let Some(fields) = value.as_object()
            && let Some(known) = self.resolve(schema)["properties"].as_object()
        {
            // The deepest field that does not fit says the most.
            for (name, value) in fields {
                let schema = known.get(name).unwrap_or_else(|| panic!("{place}/{name} is not documented"));
                self.fit(schema, value, &format!("{place}/{name}"));
            }
        }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let schema = self.resolve(schema);
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("schemas do not use {other}"),
        };
        let of = |name: &str| schema[name].as_array();
        (types.is_empty() || types.iter().any(|name| is(name)))
            && of("enum").is_none_or(|values| values.contains(value))
            && of("oneOf").is_none_or(|all| all.iter().any(|one| self.fits(one, value)))
            && of("allOf").is_none_or(|all| all.iter().all(|one| self.fits(one, value)))
            && (!value.is_object()
                || of("required").is_none_or(|names| {
                    names.iter().filter_map(Value::as_str).all(|name| value.get(name).is_some())
                }))
            && (!value.is_object()
                || schema["properties"].as_object().is_none_or(|known| {
                    known
                        .iter()
                        .all(|(name, schema)| value.get(name).is_none_or(|value| self.fits(schema, value)))
                }))
            && value.as_array().is_none_or(|items| {
                schema.get("items").is_none_or(|schema| items.iter().all(|item| self.fits(schema, item)))
            })
    }
}
