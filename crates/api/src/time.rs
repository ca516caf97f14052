//! Times as people read them.

use std::time::{Duration, UNIX_EPOCH};

use holdfast_core::id::Timestamp;
use holdfast_ledger::block::BlockTime;

/// The last millisecond that RFC 3339 can write.
const YEAR_9999_MS: u64 = 253_402_300_799_999;

/// RFC 3339 with milliseconds; nothing beyond the year 9999.
pub(crate) fn text(time: BlockTime) -> Option<String> {
    let time = (time.0 <= YEAR_9999_MS).then(|| UNIX_EPOCH + Duration::from_millis(time.0))?;
    Some(humantime::format_rfc3339_millis(time).to_string())
}

/// The same of a second, with its milliseconds.
pub(crate) fn of_second(second: Timestamp) -> (Option<String>, u64) {
    let time = BlockTime::of_second(second);
    (text(time), time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_while_there_is_a_way_to() {
        let written = |ms| text(BlockTime(ms));
        assert_eq!(written(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(written(YEAR_9999_MS).as_deref(), Some("9999-12-31T23:59:59.999Z"));
        assert_eq!([written(YEAR_9999_MS + 1), written(u64::MAX)], [None, None]);
        assert_eq!(of_second(Timestamp(u64::MAX)), (None, u64::MAX));
    }
}
