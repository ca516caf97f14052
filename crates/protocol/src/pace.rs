//! How slow a peer may be. Silence and a trickle count the same.

use std::time::Duration;

/// Slowest rate at which bytes of a piece may move, in bytes a second: a fifth of what a phone's connection gives.
pub const RATE_FLOOR: u64 = 32 << 10;
/// How long a conversation may be slower than that when it starts.
pub const GRACE: Duration = Duration::from_secs(30);
/// Slowest rate at which a provider reads back and checks what an interrupted put left, in bytes a second.
const CHECK_RATE: u64 = 50 << 20;
/// Slowest rate at which a provider brings a piece to stable storage, in bytes a second.
const SYNC_RATE: u64 = 10 << 20;

/// When bytes that began to move at `since` are too slow, if `moved` is all that has come.
pub fn too_slow_at(since: Duration, moved: u64) -> Duration {
    since + GRACE + at_rate(moved, RATE_FLOOR)
}

/// How much longer an answer may take that needs so many bytes read back and checked.
pub(crate) fn check_time(bytes: u64) -> Duration {
    at_rate(bytes, CHECK_RATE)
}

/// How much longer an answer may take that needs so many bytes synced.
pub(crate) fn sync_time(bytes: u64) -> Duration {
    at_rate(bytes, SYNC_RATE)
}

fn at_rate(bytes: u64, rate: u64) -> Duration {
    Duration::from_secs(bytes / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_buys_time() {
        let began = Duration::from_secs(5);
        assert_eq!(too_slow_at(began, 0), Duration::from_secs(35));
        assert_eq!(too_slow_at(began, RATE_FLOOR * 100), Duration::from_secs(135));
        assert!(too_slow_at(began, u64::MAX) > Duration::from_secs(1 << 40));
    }
}
