//! How much a tally may keep.

/// How much a tally may keep, of what input can grow. The sizes are those of a 64-bit machine, the map around an entry
/// included.
///
/// What a single source may keep at the very most, with every table full: 24 MiB of groups, 28 MiB of failures (half as
/// much again where each second has many statuses), 4 MiB of clients that gave up, 2 MiB of latencies (20 MiB if each
/// second has all bins), 27 MiB of vhosts and upstreams and 4 MiB of their latencies, 9 MiB of messages, 1 MiB of names:
/// 99 MiB, and as much for each thread that reads; twice that where some lines state their zone and others do not.
///
/// A table grows with the time that the lines of its kind span, not with their number, so a source without failures,
/// latencies, vhosts and upstreams has groups alone: 2 MiB for a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Groups of 64 seconds, 1.5 KiB each where every second has counts.
    pub groups: usize,
    /// Slots with failures, 150 bytes each, 450 with all of their values; and slots with requests that clients gave up,
    /// 60 bytes each.
    pub failing: usize,
    /// Slots with rare lines of one kind, about 400 bytes each.
    pub rare: usize,
    /// Slots with latencies, 20 to 60 bytes each, 400 at most.
    pub latency: usize,
    /// Groups of 64 seconds of each vhost and upstream (32 of them are counted), likewise 0.5 KiB each.
    pub own: usize,
    /// Slots with latencies of vhosts and upstreams, shared evenly by all of them, about 30 bytes each.
    pub own_latency: usize,
    /// Groups of 64 seconds with messages, likewise 0.5 KiB each.
    pub messages: usize,
    /// Names of failing values, about 100 bytes each, 200 at most.
    pub names: usize,
}

impl Limits {
    /// Shares a fixed memory among so many sources.
    ///
    /// The first figure is what one source may have: 12 days of seconds, failures in 9 hours of seconds, latencies and
    /// vhosts in 13 hours, the latencies of eight of these in four and a half. The second is what all have together, about
    /// 500 MiB with every table of every source full. The third is the least that is of use (an hour of seconds): with
    /// it, 10,000 sources that are full keep 3 GiB.
    pub fn for_sources(sources: usize) -> Self {
        let share = |one: usize, all: usize, least: usize| (all / sources.max(1)).clamp(least, one);
        Self {
            groups: share(16_384, 131_072, 64),
            failing: share(32_768, 131_072, 128),
            rare: share(2_048, 2_048, 64),
            latency: share(49_152, 196_608, 128),
            own: share(768, 3_072, 2),
            own_latency: share(131_072, 262_144, 256),
            messages: share(16_384, 131_072, 64),
            names: share(4_096, 65_536, 64),
        }
    }

    /// For what is put together from all sources: the series of a site is no coarser because many files hold it.
    pub fn merged() -> Self {
        Self::for_sources(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_files_of_a_day_keep_their_seconds() {
        let limits = Limits::for_sources(50);
        assert!(limits.groups * 64 >= 86_400, "{limits:?}");
    }

    #[test]
    fn ten_thousand_sources_share_the_memory() {
        let limits = Limits::for_sources(10_000);
        // in bytes, by the sizes above
        let each = limits.groups * 1_600
            + limits.failing * 510
            + limits.latency * 60
            + limits.own * 32 * 600
            + limits.own_latency * 30
            + limits.messages * 600
            + limits.names * 200;
        assert!(each * 10_000 < 3 << 30, "{each}");
        assert_eq!(Limits::for_sources(0), Limits::merged());
    }
}
