use super::*;

fn figure(value: f64, floor: Option<f64>, bound: Bound) -> Figure {
    Figure { name: "put/size=1MiB copies=4".into(), value, unit: Unit::Seconds, floor, bound }
}

#[test]
fn bounds_include_their_limit() {
    for (value, floor, bound, held) in [
        (2.0, Some(1.0), Bound::RatioMax(2.0), true),
        (2.1, Some(1.0), Bound::RatioMax(2.0), false),
        (0.8, Some(1.0), Bound::RatioMin(0.8), true),
        (0.7, Some(1.0), Bound::RatioMin(0.8), false),
        (60.0, None, Bound::ValueMax(60.0), true),
        (60.1, None, Bound::ValueMax(60.0), false),
        (350.0, Some(1.0), Bound::ValueMin(350.0), true),
        (349.0, Some(1.0), Bound::ValueMin(350.0), false),
    ] {
        assert_eq!(figure(value, floor, bound).held(), held, "{value} {floor:?} {bound}");
    }
}

#[test]
fn what_was_not_measured_holds_nothing() {
    assert!(!figure(1.0, None, Bound::RatioMax(2.0)).held());
    assert!(!figure(1.0, None, Bound::RatioMin(0.0)).held());
    assert!(!figure(f64::NAN, None, Bound::ValueMax(1.0)).held());
    assert!(!figure(0.0, Some(0.0), Bound::RatioMax(2.0)).held());
    assert!(!figure(f64::NAN, Some(1.0), Bound::RatioMin(0.0)).held());
}

#[test]
fn a_row_has_these_fields() {
    let row = serde_json::to_value(figure(3.0, Some(2.0), Bound::RatioMax(1.25))).unwrap();
    let expected = serde_json::json!({
        "name": "put/size=1MiB copies=4",
        "value": 3.0,
        "unit": "s",
        "floor": 2.0,
        "ratio": 1.5,
        "bound": "ratio <= 1.25",
        "held": false,
    });
    assert_eq!(row, expected);
    let row = serde_json::to_value(figure(3.0, None, Bound::ValueMin(1.0))).unwrap();
    assert_eq!((&row["floor"], &row["ratio"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn units_print_as_they_are_written_in_json() {
    for unit in [
        Unit::Seconds,
        Unit::Milliseconds,
        Unit::Microseconds,
        Unit::Mebibytes,
        Unit::MebibytesPerSecond,
        Unit::PiecesPerSecond,
    ] {
        assert_eq!(serde_json::to_value(unit).unwrap(), unit.to_string());
    }
}

#[test]
fn the_table_says_what_was_missed() {
    let text = table(&[
        figure(1.0, Some(1.0), Bound::RatioMax(2.0)),
        figure(9.0, Some(1.0), Bound::RatioMax(2.0)),
        figure(9.0, None, Bound::ValueMax(10.0)),
    ]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("figure"));
    assert!(
        lines[1].ends_with(" held") && lines[2].ends_with(" MISSED") && lines[3].ends_with(" held"),
        "{text}"
    );
}

#[test]
fn sizes_are_named_in_the_largest_unit_that_divides_them() {
    for (bytes, name) in [
        (0, "0B"),
        (1, "1B"),
        (1 << 10, "1KiB"),
        (1500, "1500B"),
        (4 << 10, "4KiB"),
        (512 << 20, "512MiB"),
        (8 << 30, "8GiB"),
        ((1 << 30) + (1 << 20), "1025MiB"),
    ] {
        assert_eq!(size_name(bytes), name);
    }
}

#[test]
fn numbers_keep_three_digits() {
    for (value, text) in [(1234.5, "1234"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123")] {
        assert_eq!(number(value), text);
    }
}
