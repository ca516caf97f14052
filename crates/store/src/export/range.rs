//! Which bytes of a file are asked for.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Bytes of a file whose length is not known yet, as HTTP's `Range: bytes=` writes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first to the last byte, both included: `0-1023`. What reaches beyond the end is cut off there.
    Inside(u64, u64),
    /// From a byte to the end: `1024-`.
    From(u64),
    /// The last bytes: `-500`. A shorter file is taken whole.
    Last(u64),
    /// All bytes, also of an empty file.
    Whole,
}

/// Why a text is no range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range of bytes is START-END, START- or -COUNT, such as 0-1023, 1024- or -500")]
pub struct NotARange;

/// A range with no byte of the file in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("range {range} is outside the file, which has {file_bytes} bytes")]
pub struct OutsideFile {
    /// What was asked for.
    pub range: ByteRange,
    /// Length of the file.
    pub file_bytes: u64,
}

impl ByteRange {
    /// The places of these bytes in a file of this length.
    ///
    /// # Errors
    /// If there are none; only [`ByteRange::Whole`] may be empty.
    pub fn within(self, file_bytes: u64) -> Result<Range<u64>, OutsideFile> {
        let range = match self {
            Self::Whole => return Ok(0..file_bytes),
            Self::Inside(first, last) => first..file_bytes.min(last.saturating_add(1)),
            Self::From(first) => first..file_bytes,
            Self::Last(count) => file_bytes.saturating_sub(count)..file_bytes,
        };
        if range.is_empty() { Err(OutsideFile { range: self, file_bytes }) } else { Ok(range) }
    }
}

impl From<Range<u64>> for ByteRange {
    /// # Panics
    /// If the range is empty.
    fn from(range: Range<u64>) -> Self {
        assert!(!range.is_empty(), "no range of bytes is empty");
        Self::Inside(range.start, range.end - 1)
    }
}

impl FromStr for ByteRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        // A sign is no digit, but would be read as part of a number.
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map_err(|_| NotARange),
            false => Err(NotARange),
        };
        match text.split_once('-').ok_or(NotARange)? {
            ("", count) => Ok(Self::Last(number(count)?)),
            (first, "") => Ok(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first <= last { Ok(Self::Inside(first, last)) } else { Err(NotARange) }
            }
        }
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inside(first, last) => write!(f, "{first}-{last}"),
            Self::From(first) => write!(f, "{first}-"),
            Self::Last(count) => write!(f, "-{count}"),
            Self::Whole => write!(f, "0-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_in_http() {
        for (text, range) in [
            ("0-1023", ByteRange::Inside(0, 1023)),
            ("7-7", ByteRange::Inside(7, 7)),
            ("1024-", ByteRange::From(1024)),
            ("-500", ByteRange::Last(500)),
            ("0-18446744073709551615", ByteRange::Inside(0, u64::MAX)),
        ] {
            assert_eq!(text.parse(), Ok(range));
            assert_eq!(range.to_string(), text);
        }
        for bad in ["", "-", "5", "5-4", "a-b", "1-2-3", "+1-2", "-+5", " 1-2", "0-18446744073709551616"] {
            assert_eq!(bad.parse::<ByteRange>(), Err(NotARange), "{bad:?}");
        }
    }

    #[test]
    fn a_range_is_cut_at_the_end_and_must_hold_a_byte() {
        let within = |text: &str, bytes| text.parse::<ByteRange>().unwrap().within(bytes).ok();
        assert_eq!(within("0-9", 100), Some(0..10));
        assert_eq!(within("90-200", 100), Some(90..100));
        assert_eq!(within("99-", 100), Some(99..100));
        assert_eq!(within("-5", 100), Some(95..100));
        assert_eq!(within("-500", 100), Some(0..100));
        assert_eq!(within("0-18446744073709551615", 100), Some(0..100));
        for outside in ["100-", "100-200", "-0"] {
            assert_eq!(within(outside, 100), None, "{outside}");
        }
        for any in ["0-", "0-0", "-1"] {
            assert_eq!(within(any, 0), None, "an empty file has no byte");
        }
        assert_eq!(ByteRange::Whole.within(0), Ok(0..0));
    }
}
