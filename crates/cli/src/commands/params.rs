//! Parameters of a ledger as people write them: in a TOML file, or one by one as `name=value`; and what a change changes.

use std::fmt;
use std::path::Path;

use holdfast_core::codec::Bounded;
use holdfast_core::id::Amount;
use holdfast_ledger::params::Params;
use holdfast_proofs::profile::Profile;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Visitor};

use super::words::money;
use crate::args::amount;
use crate::failure::{Exit, Failure};
use crate::settings;

/// Longest file that people write.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;

/// Parameters that differ from others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    fee_flat: Option<Sum>,
    fee_byte: Option<Sum>,
    price_byte_epoch: Option<Sum>,
    bond_min: Option<Sum>,
    unbond_epochs: Option<u64>,
    evidence_epochs: Option<u64>,
    slash_percent: Option<u8>,
    copies: Option<Copies>,
}

/// A sum with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(pub(super) Amount);

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Sum;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sum with its unit in quotes, such as \"1.5FFG\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sum, E> {
                amount(text).map(Sum).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Numbers of copies that clients may ask for; the first is the default.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<u16>")]
struct Copies(Vec<Profile>);

impl TryFrom<Vec<u16>> for Copies {
    type Error = String;

    fn try_from(copies: Vec<u16>) -> Result<Self, String> {
        let profile =
            |n: u16| Profile::copies(n).ok_or_else(|| format!("{n} copies are no profile; 1 to 255 are"));
        copies.into_iter().map(profile).collect::<Result<_, _>>().map(Self)
    }
}

impl Changes {
    /// Reads `name=value`.
    pub(super) fn of_word(word: &str) -> Result<Self, Failure> {
        let usage =
            |why: String| Failure::new(Exit::Usage, "params.malformed", format!("--set {word}: {why}"));
        let (name, value) = word.split_once('=').ok_or_else(|| usage("a name, =, and a value".to_owned()))?;
        let (name, value) = (name.trim(), value.trim());
        // Lists and numbers stand for themselves; what has a unit is text.
        let plain = value.starts_with('[') || value.bytes().all(|byte| byte.is_ascii_digit());
        let mut table = toml::Table::new();
        let value = match plain {
            true => {
                format!("value = {value}").parse::<toml::Table>().ok().and_then(|mut one| one.remove("value"))
            }
            false => Some(toml::Value::String(value.to_owned())),
        };
        table.insert(name.to_owned(), value.ok_or_else(|| usage("that is no value".to_owned()))?);
        table.try_into().map_err(|error: toml::de::Error| usage(error.message().to_owned()))
    }

    /// Whether it says how many copies clients may ask for.
    pub(super) fn names_copies(&self) -> bool {
        self.copies.is_some()
    }

    /// The parameters with these changes.
    pub(super) fn apply(self, mut params: Params) -> Result<Params, Failure> {
        let sums = [
            (self.fee_flat, &mut params.fee_flat),
            (self.fee_byte, &mut params.fee_byte),
            (self.price_byte_epoch, &mut params.price_byte_epoch),
            (self.bond_min, &mut params.bond_min),
        ];
        for (change, sum) in sums {
            *sum = change.map_or(*sum, |Sum(amount)| amount);
        }
        params.unbond_epochs = self.unbond_epochs.unwrap_or(params.unbond_epochs);
        params.evidence_epochs = self.evidence_epochs.unwrap_or(params.evidence_epochs);
        params.slash_percent = self.slash_percent.unwrap_or(params.slash_percent);
        let refused = |why: String| {
            Failure::new(Exit::Usage, "params.refused", format!("the parameters are refused: {why}"))
        };
        if let Some(Copies(profiles)) = self.copies {
            params.profiles = Bounded::new(profiles).map_err(|_| refused("too many profiles".to_owned()))?;
        }
        params.validate().map_err(|error| refused(error.to_string()))?;
        Ok(params)
    }
}

