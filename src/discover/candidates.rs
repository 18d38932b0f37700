//! Paths → files that may be logs: walking directories, links, duplicates.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, FileType, Metadata};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::model::{MICROS, SourceId, Timestamp, Untrusted};

use super::files::{is_descriptor, is_standard_input, open_without_blocking, plain_reason};
use super::globs::Globs;
use super::magic::{HEAD, is_text, packing_of};
use super::rotation::{Age, Rotation, rotation};
use super::{AsideStatus, Discovery, Origin, Packing, SetAside, Source};

/// Directories held open while walking: few, because `ulimit -n` may be 32.
const OPEN_DIRECTORIES: usize = 6;

/// Device and inode.
type Identity = (u64, u64);

/// A regular file that was reached.
struct Candidate {
    path: PathBuf,
    name: Untrusted,
    /// Reached through a symbolic link: then the way without one, if there is one, counts.
    linked: bool,
    identity: Identity,
    length: u64,
}

/// Everything reached so far.
pub(super) struct Candidates<'a> {
    globs: &'a Globs,
    follow: bool,
    files: Vec<Candidate>,
    directories: HashSet<Identity>,
    streams: BTreeMap<Identity, Source>,
    stdin: Option<Source>,
    aside: Vec<SetAside>,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(globs: &'a Globs, follow: bool) -> Self {
        let (files, aside) = (Vec::new(), Vec::new());
        Self {
            globs,
            follow,
            files,
            directories: HashSet::new(),
            streams: BTreeMap::new(),
            stdin: None,
            aside,
        }
    }

    /// Takes a path that the user gave.
    pub(super) fn name(&mut self, path: &Path) {
        if path == Path::new("-") {
            return self.standard_input(path);
        }
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e) => return self.set_aside(path, AsideStatus::Unreadable, plain_reason(&e), 0),
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.walk(path, &metadata);
        } else if kind.is_file() {
            let linked = fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
            self.file(path, path, path, linked, &metadata);
        } else if is_standard_input(path) {
            self.standard_input(path);
        } else if kind.is_fifo() || (is_descriptor(path) && kind.is_char_device()) {
            let identity = identity(&metadata);
            if let Entry::Vacant(new) = self.streams.entry(identity) {
                new.insert(stream(path, Origin::Path(path.into())));
            } else {
                self.set_aside(path, AsideStatus::Duplicate, "the same stream was given before".into(), 0);
            }
        } else {
            self.set_aside(path, AsideStatus::Skipped, what_is(kind).into(), 0);
        }
    }

    fn standard_input(&mut self, path: &Path) {
        if self.stdin.is_some() {
            self.set_aside(path, AsideStatus::Duplicate, "standard input was given before".into(), 0);
        } else {
            self.stdin = Some(stream(path, Origin::Stdin));
        }
    }

    fn set_aside(&mut self, path: &Path, status: AsideStatus, detail: String, bytes: u64) {
        self.aside.push(SetAside { name: path.into(), status, detail, bytes });
    }

    fn walk(&mut self, root: &Path, metadata: &Metadata) {
        if !self.directories.insert(identity(metadata)) {
            return self.set_aside(root, AsideStatus::Duplicate, "this directory was read before".into(), 0);
        }
        // Fails only if it has just gone away; then the walk says so.
        let real_root = fs::canonicalize(root).unwrap_or_else(|_| root.into());
        let mut walk = WalkDir::new(root)
            .min_depth(1)
            .max_open(OPEN_DIRECTORIES)
            .follow_links(self.follow)
            .sort_by_file_name()
            .into_iter();
        while let Some(next) = walk.next() {
            match next {
                Err(e) => self.walk_failed(root, &e),
                Ok(entry) => {
                    if !self.entry(root, &real_root, &entry) {
                        walk.skip_current_dir();
                    }
                }
            }
        }
    }

    fn walk_failed(&mut self, root: &Path, error: &walkdir::Error) {
        let path = error.path().unwrap_or(root);
        let (status, detail) = if error.loop_ancestor().is_some() {
            (AsideStatus::Skipped, "a symbolic link to a directory above it".into())
        } else if path != root && fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) {
            (AsideStatus::Skipped, "a symbolic link that leads nowhere".into())
        } else {
            (
                AsideStatus::Unreadable,
                error.io_error().map_or_else(|| "cannot be walked".into(), plain_reason),
            )
        };
        self.set_aside(path, status, detail, 0);
    }

    /// Takes what a walk came across. False for a directory that is not to be entered.
    fn entry(&mut self, root: &Path, real_root: &Path, entry: &DirEntry) -> bool {
        let path = entry.path();
        let relative = path.strip_prefix(root).unwrap_or(path);
        let kind = entry.file_type();
        if kind.is_dir() {
            return self.directory(path, relative, entry);
        }
        if kind.is_symlink() {
            self.link(path, relative, real_root);
            return true;
        }
        if !kind.is_file() {
            self.set_aside(path, AsideStatus::Skipped, what_is(kind).into(), 0);
            return true;
        }
        match entry.metadata() {
            Ok(metadata) => self.file(path, path, relative, entry.path_is_symlink(), &metadata),
            Err(e) => self.walk_failed(root, &e),
        }
        true
    }

    fn directory(&mut self, path: &Path, relative: &Path, entry: &DirEntry) -> bool {
        if let Some(why) = self.globs.excluded(relative) {
            self.set_aside(path, AsideStatus::Skipped, why, 0);
            return false;
        }
        // Links that are followed could otherwise lead to the same directories on exponentially many ways.
        let new = entry.metadata().map_or(true, |metadata| self.directories.insert(identity(&metadata)));
        if !new {
            self.set_aside(path, AsideStatus::Duplicate, "this directory was read before".into(), 0);
        }
        new
    }

    /// A symbolic link met in a walk that does not follow them.
    fn link(&mut self, path: &Path, relative: &Path, real_root: &Path) {
        let mut skip = |why: &str| self.set_aside(path, AsideStatus::Skipped, why.into(), 0);
        let Ok(target) = fs::canonicalize(path) else { return skip("a symbolic link that leads nowhere") };
        if !target.starts_with(real_root) {
            return skip("a symbolic link out of the directory given, not followed");
        }
        let Ok(metadata) = fs::symlink_metadata(&target) else {
            return skip("a symbolic link that leads nowhere");
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            let detail = "a symbolic link to a directory that is read anyway".into();
            self.set_aside(path, AsideStatus::Duplicate, detail, 0);
        } else if kind.is_file() {
            self.file(&target, path, relative, true, &metadata);
        } else {
            skip(what_is(kind));
        }
    }

    fn file(&mut self, path: &Path, name: &Path, relative: &Path, linked: bool, metadata: &Metadata) {
        let length = metadata.len();
        if let Some(why) = self.globs.unwanted_file(relative) {
            return self.set_aside(name, AsideStatus::Skipped, why, length);
        }
        let (path, name, identity) = (path.into(), name.into(), identity(metadata));
        self.files.push(Candidate { path, name, linked, identity, length });
    }

    /// Looks into the files and puts them in order.
    pub(super) fn into_discovery(self) -> Discovery {
        let Self { mut files, streams, stdin, aside: mut set_aside, .. } = self;
        files.sort_by_key(|file| file.linked);
        let mut seen = HashSet::new();
        let mut sources = Vec::new();
        for file in files {
            let (name, bytes) = (file.name.clone(), file.length);
            let looked = if seen.insert(file.identity) {
                look_into(file)
            } else if file.linked {
                Err((AsideStatus::Duplicate, "a symbolic link to a file that is read anyway".into()))
            } else {
                Err((AsideStatus::Duplicate, "the same file was reached before".into()))
            };
            match looked {
                Ok(source) => sources.push(source),
                Err((status, detail)) => set_aside.push(SetAside { name, status, detail, bytes }),
            }
        }
        sources.extend(stdin.into_iter().chain(streams.into_values()));
        set_aside.sort_by(|a, b| (&a.name, &a.detail, a.bytes).cmp(&(&b.name, &b.detail, b.bytes)));
        Discovery { sources: in_order(sources), set_aside }
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn what_is(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "not a regular file"
    }
}

