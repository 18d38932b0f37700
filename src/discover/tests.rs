use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::rotation::rotation;
use super::*;
use crate::error::Error;

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn find(paths: &[&Path]) -> Discovery {
    let query = Query { paths: paths.iter().map(|&path| path.into()).collect(), ..Query::default() };
    discover(&query).unwrap()
}

fn shown(root: &Path, name: &Untrusted) -> String {
    let name = String::from_utf8_lossy(name.raw()).into_owned();
    name.strip_prefix(&format!("{}/", root.display())).map_or(name.clone(), Into::into)
}

fn names(root: &TempDir, found: &Discovery) -> Vec<String> {
    found.sources.iter().map(|source| shown(root.path(), &source.name)).collect()
}

fn aside(root: &TempDir, found: &Discovery) -> Vec<(String, AsideStatus, String)> {
    found.set_aside.iter().map(|a| (shown(root.path(), &a.name), a.status, a.detail.clone())).collect()
}

fn fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_rotated_set_is_read_oldest_first() {
    let names_given = [
        "access.log",
        "access.log.1",
        "access.log.10.gz",
        "access.log.2.gz",
        "access.log-20230514",
        "access.log-20230513.gz",
        "access.log.2023-05-12",
        "error.log.1",
        "error.log",
        "app.1.log",
        "app.log",
        "app.2.log",
        "one.8.log",
    ];
    let root = tree(&names_given.map(|name| (name, b"line\n".as_slice())));
    let found = find(&[root.path()]);
    assert_eq!(
        names(&root, &found),
        [
            "access.log.2023-05-12",
            "access.log-20230513.gz",
            "access.log-20230514",
            "access.log.10.gz",
            "access.log.2.gz",
            "access.log.1",
            "access.log",
            "app.2.log",
            "app.1.log",
            "app.log",
            "error.log.1",
            "error.log",
            "one.8.log",
        ]
    );
    let positions: Vec<u32> = found.sources.iter().map(|source| source.position).collect();
    assert_eq!(positions, [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 0, 1, 0]);
    let groups: Vec<String> = found.sources.iter().map(|source| shown(root.path(), &source.group)).collect();
    assert_eq!(groups[0], "access.log");
    assert_eq!(groups[7], "app.log");
    assert_eq!(groups[12], "one.8.log");
    assert!(found.sources.iter().enumerate().all(|(i, source)| source.id.0 as usize == i));
}

#[test]
fn a_name_tells_its_set_and_age() {
    let group = |name: &str| String::from_utf8(rotation(name.as_bytes()).group).unwrap();
    for (name, expected) in [
        ("nginx/access.log.2.gz", "nginx/access.log"),
        ("syslog.1", "syslog"),
        ("messages-20230514", "messages"),
        ("messages-2023051413.xz", "messages"),
        ("maillog-1684022400", "maillog"),
        ("access.log.2023-05-14-13", "access.log"),
        ("catalina.2023-05-14.log", "catalina.log"),
        ("localhost_access_log.2023-05-14.txt", "localhost_access_log.txt"),
        ("postgresql-2023-05-14_000000.log", "postgresql.log"),
        ("app-2023-05-14-3.log.gz", "app.log"),
        ("access.log.20230514.1", "access.log"),
        ("Xorg.log.old", "Xorg.log"),
        ("php7.4-fpm.log", "php7.4-fpm.log"),
        ("postgresql-15-main.log", "postgresql-15-main.log"),
        ("2023-05-14.log", "2023-05-14.log"),
        ("dir-20230514/access.log", "dir-20230514/access.log"),
        (".gz", ".gz"),
        ("", ""),
    ] {
        assert_eq!(group(name), expected, "{name}");
    }
    let age = |name: &str| rotation(name.as_bytes()).age;
    assert!(age("a-20230514.1") < age("a-20230514.2"));
    assert!(age("a-20230514") < age("a.2023-05-14-13"));
    assert!(age("a-1684022400") > age("a-20230513"));
    assert!(age("a.2") < age("a.1") && age("a.1") < age("a"));
}

