use std::collections::BTreeSet;

use super::*;

#[test]
fn every_route_is_documented_and_nothing_else() {
    let document = serde_json::to_value(document()).unwrap();
    let documented: BTreeSet<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let routes: BTreeSet<_> = crate::routes::table().into_iter().map(|(path, _)| path).collect();
    assert_eq!(documented, routes);
    assert!(routes.iter().all(|path| path.starts_with(holdfast_api::ROOT)));
}