fn stream(path: &Path, origin: Origin) -> Source {
    let name = Untrusted::from(path);
    Source {
        id: SourceId(0),
        origin,
        group: name.clone(),
        name,
        // Known only once its first bytes are read.
        packing: Packing::Plain,
        length: None,
        modified: None,
        position: 0,
        identity: None,
    }
}

/// Opens a file for its first bytes.
fn look_into(file: Candidate) -> Result<Source, (AsideStatus, String)> {
    let unreadable = |e: std::io::Error| (AsideStatus::Unreadable, plain_reason(&e));
    let open = open_without_blocking(&file.path).map_err(unreadable)?;
    let metadata = open.metadata().map_err(unreadable)?;
    // Whoever may write to the directory may have put a link to a secret in its place.
    if !metadata.is_file() || identity(&metadata) != file.identity {
        return Err((AsideStatus::Unreadable, "another file has just taken its place".into()));
    }
    let head = read_block(&open, 0).map_err(unreadable)?;
    let skipped = |why: &str| (AsideStatus::Skipped, why.to_string());
    let packing = packing_of(&head).map_err(skipped)?;
    let nul = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
    if packing == Packing::Plain && !head.is_empty() && nul(&head) {
        let tail = read_block(&open, metadata.len().saturating_sub(HEAD as u64)).map_err(unreadable)?;
        if nul(&tail) {
            return Err(skipped("begins and ends with nothing but NUL bytes"));
        }
        is_text(&tail).map_err(skipped)?;
    }
    let micros = metadata.mtime().saturating_mul(MICROS).saturating_add(metadata.mtime_nsec() / 1000);
    Ok(Source {
        id: SourceId(0),
        origin: Origin::Path(file.path),
        group: file.name.clone(),
        name: file.name,
        packing,
        length: Some(metadata.len()),
        modified: Some(Timestamp::from_micros(micros)),
        position: 0,
        identity: Some(file.identity),
    })
}