#[test]
fn a_missing_path_is_set_aside_and_the_rest_is_found() {
    let root = tree(&[("a.log", b"x\n")]);
    let found =
        find(&[&root.path().join("missing.log"), &root.path().join("a.log"), &root.path().join("a.log/b")]);
    assert_eq!(names(&root, &found), ["a.log"]);
    let reasons: Vec<String> =
        aside(&root, &found).into_iter().map(|a| format!("{} {:?} {}", a.0, a.1, a.2)).collect();
    assert_eq!(
        reasons,
        ["a.log/b Unreadable a part of its path is no directory", "missing.log Unreadable no such file"]
    );
}

#[test]
fn denied_permission_is_named_in_plain_words() {
    let error = std::io::Error::from_raw_os_error(13);
    assert_eq!(plain_reason(&error), "permission denied");
    assert_eq!(plain_reason(&std::io::Error::from_raw_os_error(24)), "too many open files");
}

#[test]
fn the_same_file_is_read_once() {
    let root = tree(&[("a.log", b"x\n"), ("sub/b.log", b"y\n")]);
    let a = root.path().join("a.log");
    fs::hard_link(&a, root.path().join("hard.log")).unwrap();
    symlink("a.log", root.path().join("A-link.log")).unwrap();
    let found = find(&[root.path(), &a, &root.path().join("sub"), Path::new("-"), Path::new("-")]);
    assert_eq!(names(&root, &found), ["-", "a.log", "sub/b.log"]);
    let duplicates = aside(&root, &found);
    assert!(duplicates.iter().all(|a| a.1 == AsideStatus::Duplicate));
    assert_eq!(
        duplicates.iter().map(|a| a.0.as_str()).collect::<Vec<_>>(),
        ["-", "A-link.log", "a.log", "hard.log", "sub"]
    );
    assert_eq!(found.sources[0].origin, Origin::Stdin);
    assert_eq!(found.sources[0].length, None);
}

#[test]
fn links_never_lead_out_of_the_root_unless_followed() {
    let outside = tree(&[("secret.log", b"s\n"), ("dir/inner.log", b"i\n")]);
    let root = tree(&[("a.log", b"x\n"), ("sub/b.log", b"y\n")]);
    symlink(outside.path().join("secret.log"), root.path().join("out.log")).unwrap();
    symlink(outside.path().join("dir"), root.path().join("outdir")).unwrap();
    symlink("nowhere", root.path().join("dangling.log")).unwrap();
    symlink("..", root.path().join("sub/loop")).unwrap();
    symlink("a.log", root.path().join("0.log")).unwrap();
    let found = find(&[root.path()]);
    assert_eq!(names(&root, &found), ["a.log", "sub/b.log"]);
    let rows = aside(&root, &found);
    let status = |name: &str| rows.iter().find(|row| row.0 == name).unwrap().1;
    assert_eq!(status("out.log"), AsideStatus::Skipped);
    assert_eq!(status("outdir"), AsideStatus::Skipped);
    assert_eq!(status("dangling.log"), AsideStatus::Skipped);
    assert_eq!(status("0.log"), AsideStatus::Duplicate);
    assert_eq!(status("sub/loop"), AsideStatus::Duplicate);

    let followed =
        discover(&Query { paths: vec![root.path().into()], follow: true, ..Query::default() }).unwrap();
    assert_eq!(names(&root, &followed), ["a.log", "out.log", "outdir/inner.log", "sub/b.log"]);
    assert!(
        aside(&root, &followed).iter().all(|row| row.1 != AsideStatus::Unreadable),
        "{:?}",
        aside(&root, &followed)
    );
}

