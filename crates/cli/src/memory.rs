//! The memory that the system has left.

use std::fs;

/// Bytes that a process of ours can still take, where the system says it (Linux): what is free or can be freed, and no more than
/// the limit of its addresses.
pub(crate) fn left() -> Option<u128> {
    let free = free(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let limit = fs::read_to_string("/proc/self/limits").ok().and_then(|limits| address_limit(&limits));
    Some(limit.map_or(free, |limit| limit.min(free)))
}

fn free(meminfo: &str) -> Option<u128> {
    let kib = |name: &str| -> Option<u128> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_suffix("kB")?.trim().parse().ok()
    };
    Some((kib("MemAvailable:")? + kib("SwapFree:").unwrap_or(0)) * 1024)
}

fn address_limit(limits: &str) -> Option<u128> {
    limits.lines().find_map(|line| line.strip_prefix("Max address space"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{address_limit, free};

    #[test]
    fn figures_of_the_system_are_read() {
        let meminfo = "MemTotal:       24000000 kB\nMemAvailable:   20000000 kB\nSwapFree:              4 kB\n";
        assert_eq!(free(meminfo), Some(20_000_004 * 1024));
        assert_eq!(free("MemTotal:       24000000 kB\n"), None);
        let limits = |soft: &str| {
            format!("Limit    Soft Limit    Hard Limit    Units\nMax address space  {soft}  unlimited  bytes\n")
        };
        assert_eq!(address_limit(&limits("3072000000")), Some(3_072_000_000));
        assert_eq!(address_limit(&limits("unlimited")), None);
    }
}
