//! The most memory that a process ever held, as the kernel counts it (`VmHWM`).

use std::fs;
use std::time::Duration;

use tokio::process::Child;

/// How often a process is looked at while it runs. The count only grows, so what a look can miss is growth in the
/// last moment before the process ends.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Peak resident memory of a process in bytes, or `None` if it has gone.
pub fn of(pid: u32) -> Option<u64> {
    parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Peak of a host and its enclave together, in bytes: the sum of their peaks.
pub fn of_family(pid: u32) -> Option<u64> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let children = children.split_whitespace().filter_map(|child| of(child.parse().ok()?)).sum::<u64>();
    Some(of(pid)? + children)
}

/// Watches a process until it ends, and answers the last peak seen, in bytes.
///
/// # Errors
/// If the process cannot be waited for.
pub async fn watch(child: &mut Child) -> std::io::Result<u64> {
    let mut peak = 0;
    let Some(pid) = child.id() else { return Ok(peak) };
    loop {
        tokio::select! {
            biased;
            ended = child.wait() => return ended.map(|_| peak),
            () = tokio::time::sleep(LOOK_EVERY) => peak = of(pid).map_or(peak, |now| now.max(peak)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_in_the_status() {
        assert_eq!(parse("Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t    3072 kB\nVmRSS:\t 1 kB\n"), Some(3 << 20));
        assert_eq!(parse("Name:\tzombie\n"), None);
    }

    #[test]
    fn this_process_has_a_peak() {
        assert!(of(std::process::id()).unwrap() > 1 << 18);
        assert_eq!(of(0), None);
    }
}