#[test]
fn followed_links_that_fan_out_end() {
    let root = tempfile::tempdir().unwrap();
    for level in 0..24 {
        let dir = root.path().join(format!("d{level}"));
        fs::create_dir(&dir).unwrap();
        symlink(format!("../d{}", level + 1), dir.join("x")).unwrap();
        symlink(format!("../d{}", level + 1), dir.join("y")).unwrap();
    }
    let found =
        discover(&Query { paths: vec![root.path().into()], follow: true, ..Query::default() }).unwrap();
    assert!(found.sources.is_empty() && found.set_aside.len() < 200);
}

#[test]
fn only_regular_files_are_taken_in_a_walk() {
    let root = tree(&[("a.log", b"x\n")]);
    fifo(&root.path().join("pipe"));
    let _listener = UnixListener::bind(root.path().join("sock")).unwrap();
    let found = find(&[root.path()]);
    assert_eq!(names(&root, &found), ["a.log"]);
    let rows: Vec<(String, String)> = aside(&root, &found).into_iter().map(|row| (row.0, row.2)).collect();
    assert_eq!(rows, [("pipe".into(), "a FIFO".into()), ("sock".into(), "a socket".into())]);
}

#[test]
fn a_fifo_named_on_purpose_is_a_stream() {
    let root = tempfile::tempdir().unwrap();
    let pipe = root.path().join("pipe");
    fifo(&pipe);
    let found = find(&[&pipe, &pipe, Path::new("/dev/null"), Path::new("/dev/zero")]);
    assert_eq!(found.sources.len(), 1);
    assert_eq!(found.sources[0].length, None);
    assert_eq!(found.sources[0].identity, None);
    let kinds: Vec<AsideStatus> = found.set_aside.iter().map(|row| row.status).collect();
    assert_eq!(kinds, [AsideStatus::Skipped, AsideStatus::Skipped, AsideStatus::Duplicate]);
}

#[test]
fn packing_is_told_by_the_first_bytes_and_not_by_the_name() {
    let root = tree(&[
        ("plain.gz", b"GET / 200\n"),
        ("gzip.log", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
        ("bzip2.log", b"BZh91AY&SY\0\0"),
        ("bzh.log", b"BZh9 is no bzip2\n"),
        ("xz.log", b"\xfd7zXZ\0\0\x04"),
        ("zstd.log", b"\x28\xb5\x2f\xfd\x04\0"),
        ("skippable.log", b"\x50\x2a\x4d\x18\x04\0\0\0"),
        ("utf16.log", b"\xff\xfeG\0E\0T\0\n\0"),
        ("bom.log", b"\xef\xbb\xbfGET\n"),
        ("empty.log", b""),
    ]);
    let found = find(&[root.path()]);
    assert!(found.set_aside.is_empty(), "{:?}", found.set_aside);
    let packing =
        |name: &str| found.sources.iter().find(|s| shown(root.path(), &s.name) == name).unwrap().packing;
    assert_eq!(packing("plain.gz"), Packing::Plain);
    assert_eq!(packing("gzip.log"), Packing::Gzip);
    assert_eq!(packing("bzip2.log"), Packing::Bzip2);
    assert_eq!(packing("bzh.log"), Packing::Plain);
    assert_eq!(packing("xz.log"), Packing::Xz);
    assert_eq!(packing("zstd.log"), Packing::Zstd);
    assert_eq!(packing("skippable.log"), Packing::Zstd);
    assert_eq!(packing("utf16.log"), Packing::Utf16);
    assert_eq!(packing("bom.log"), Packing::Plain);
    assert_eq!(packing("empty.log"), Packing::Plain);
}

#[test]
fn what_is_no_log_is_skipped_with_its_reason() {
    let mut tar = vec![b'a'; 257];
    tar[100] = 0;
    tar.extend(b"ustar\x0000");
    let mut wtmp = vec![0u8; 384];
    wtmp[0] = 7;
    wtmp[4] = 0x2a;
    wtmp[8..13].copy_from_slice(b"pts/0");
    wtmp[44..48].copy_from_slice(b"root");
    let mut lastlog = vec![0u8; 292];
    lastlog[..4].copy_from_slice(&[0x11, 0x22, 0x33, 0x64]);
    lastlog[4..9].copy_from_slice(b"pts/0");
    let mut noise = 1u32;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    })
    .take(4096)
    .collect();
    let utf16: Vec<u8> = b"no byte order mark here\n".iter().flat_map(|&byte| [byte, 0]).collect();
    let root = tree(&[
        ("system.journal", b"LPKSHHRH\0\0\0\0"),
        ("elf", b"\x7fELF\x02\x01\x01\0"),
        ("a.zip", b"PK\x03\x04\x14\0"),
        ("db", b"SQLite format 3\0\x10\0"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("a.tar", &tar),
        ("wtmp", &wtmp),
        ("lastlog", &lastlog),
        ("random", &random),
        ("utf16", &utf16),
        ("zeros", &[0; 9000]),
    ]);
    let found = find(&[root.path()]);
    assert_eq!(names(&root, &found), [""; 0]);
    let reasons: Vec<String> = aside(&root, &found).into_iter().map(|row| row.2).collect();
    assert_eq!(reasons.len(), 11);
    assert!(aside(&root, &found).iter().all(|row| row.1 == AsideStatus::Skipped && !row.2.is_empty()));
    assert!(reasons.iter().any(|reason| reason.contains("journal")));
    assert!(reasons.iter().any(|reason| reason.contains("login records")));
}