fn read_block(file: &fs::File, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut block = vec![0; HEAD];
    let mut done = 0;
    while let Some(room) = block.get_mut(done..).filter(|room| !room.is_empty()) {
        match file.read_at(room, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    block.truncate(done);
    Ok(block)
}

/// Sorts sources by set, oldest first, and numbers them.
fn in_order(sources: Vec<Source>) -> Vec<Source> {
    let parted: Vec<(Rotation, Source)> = sources
        .into_iter()
        .map(|source| {
            let name = source.name.raw();
            let whole = || Rotation { group: name.to_vec(), age: Age::Current, doubtful: false };
            (if source.length.is_some() { rotation(name) } else { whole() }, source)
        })
        .collect();
    let mut sizes: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    for (rotation, _) in &parted {
        *sizes.entry(rotation.group.clone()).or_default() += 1;
    }
    let mut sorted: Vec<(Vec<u8>, Age, Source)> = parted
        .into_iter()
        .map(|(rotation, source)| {
            if rotation.doubtful && sizes.get(&rotation.group) == Some(&1) {
                (source.name.raw().to_vec(), Age::Current, source)
            } else {
                (rotation.group, rotation.age, source)
            }
        })
        .collect();
    sorted.sort_by(|a, b| (&a.0, a.1, &a.2.name).cmp(&(&b.0, b.1, &b.2.name)));
    let mut position = 0;
    let mut previous: Option<Vec<u8>> = None;
    let number = |(id, (group, _, source)): (usize, (Vec<u8>, Age, Source))| {
        position = if previous.as_ref() == Some(&group) { position + 1 } else { 0 };
        let source = Source {
            id: SourceId(u32::try_from(id).unwrap_or(u32::MAX)),
            group: Untrusted::new(&group),
            position,
            ..source
        };
        previous = Some(group);
        source
    };
    sorted.into_iter().enumerate().map(number).collect()
}
