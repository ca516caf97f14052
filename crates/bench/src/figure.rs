//! What was measured, beside its floor and the bound that it must keep.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A measured value and its judgement.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(into = "Row")]
pub struct Figure {
    /// Sortable name, such as `put/size=512MiB copies=4`.
    pub name: String,
    /// What was measured: a median where there were several runs.
    pub value: f64,
    /// Unit of value and floor.
    pub unit: Unit,
    /// What the unavoidable work took, or what the value is compared to.
    pub floor: Option<f64>,
    /// What must hold.
    pub bound: Bound,
}

/// Units of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// 2^20 bytes.
    #[serde(rename = "MiB")]
    Mebibytes,
    /// 2^20 bytes per second.
    #[serde(rename = "MiB/s")]
    MebibytesPerSecond,
    /// Pieces per second.
    #[serde(rename = "pieces/s")]
    PiecesPerSecond,
    /// Transactions per second.
    #[serde(rename = "tx/s")]
    TransactionsPerSecond,
}

/// What a figure must keep. The limit itself is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The value is at most this many floors.
    RatioMax(f64),
    /// The value is at least this part of the floor.
    RatioMin(f64),
    /// The value is at most this.
    ValueMax(f64),
    /// The value is at least this.
    ValueMin(f64),
}

impl Figure {
    /// Value over floor, or `None` without a floor.
    pub fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.value / floor)
    }

    /// Whether the bound holds. A value that is no number, or a ratio without a floor, holds nothing.
    pub fn held(&self) -> bool {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        match self.bound {
            Bound::RatioMax(max) => ratio <= max,
            Bound::RatioMin(min) => ratio >= min,
            Bound::ValueMax(max) => self.value <= max,
            Bound::ValueMin(min) => self.value >= min,
        }
    }
}

/// A figure as it is printed.
#[derive(Serialize)]
struct Row {
    name: String,
    value: f64,
    unit: Unit,
    floor: Option<f64>,
    ratio: Option<f64>,
    bound: Bound,
    held: bool,
}

impl From<Figure> for Row {
    fn from(figure: Figure) -> Self {
        let (ratio, held) = (figure.ratio(), figure.held());
        let Figure { name, value, unit, floor, bound } = figure;
        Self { name, value, unit, floor, ratio, bound, held }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Mebibytes => "MiB",
            Self::MebibytesPerSecond => "MiB/s",
            Self::PiecesPerSecond => "pieces/s",
            Self::TransactionsPerSecond => "tx/s",
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioMax(max) => write!(f, "ratio <= {max}"),
            Self::RatioMin(min) => write!(f, "ratio >= {min}"),
            Self::ValueMax(max) => write!(f, "value <= {max}"),
            Self::ValueMin(min) => write!(f, "value >= {min}"),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A table for people, one line per figure.
pub fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$} {:>10} {:8} {:>10} {:>7}  {:16}",
        "figure", "value", "unit", "floor", "ratio", "bound"
    );
    for figure in figures {
        let floor = figure.floor.map_or_else(String::new, number);
        let ratio = figure.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let held = if figure.held() { "held" } else { "MISSED" };
        text.push_str(&format!(
            "\n{:width$} {:>10} {:8} {floor:>10} {ratio:>7}  {:16} {held}",
            figure.name,
            number(figure.value),
            figure.unit,
            figure.bound.to_string(),
        ));
    }
    text
}

/// A number with about three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// How many bytes, in the largest unit that divides them: `512MiB`.
pub fn size_name(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = units.into_iter().find(|(bits, _)| bytes > 0 && bytes.trailing_zeros() >= *bits);
    fits.map_or_else(|| format!("{bytes}B"), |(bits, unit)| format!("{}{unit}", bytes >> bits))
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "rates need no more than 52 bits")]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests;