#[test]
fn text_with_padding_and_a_few_odd_bytes_is_still_a_log() {
    let padded = [vec![0u8; 6000], b"GET / 200\n".to_vec()].concat();
    let torn = [b"GET / 200\nGET /torn".to_vec(), vec![0; 700], b"GET / 200\n".to_vec()].concat();
    let tail = [b"GET / 200\n".to_vec(), vec![0; 4000]].concat();
    let escapes = b"\x1b[31mERROR\x1b[0m it broke \x01\x16\x03 and this goes on for a while longer\n";
    let latin1 = b"M\xfcller \xe4\xf6\xfc went wrong\n";
    let root = tree(&[
        ("padded", &padded),
        ("torn", &torn),
        ("tail", &tail),
        ("escapes", escapes),
        ("latin1", latin1),
        ("utf8", "日本語のログ\n".as_bytes()),
        ("crlf", b"a\r\nb\rc\n"),
        ("one", b"x"),
    ]);
    let found = find(&[root.path()]);
    assert!(found.set_aside.is_empty(), "{:?}", aside(&root, &found));
    assert!(found.sources.iter().all(|source| source.packing == Packing::Plain));
}

#[test]
fn a_sparse_file_is_looked_at_from_both_ends() {
    let root = tree(&[]);
    let mut file = File::create(root.path().join("hole.log")).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(3 << 30)).unwrap();
    file.write_all(b"GET / 200\n").unwrap();
    File::create(root.path().join("lastlog")).unwrap().set_len(400 << 30).unwrap();
    let found = find(&[root.path()]);
    assert_eq!(names(&root, &found), ["hole.log"]);
    assert_eq!(aside(&root, &found)[0].2, "begins and ends with nothing but NUL bytes");
}

#[test]
fn globs_match_the_relative_path_and_the_name() {
    let root = tree(&[
        ("nginx/access.log", b"x\n"),
        ("nginx/error.log", b"x\n"),
        ("old/access.log", b"x\n"),
        ("app.txt", b"x\n"),
    ]);
    let find = |include: &[&str], exclude: &[&str]| {
        let own = |globs: &[&str]| globs.iter().map(ToString::to_string).collect();
        let query = Query {
            paths: vec![root.path().into()],
            include: own(include),
            exclude: own(exclude),
            follow: false,
        };
        let found = discover(&query).unwrap();
        (names(&root, &found), aside(&root, &found))
    };
    assert_eq!(find(&["*.log"], &[]).0, ["nginx/access.log", "nginx/error.log", "old/access.log"]);
    assert_eq!(find(&["nginx/*"], &["error*"]).0, ["nginx/access.log"]);
    assert_eq!(find(&["**/access.log"], &[]).0, ["nginx/access.log", "old/access.log"]);
    let (left, rows) = find(&[], &["old", "*.txt"]);
    assert_eq!(left, ["nginx/access.log", "nginx/error.log"]);
    let row = |name: &str, detail: &str| (name.to_string(), AsideStatus::Skipped, detail.to_string());
    assert_eq!(rows, [row("app.txt", "excluded by *.txt"), row("old", "excluded by old")]);
}

