//! The golden vectors of the repository.

use serde_json::Value;

/// Bytes of an object whose parts are labelled one by one.
pub(crate) fn bytes(vector: &str) -> Vec<u8> {
    let vector: Value = serde_json::from_str(vector).expect("golden vectors are JSON");
    let parts = vector["parts"].as_array().expect("a golden vector has parts");
    parts.iter().flat_map(|part| hex(part["bytes"].as_str().expect("a part has bytes"))).collect()
}

/// Every text under this key prefix, at any depth.
pub(crate) fn texts(vector: &str, prefix: &str) -> Vec<String> {
    fn collect(value: &Value, prefix: &str, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, prefix, found)),
            Value::Object(entries) => {
                for (key, value) in entries {
                    match value.as_str().filter(|_| key.starts_with(prefix)) {
                        Some(text) => found.push(text.to_owned()),
                        None => collect(value, prefix, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(vector).expect("golden vectors are JSON"), prefix, &mut found);
    assert!(!found.is_empty(), "no text is under {prefix:?}");
    found
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |place| u8::from_str_radix(&text[place..place + 2], 16).expect("golden bytes are hex");
    (0..text.len()).step_by(2).map(byte).collect()
}
