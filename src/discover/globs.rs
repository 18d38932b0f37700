//! Which files the user wants.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::model::Untrusted;

/// Compiled include and exclude globs, matched against the path below the given root and against the file name.
pub(super) struct Globs {
    include: GlobSet,
    exclude: GlobSet,
    excluding: Vec<String>,
}

impl Globs {
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self { include: set(include)?, exclude: set(exclude)?, excluding: exclude.to_vec() })
    }

    /// Why this file is not wanted, if so.
    pub(super) fn unwanted_file(&self, relative: &Path) -> Option<String> {
        if let Some(why) = self.excluded(relative) {
            return Some(why);
        }
        (!self.include.is_empty() && !matches(&self.include, relative))
            .then(|| "matches none of the globs of files to read".into())
    }

    /// Why this directory (or file) is excluded, if so. Directories need not match an include glob.
    pub(super) fn excluded(&self, relative: &Path) -> Option<String> {
        let by_path = self.exclude.matches(relative);
        let by_name = relative.file_name().map(|name| self.exclude.matches(name)).unwrap_or_default();
        let first = by_path.into_iter().chain(by_name).min()?;
        Some(format!("excluded by {}", self.excluding.get(first).map_or("a glob", String::as_str)))
    }
}

/// Globs that name some of the files.
#[derive(Debug, Default)]
pub struct Names(GlobSet);

impl Names {
    /// Compiles them.
    ///
    /// # Errors
    /// `Usage` naming the one that is no glob.
    pub fn new(globs: &[String]) -> Result<Self> {
        Ok(Self(set(globs)?))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them fits a file, or the end of its path.
    pub fn fit(&self, name: &Untrusted) -> bool {
        let name = String::from_utf8_lossy(name.raw());
        let ends = name.match_indices('/').filter_map(|(slash, _)| name.get(slash.saturating_add(1)..));
        std::iter::once(&*name).chain(ends).any(|end| self.0.is_match(end))
    }
}

fn matches(set: &GlobSet, relative: &Path) -> bool {
    set.is_match(relative) || relative.file_name().is_some_and(|name| set.is_match(name))
}

fn set(globs: &[String]) -> Result<GlobSet> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(compile(glob)?);
    }
    builder.build().map_err(|e| Error::Usage(format!("the globs are too large: {}", e.kind())))
}

fn compile(glob: &str) -> Result<Glob> {
    // As in .gitignore: `*` stays within a name, `**` crosses directories.
    let compiled = GlobBuilder::new(glob).literal_separator(true).build();
    compiled.map_err(|e| Error::Usage(format!("{glob:?} is no glob: {}", e.kind())))
}
