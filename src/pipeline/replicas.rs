//! Which logs are written by servers that share one service's requests: `web-01/access.log` and `web-02/access.log`.

use crate::explain::facts::Role;
use crate::model::Untrusted;
use crate::survey::Windows;

/// Logs with one name in directories of different hosts share a service if their mixes of paths are so much alike, …
const ALIKE_OF_ONE_NAME: f64 = 0.6;
/// … others if they are nearly the same: two sites on one host both answer `/` and `/favicon.ico`.
const ALIKE: f64 = 0.9;
/// Sets compared with each other, at most.
const MAX_SETS: usize = 64;

/// A rotation set of access logs.
pub(super) struct Set<'a> {
    /// Its name.
    pub(super) name: &'a Untrusted,
    /// What part it plays.
    pub(super) role: Role,
    /// A sample of its requests.
    pub(super) windows: Windows,
}

/// Groups of at least two sets (by index) that share a service; each set is in one of them at most.
pub(super) fn replicas(sets: &[Set<'_>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, set) in sets.iter().enumerate().take(MAX_SETS) {
        let like = |group: &&mut Vec<usize>| {
            group.iter().filter_map(|&other| sets.get(other)).any(|other| shares_service(set, other))
        };
        match groups.iter_mut().find(like) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn shares_service(a: &Set<'_>, b: &Set<'_>) -> bool {
    let Some(alike) = a.windows.likeness(&b.windows) else { return false };
    let needed = if one_place_apart(a.name.raw(), b.name.raw()) { ALIKE_OF_ONE_NAME } else { ALIKE };
    a.role == b.role && alike >= needed
}

/// The paths differ in the name of one directory, the host's.
fn one_place_apart(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (a.split(|&c| c == b'/').collect::<Vec<_>>(), b.split(|&c| c == b'/').collect::<Vec<_>>());
    let different = a.iter().zip(&b).filter(|(a, b)| a != b).count();
    a.len() == b.len() && different == 1 && a.last() == b.last()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set whose `n`-th request is for the path that `path` names, one each second.
    fn set(name: &Untrusted, path: impl Fn(i64) -> String) -> Set<'_> {
        let mut windows = Windows::default();
        for second in 0..40_000 {
            if let Some(window) = Windows::sampled(second) {
                windows.add(window, b"GET", path(second).as_bytes());
            }
        }
        Set { name, role: Role::Edge, windows }
    }

    #[test]
    fn servers_with_the_same_pages_share_a_service() {
        let (a, b, c) = ("web-01/access.log".into(), "web-02/access.log".into(), "db/access.log".into());
        let page = |step: i64| move |n: i64| format!("/p/{}", (n * step) % 17);
        let sets = [set(&a, page(3)), set(&c, |n| format!("/admin/{}", n % 5)), set(&b, page(5))];
        assert_eq!(replicas(&sets), [[0, 2]]);
    }

    #[test]
    fn two_sites_on_one_host_do_not() {
        let (shop, blog) = ("shop.access.log".into(), "blog.access.log".into());
        let mixed = |own: &'static str| {
            move |n: i64| if n % 3 == 0 { "/".into() } else { format!("/{own}/{}", n % 4) }
        };
        assert!(replicas(&[set(&shop, mixed("cart")), set(&blog, mixed("post"))]).is_empty());
    }

    #[test]
    fn a_proxy_and_an_application_are_no_replicas() {
        let (a, b) = ("a/access.log".into(), "b/access.log".into());
        let application = Set { role: Role::Backend, ..set(&b, |_| "/".into()) };
        assert!(replicas(&[set(&a, |_| "/".into()), application]).is_empty());
    }
}
