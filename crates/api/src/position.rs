//! Where something stands on the ledger, as a text: `height.index`.

use std::fmt;
use std::str::FromStr;

use holdfast_ledger::block::Height;
use holdfast_ledger::receipt::EventPosition;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::schema::PositionText;
use crate::text;

/// A place in a block: of events, how many come before it; of transactions, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The block.
    pub height: Height,
    /// The number in the block, from 0.
    pub index: u32,
}

/// A text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `height.index`, two numbers without leading zeros")]
pub struct PositionError;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.height, self.index)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (height, index) = text.split_once('.').ok_or(PositionError)?;
        let height = height.parse().map(Height).map_err(|_| PositionError)?;
        let index = index.parse().map_err(|_| PositionError)?;
        let position = Self { height, index };
        // One position, one text.
        if position.to_string() == text { Ok(position) } else { Err(PositionError) }
    }
}

impl From<EventPosition> for Position {
    fn from(EventPosition { height, index }: EventPosition) -> Self {
        Self { height, index }
    }
}

impl From<Position> for EventPosition {
    fn from(Position { height, index }: Position) -> Self {
        Self { height, index }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

impl PartialSchema for Position {
    fn schema() -> RefOr<Schema> {
        PositionText::schema()
    }
}

impl ToSchema for Position {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_text() {
        let position = Position { height: Height(12), index: 3 };
        assert_eq!(position.to_string(), "12.3");
        assert_eq!("12.3".parse(), Ok(position));
        let last = Position { height: Height(u64::MAX), index: u32::MAX };
        assert_eq!(last.to_string().parse(), Ok(last));
        for other in
            ["", ".", "1", "1.", ".1", "1.2.3", "01.2", "1.02", "+1.2", "1.-2", " 1.2", "1.4294967296"]
        {
            assert_eq!(other.parse::<Position>(), Err(PositionError), "{other:?}");
        }
    }
}
