//! The OpenAPI document.

use crate::schema::Schemas;
use crate::world::World;

#[test]
fn every_schema_that_is_named_is_there() {
    let schemas = Schemas::new();
    let references = schemas.references();
    assert!(references.len() > 40, "{references:?}");
    for reference in references {
        assert!(schemas.follow(&reference).is_object(), "{reference}");
    }
}

#[test]
fn the_document_is_served() {
    let world = World::new();
    let document = world.object("/v1/openapi.json");
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["info"]["title"], "Holdfast");
}

/// A path of the document that the router does not have would answer like one that nobody knows.
#[test]
fn every_path_of_the_document_is_answered() {
    let world = World::new();
    let document = world.object("/v1/openapi.json");
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods.get("get").is_none() || path.ends_with("/stream") {
            continue;
        }
        let answer = world.get(&path.replace(['{', '}'], "_"));
        if answer.status != 200 {
            assert_ne!(answer.json()["reason"], "route.unknown", "{path}");
        }
    }
}
