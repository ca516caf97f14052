//! Names of sums of money, from FileFileGo's table: each unit is a power of ten of the smallest.

use std::fmt;
use std::str::FromStr;

use holdfast_core::id::Amount;

/// A unit: its name, and how many zeros stand behind the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// As people write it.
    pub name: &'static str,
    /// 10 to this power of the smallest unit.
    pub exponent: u32,
}

/// All units, the smallest first.
pub const UNITS: [Unit; 8] = [
    Unit { name: "FFGOne", exponent: 0 },
    Unit { name: "KFFG", exponent: 3 },
    Unit { name: "MFFG", exponent: 6 },
    Unit { name: "GFFG", exponent: 9 },
    Unit { name: "microFFG", exponent: 12 },
    Unit { name: "milliFFG", exponent: 15 },
    Unit { name: "FFG", exponent: 18 },
    Unit { name: "ZFFG", exponent: 21 },
];

/// One FFG.
pub const FFG: Amount = Amount(10_u128.pow(18));

/// A sum as people read and write it: a number and a unit, such as `1.5 FFG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub Amount);

/// Why a text is no sum of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a number.
    #[error("{0:?} is no number")]
    Number(String),
    /// A unit that does not exist, or none.
    #[error("{0:?} is no unit; units are FFGOne, KFFG, MFFG, GFFG, microFFG, milliFFG, FFG and ZFFG")]
    Unit(String),
    /// More decimals than the smallest unit allows.
    #[error("{unit} has at most {decimals} decimals")]
    Decimals {
        /// The unit.
        unit: &'static str,
        /// How many there may be.
        decimals: u32,
    },
    /// More than there can be.
    #[error("too large a sum")]
    TooLarge,
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, name) = (&text[..end], text[end..].trim());
        let unit = UNITS.iter().find(|unit| unit.name == name);
        let Unit { name, exponent } = unit.ok_or_else(|| MoneyError::Unit(name.to_owned()))?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(MoneyError::Number(number.to_owned()));
        }
        let part = part.trim_end_matches('0');
        let decimals = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let rest = exponent.checked_sub(decimals);
        let rest = rest.ok_or(MoneyError::Decimals { unit: name, decimals: *exponent })?;
        let number: u128 = format!("{whole}{part}").parse().map_err(|_| MoneyError::TooLarge)?;
        number.checked_mul(10_u128.pow(rest)).map(|sum| Self(Amount(sum))).ok_or(MoneyError::TooLarge)
    }
}

impl fmt::Display for Money {
    /// In FFG, with as many decimals as it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0.0 / FFG.0, self.0.0 % FFG.0);
        if part == 0 {
            return write!(f, "{whole} FFG");
        }
        write!(f, "{whole}.{} FFG", format!("{part:018}").trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_are_read_in_every_unit() {
        let read = |text: &str| text.parse().map(|Money(sum)| sum.0);
        assert_eq!(read("7 FFGOne"), Ok(7));
        assert_eq!(read("1.5FFG"), Ok(1_500_000_000_000_000_000));
        assert_eq!(read("0.25 microFFG"), Ok(250_000_000_000));
        assert_eq!(read("2 ZFFG"), Ok(2 * 10_u128.pow(21)));
        assert_eq!(read("1.000 FFGOne"), Ok(1));
        assert_eq!(read("1.5 FFGOne"), Err(MoneyError::Decimals { unit: "FFGOne", decimals: 0 }));
        assert_eq!(read("1"), Err(MoneyError::Unit(String::new())));
        assert_eq!(read("1 ffg"), Err(MoneyError::Unit("ffg".into())));
        for number in ["", ".", "1.", ".5", "1.2.3"] {
            assert_eq!(read(&format!("{number} FFG")), Err(MoneyError::Number(number.into())), "{number:?}");
        }
        assert_eq!(read("-1 FFG"), Err(MoneyError::Unit("-1 FFG".into())));
        assert_eq!(read("400000000000000000 ZFFG"), Err(MoneyError::TooLarge));
        assert_eq!(read("999999999999999999999999999999999999999999 FFGOne"), Err(MoneyError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(sum: u128) {
            let money = Money(Amount(sum));
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }
}
