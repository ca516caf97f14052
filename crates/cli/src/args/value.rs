//! How single values are written on the command line.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use holdfast_bench::figures::Operation;
use holdfast_client::keystore::{KeyName, NameError};
use holdfast_core::block::BlockId;
use holdfast_core::id::{Amount, Timestamp};
use holdfast_ledger::receipt::EventPosition;
use holdfast_ledger::units::{Money, MoneyError};
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::header::Height;
use holdfast_store::import::ImportProfile;

pub(crate) fn cid(text: &str) -> Result<BlockId, String> {
    text.parse().map_err(|error: holdfast_core::block::ParseError| error.to_string())
}

pub(crate) fn key_name(text: &str) -> Result<KeyName, NameError> {
    text.parse()
}

pub(crate) fn import_profile(text: &str) -> Result<ImportProfile, String> {
    ImportProfile::by_name(text).ok_or_else(|| {
        let names = ImportProfile::ALL.map(|profile| profile.name);
        format!("known profiles are {}", names.join(" and "))
    })
}

pub(crate) fn weight(text: &str) -> Result<Weight, String> {
    text.parse().ok().and_then(Weight::new).ok_or_else(|| "a number from 1 to 16".to_owned())
}

pub(crate) fn timestamp(text: &str) -> Result<Timestamp, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Timestamp(seconds));
    }
    let time = humantime::parse_rfc3339_weak(text).map_err(|error| error.to_string())?;
    let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| "before 1970".to_owned())?;
    Ok(Timestamp(since.as_secs()))
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().map_err(|_| "a number and a unit, such as 30s, 5m or 2h".to_owned())?;
    let seconds = match unit {
        "s" | "" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        "d" => number.checked_mul(86_400),
        other => return Err(format!("unknown unit {other:?}; use s, m, h or d")),
    };
    seconds.map(Duration::from_secs).ok_or_else(|| "too long".to_owned())
}

/// A time that may be shorter than a second.
pub(crate) fn short_duration(text: &str) -> Result<Duration, String> {
    match text.strip_suffix("ms").map(str::parse) {
        Some(Ok(number)) => Ok(Duration::from_millis(number)),
        Some(Err(_)) => Err("a number and a unit, such as 200ms or 1s".to_owned()),
        None => duration(text),
    }
}

/// A sum of money, such as `1.5FFG` or `250 milliFFG`.
pub(crate) fn amount(text: &str) -> Result<Amount, MoneyError> {
    text.trim().parse().map(|Money(amount)| amount)
}

/// A block and a place in it, such as `120.3`; a block alone is its beginning.
pub(crate) fn position(text: &str) -> Result<EventPosition, String> {
    let (height, index) = text.split_once('.').unwrap_or((text, "0"));
    let position = height.parse().ok().zip(index.parse().ok());
    let (height, index) = position.ok_or_else(|| "a block and a place in it, such as 120.3".to_owned())?;
    Ok(EventPosition { height: Height(height), index })
}

/// What `bench` can measure.
pub(crate) fn operations() -> impl TypedValueParser<Value = Operation> {
    let value = |operation: Operation| PossibleValue::new(operation.name()).help(operation.summary());
    let named = |word: String| Operation::ALL.into_iter().find(|operation| operation.name() == word);
    PossibleValuesParser::new(Operation::ALL.map(value))
        .try_map(move |word| named(word).ok_or("not measured"))
}

pub(crate) fn size(text: &str) -> Result<u64, String> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().map_err(|_| "a number and a unit, such as 64MiB or 8GiB".to_owned())?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("unknown unit {other:?}; use B, KiB, MiB or GiB")),
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(|| "from 1B to 2^64 - 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_dates_or_seconds() {
        assert_eq!(timestamp("1795203298"), Ok(Timestamp(1_795_203_298)));
        assert_eq!(timestamp("2026-11-20T19:34:58Z"), Ok(Timestamp(1_795_203_298)));
        for bad in ["", "tomorrow", "-5", "1969-01-01T00:00:00Z"] {
            assert!(timestamp(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sums_have_units_and_places_a_dot() {
        for (text, units) in [("1FFGOne", 1), ("1.5FFG", 1_500_000_000_000_000_000), (" 2 KFFG ", 2000)] {
            assert_eq!(amount(text), Ok(Amount(units)), "{text}");
        }
        for bad in ["", "1", "FFG", "-1FFG", "1.5FFGOne", "1 2FFG"] {
            assert!(amount(bad).is_err(), "{bad}");
        }
        let at = |height, index| EventPosition { height: Height(height), index };
        assert_eq!(position("120.3"), Ok(at(120, 3)));
        assert_eq!(position("120"), Ok(at(120, 0)));
        for bad in ["", ".", "1.", ".1", "1.2.3", "-1.0", "a"] {
            assert!(position(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("1", 1), ("100B", 100), ("4KiB", 4096), ("64MiB", 64 << 20), ("8GiB", 8 << 30)]
        {
            assert_eq!(size(text), Ok(bytes));
        }
        for bad in ["", "0", "MiB", "1MB", "-1", "1.5GiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_can_be_measured_is_a_word() {
        let parser = operations();
        let command = clap::Command::new("bench");
        for operation in Operation::ALL {
            assert_eq!(parser.parse_ref(&command, None, operation.name().as_ref()).unwrap(), operation);
        }
        parser.parse_ref(&command, None, "else".as_ref()).unwrap_err();
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(short_duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(short_duration("2s"), Ok(Duration::from_secs(2)));
        short_duration("xms").unwrap_err();
        for bad in ["", "m", "5x", "5ms", "-1s", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
