//! The path that every request takes.

use super::failing::{cut_value, value_hash};
use super::{FailingValue, Surveyor, Windows};
use crate::model::{Dimension, Escape, Histogram, Request, Stamp, Status};
use crate::parse::{last_of_list, normalise, unescape};
use crate::sniff::FormatId;

impl Surveyor<'_> {
    #[allow(
        clippy::inline_always,
        reason = "the path that every line takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    pub(super) fn request(&mut self, format: FormatId, stamp: Option<Stamp>, request: &Request<'_>) {
        let code = request.status.map_or(0, Status::code);
        if let Some(slot) = self.statuses.get_mut(usize::from(code)) {
            *slot = slot.saturating_add(1);
        } else {
            *self.tally.statuses.entry(code).or_default() += 1;
        }
        let Some(stamp) = stamp else { return };
        let second = self.run.second;
        let zoned = stamp.offset.is_some();
        if second != self.second.at || zoned != self.second.zoned {
            self.leave_second();
            if zoned != self.second.zoned {
                self.leave_group();
            }
            self.second.at = second;
            self.second.zoned = zoned;
            self.second.window = Windows::sampled(second);
        }
        let failed = request.status.is_some_and(Status::is_server_error);
        if request.is_no_request() {
            self.second.cell.malformed += 1;
            self.second.cell.aside_failures += u32::from(failed);
            return;
        }
        if self.probes.is_probe(request, &mut self.agents) {
            self.second.cell.probes += 1;
            self.second.cell.aside_failures += u32::from(failed);
            return;
        }
        let is_main = request.vhost.is_some_and(|vhost| self.second.is_main(vhost));
        self.second.cell.requests += 1;
        let client = request.client.map(client_bucket);
        if let Some(slot) = client.and_then(|c| self.clients.get_mut(c)) {
            *slot += 1;
        }
        if failed {
            self.failure(format, code, client, request);
        } else if request.status == Some(Status::GAVE_UP) {
            self.gave_up(client);
        }
        if let (Some(window), Some(path)) = (self.second.window, request.path) {
            self.timed(zoned).windows.add(window, request.method.unwrap_or_default(), path);
        }
        let pace = request.pace_us().map(Histogram::bin_of);
        if let Some(bin) = pace {
            self.second.latencies.record(bin);
        }
        let vhost = request.vhost.filter(|_| !is_main);
        if !is_main {
            self.second.count_other(failed, pace);
        }
        if vhost.is_some() || request.upstream.is_some() {
            self.count_own(vhost, request.upstream, (failed, pace));
        }
    }

    #[inline(never)]
    fn failure(&mut self, format: FormatId, code: u16, client: Option<usize>, request: &Request<'_>) {
        self.second.cell.failures += 1;
        let failing = &mut self.second.failing;
        failing.add(code, 1);
        let mut bit = 0;
        if let Some(slot) = client.and_then(|c| failing.clients.get_mut(c)) {
            *slot = slot.saturating_add(1);
            bit = client.and_then(|c| 1u16.checked_shl(u32::try_from(c).ok()?)).unwrap_or(0);
        }
        if let Some(vhost) = request.vhost {
            self.failing_value(Dimension::Vhost, vhost, bit);
        }
        if let Some(upstream) = request.upstream {
            self.failing_value(Dimension::Upstream, last_of_list(upstream), bit);
        }
        if let Some(path) = request.path {
            let escape = self.formats.definition(format).map_or(Escape::None, |d| d.escape);
            let mut route = std::mem::take(&mut self.route);
            route.clear();
            normalise(&unescape(path, escape), &mut route);
            self.failing_value(Dimension::Path, &route, bit);
            self.route = route;
        }
    }

    fn failing_value(&mut self, dimension: Dimension, value: &[u8], clients: u16) {
        let value = cut_value(value);
        let hash = value_hash(dimension, value);
        let known = self.second.failing.add_value(FailingValue { hash, count: 1, clients });
        // whether it is kept in this second depends on what else came before, its name must not
        if !known {
            self.tally.names.see(hash, dimension, value);
        }
    }

    fn gave_up(&mut self, client: Option<usize>) {
        self.second.cell.gave_up += 1;
        if let Some(slot) = client.and_then(|c| self.second.gave_up.0.get_mut(c)) {
            *slot = slot.saturating_add(1);
        }
    }

    #[inline(never)]
    fn count_own(&mut self, vhost: Option<&[u8]>, upstream: Option<&[u8]>, seen: (bool, Option<u8>)) {
        let second = &mut self.second;
        let timed = if second.zoned { &mut self.tally.zoned } else { &mut self.tally.naive };
        if let Some(vhost) = vhost {
            second.own.count(Dimension::Vhost, vhost, seen, second.at, &mut timed.own);
        }
        if let Some(upstream) = upstream {
            second.own.count(Dimension::Upstream, last_of_list(upstream), seen, second.at, &mut timed.own);
        }
    }

    pub(super) fn leave_second(&mut self) {
        let timed = if self.second.zoned { &mut self.tally.zoned } else { &mut self.tally.naive };
        self.second.leave(timed);
    }

    pub(super) fn leave_group(&mut self) {
        let timed = if self.second.zoned { &mut self.tally.zoned } else { &mut self.tally.naive };
        self.second.leave_group(timed);
    }
}

/// One of sixteen, by the client's address.
#[inline]
fn client_bucket(client: &[u8]) -> usize {
    usize::try_from(ends(client).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 60).unwrap_or(0)
}

/// A cheap mix of the first and the last eight bytes: enough to spread values over a few slots.
#[inline]
pub(super) fn ends(value: &[u8]) -> u64 {
    let (first, last) = match (value.first_chunk(), value.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (short(value), short(value)),
    };
    first.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ last.rotate_left(29)
}

/// Under eight bytes as a number.
#[inline(never)]
fn short(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |word, &b| word << 8 | u64::from(b))
}