#[test]
fn a_bad_glob_is_a_usage_error_that_names_it() {
    let query = Query { exclude: vec!["ok*".into(), "a[".into()], ..Query::default() };
    let Err(Error::Usage(text)) = discover(&query) else { panic!("a bad glob was taken") };
    assert!(text.contains("a["), "{text}");
}

#[test]
fn the_result_does_not_depend_on_the_order_of_the_arguments() {
    let root = tree(&[("a.log", b"x\n"), ("a.log.1", b"y\n"), ("b/c.log", b"z\n")]);
    let (a, b) = (root.path().join("a.log"), root.path().join("a.log.1"));
    let dir = root.path().join("b");
    assert_eq!(names(&root, &find(&[&a, &b, &dir])), names(&root, &find(&[&dir, &b, &a])));
}

#[test]
fn a_gzip_cut_short_anywhere_is_gzip_or_no_log() {
    let gz = b"\x1f\x8b\x08\x08\0\0\0\0\x02\xffname\0";
    for end in 3..gz.len() {
        assert_eq!(packing_of(&gz[..end]), Ok(Packing::Gzip));
    }
    for end in 0..gz.len() {
        assert_eq!(starts_member(Packing::Gzip, &gz[..end]), (end > 0).then_some(end >= 3));
    }
}

#[test]
fn a_request_cannot_make_a_log_look_like_something_else() {
    let mut line = vec![b'a'; 257];
    line.extend(b"ustar/1.0\n");
    assert_eq!(packing_of(&line), Ok(Packing::Plain));
    let mut junk = b"2023-05-14 10:00:00 service started\n".to_vec();
    junk.extend([1, 0, 2, 0, 3, 0xff, 0xfe].repeat(200));
    junk.extend(b"\n2023-05-14 10:00:01 bad request refused\n");
    assert_eq!(packing_of(&junk), Ok(Packing::Plain));
}

proptest! {
    #[test]
    fn no_name_and_no_contents_make_it_fail(name in prop::collection::vec(any::<u8>(), 0..40), head in prop::collection::vec(any::<u8>(), 0..600)) {
        let parted = rotation(&name);
        prop_assert!(parted.group.len() <= name.len());
        let _ = packing_of(&head);
    }

    #[test]
    fn any_digits_in_a_name_are_survived(name in "[a-z]{0,3}([-_.T]?[0-9]{1,22}){0,4}(\\.log|\\.gz|)") {
        let _ = rotation(name.as_bytes());
    }

    #[test]
    fn printable_text_is_always_a_log(text in "[ -~\n]{3,600}") {
        prop_assume!(!["BZh", "!<arch>", "GIF89a", "%PDF-", "P*M"].iter().any(|magic| text.starts_with(magic)));
        prop_assert_eq!(packing_of(text.as_bytes()), Ok(Packing::Plain));
    }
}

#[test]
fn globs_name_files_by_the_end_of_their_path() {
    let names = Names::new(&["lb-*/access.log".to_owned(), "edge.log".to_owned()]).unwrap();
    let fits = |name: &str| names.fit(&Untrusted::from(name));
    assert!(fits("hosts/lb-01/access.log") && fits("lb-02/access.log") && fits("/var/log/edge.log"));
    assert!(!fits("hosts/web-01/access.log") && !fits("lb-01/nginx/access.log") && !fits("knowledge.log"));
    assert!(Names::new(&["[".to_owned()]).is_err());
}