/// Reads a TOML file; what is wrong with it is told with its line. Answers its text as well.
pub(super) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<(T, String), Failure> {
    let refuse = |line: Option<usize>, why: &str| malformed(path, line, why);
    let bytes = settings::read_limited(path, FILE_BYTES_MAX)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(refuse(None, &format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse(None, "not a text"))?;
    match toml::from_str(&text) {
        Ok(value) => Ok((value, text)),
        Err(error) => {
            let line = error.span().map(|span| line_of(&text, span.start));
            Err(refuse(line, &error.message().replace('\n', "; ")))
        }
    }
}

/// The line, from 1 on, in which a byte of a text stands.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}

/// What is wrong with a file that somebody wrote.
pub(super) fn malformed(path: &Path, line: Option<usize>, why: &str) -> Failure {
    let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
    Failure::new(Exit::Usage, "file.malformed", format!("{}{place}: {why}", path.display()))
}

/// Each parameter: its name in files, what it is, and its value.
pub(super) fn rows(params: &Params) -> [(&'static str, &'static str, String); 8] {
    let profiles: Vec<_> = params.profiles.iter().map(Profile::name).collect();
    [
        ("fee_flat", "fee of a transaction", money(params.fee_flat)),
        ("fee_byte", "and for each byte of it", money(params.fee_byte)),
        ("price_byte_epoch", "price of a byte, copy and epoch", money(params.price_byte_epoch)),
        ("bond_min", "least bond for a weight of 1", money(params.bond_min)),
        ("unbond_epochs", "epochs until bond comes back", params.unbond_epochs.to_string()),
        ("evidence_epochs", "epochs to show an offence", params.evidence_epochs.to_string()),
        ("slash_percent", "share of a bond that an offender loses", format!("{} %", params.slash_percent)),
        ("copies", "profiles", profiles.join(", ")),
    ]
}

/// A parameter that changes: its name in files, what it is, its value before and after.
pub(super) type Difference = (&'static str, &'static str, String, String);

/// What differs between two sets of parameters.
pub(super) fn differences(before: &Params, after: &Params) -> Vec<Difference> {
    let pairs = rows(before).into_iter().zip(rows(after));
    let differs = pairs.filter(|((.., before), (.., after))| before != after);
    differs.map(|((name, what, before), (.., after))| (name, what, before, after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(word: &str) -> Result<Vec<Difference>, String> {
        let changes = Changes::of_word(word).map_err(|failure| failure.message)?;
        let after = changes.apply(Params::default()).map_err(|failure| failure.message)?;
        Ok(differences(&Params::default(), &after))
    }

    #[test]
    fn a_word_changes_one_parameter_and_nothing_else() {
        for (word, before, after) in [
            ("fee_flat=0.001FFG", "0.0005 FFG", "0.001 FFG"),
            ("bond_min = 5 FFG", "0 FFG", "5 FFG"),
            ("unbond_epochs=30", "21", "30"),
            ("slash_percent=100", "50 %", "100 %"),
            ("copies=[3, 4]", "copy4", "copy3, copy4"),
        ] {
            let found = change(word).unwrap();
            let [(_, _, was, is)] = &found[..] else { panic!("{word}: {found:?}") };
            assert_eq!((was.as_str(), is.as_str()), (before, after), "{word}");
        }
        assert_eq!(change("slash_percent=50").unwrap(), []);
    }

    #[test]
    fn bad_words_say_what_is_wrong() {
        for (word, why) in [
            ("fee_flat", "a name, =, and a value"),
            ("fee=1FFG", "unknown field `fee`"),
            ("fee_flat=5", "a sum with its unit"),
            ("fee_flat=5ffg", "is no unit"),
            ("slash_percent=half", "expected u8"),
            ("slash_percent=101", "no more than 100 %"),
            ("unbond_epochs=14", "longer than offences"),
            ("copies=[]", "there must be profiles"),
            ("copies=[0]", "0 copies are no profile"),
            ("copies=[", "no value"),
        ] {
            let found = change(word).unwrap_err();
            assert!(found.contains(why), "{word}: {found}");
        }
    }
}
