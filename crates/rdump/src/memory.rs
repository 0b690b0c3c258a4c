//! How much memory a query may take.

use std::fs;

/// Of the memory that is available, one part in so many is ours: other programs' queries want theirs at the same time.
const SHARE: u64 = 4;

/// A share of the memory that is available, as the system tells it; `None` where it does not.
pub(crate) fn usual() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let available = available(&meminfo)?;
    // A container may have less than the machine; the second path is that of version 1 of control groups.
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = limits.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    Some(limit.map_or(available, |limit: u64| limit.min(available)) / SHARE)
}

/// Octets that `/proc/meminfo` says are available.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_in_kibibytes() {
        let text = "MemTotal:       24680812 kB\nMemFree:         1000000 kB\nMemAvailable:    2000000 kB\n";
        assert_eq!(available(text), Some(2_048_000_000));
        assert_eq!(available("MemTotal: 5 kB\n"), None);
        assert_eq!(available("MemAvailable: 5 pages\n"), None);
        assert_eq!(available("MemAvailable: 18446744073709551615 kB\n"), None);
    }
}
