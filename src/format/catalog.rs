//! The known formats: TOML files compiled into the program.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Class, Definition, Field, Layout, apache, nginx, pattern};
use crate::error::{Error, Result};
use crate::model::Escape;

/// The definition files. To add a format, add a file and its line here.
const BUILT_IN: &[(&str, &str)] = &[
    ("combined", include_str!("definitions/combined.toml")),
    ("common", include_str!("definitions/common.toml")),
    ("vhost_combined", include_str!("definitions/vhost_combined.toml")),
    ("ingress-nginx", include_str!("definitions/ingress-nginx.toml")),
    ("nginx-main", include_str!("definitions/nginx-main.toml")),
    ("haproxy-http", include_str!("definitions/haproxy-http.toml")),
    ("haproxy-tcp", include_str!("definitions/haproxy-tcp.toml")),
    ("traefik", include_str!("definitions/traefik.toml")),
    ("envoy", include_str!("definitions/envoy.toml")),
    ("envoy-json", include_str!("definitions/envoy-json.toml")),
    ("uvicorn", include_str!("definitions/uvicorn.toml")),
    ("uwsgi", include_str!("definitions/uwsgi.toml")),
    ("iis", include_str!("definitions/iis.toml")),
    ("iis-httperr", include_str!("definitions/iis-httperr.toml")),
    ("aws-elb", include_str!("definitions/aws-elb.toml")),
    ("aws-s3", include_str!("definitions/aws-s3.toml")),
    ("cloudfront", include_str!("definitions/cloudfront.toml")),
    ("squid", include_str!("definitions/squid.toml")),
    ("loose-access", include_str!("definitions/loose-access.toml")),
    ("json-access", include_str!("definitions/json-access.toml")),
    ("nginx-error", include_str!("definitions/nginx-error.toml")),
    ("apache-error", include_str!("definitions/apache-error.toml")),
    ("syslog", include_str!("definitions/syslog.toml")),
    ("syslog-iso", include_str!("definitions/syslog-iso.toml")),
    ("syslog-5424", include_str!("definitions/syslog-5424.toml")),
    ("dpkg", include_str!("definitions/dpkg.toml")),
    ("apt-history", include_str!("definitions/apt-history.toml")),
    ("apt-term", include_str!("definitions/apt-term.toml")),
    ("dmesg", include_str!("definitions/dmesg.toml")),
    ("short-date", include_str!("definitions/short-date.toml")),
    ("mysql-slow", include_str!("definitions/mysql-slow.toml")),
    ("postgresql", include_str!("definitions/postgresql.toml")),
    ("redis", include_str!("definitions/redis.toml")),
    ("php", include_str!("definitions/php.toml")),
    ("mongodb", include_str!("definitions/mongodb.toml")),
    ("rails", include_str!("definitions/rails.toml")),
    ("klog", include_str!("definitions/klog.toml")),
    ("cri", include_str!("definitions/cri.toml")),
    ("docker", include_str!("definitions/docker.toml")),
    ("audit", include_str!("definitions/audit.toml")),
    ("logfmt", include_str!("definitions/logfmt.toml")),
    ("json-message", include_str!("definitions/json-message.toml")),
    ("timed", include_str!("definitions/timed.toml")),
    ("iso-level", include_str!("definitions/iso-level.toml")),
];

/// All formats, most specific first.
#[derive(Debug, Clone)]
pub struct Catalog {
    definitions: Vec<Definition>,
    samples: Vec<(String, Sample)>,
}

/// A line with what must be read from it; without `expect` the format must reject it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The line.
    pub line: String,
    /// Record field → value as `logtopsy records` prints it.
    #[serde(default)]
    pub expect: BTreeMap<String, toml::Value>,
    /// The format must reject it.
    #[serde(default)]
    pub reject: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    title: String,
    class: Class,
    rank: i64,
    #[serde(default)]
    continuation: bool,
    /// The message is a line of a log of its own.
    #[serde(default)]
    wrapper: bool,
    /// The program that writes such lines, where they do not name it.
    program: Option<String>,
    /// The message begins with one of these.
    #[serde(default)]
    begins: Vec<String>,
    layout: FileLayout,
    /// How values are escaped, for patterns.
    #[serde(default)]
    escape: FileEscape,
    /// Key at the end of a message → field.
    #[serde(default)]
    tail: BTreeMap<String, String>,
    sample: Vec<Sample>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum FileEscape {
    #[default]
    None,
    Backslash,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FileLayout {
    Nginx(String),
    Apache(String),
    Patterns(Vec<String>),
    Logfmt { keys: BTreeMap<String, Vec<String>>, required: Vec<Vec<String>> },
    Json { keys: BTreeMap<String, Vec<String>>, required: Vec<Vec<String>> },
    Columns { separator: char, fields: BTreeMap<String, String>, usual: Vec<String> },
    Loose {},
}

impl Catalog {
    /// The formats that come with the program.
    ///
    /// # Errors
    /// Only if a definition file is wrong, which a test rules out.
    pub fn built_in() -> Result<Self> {
        let mut catalog = Self { definitions: Vec::new(), samples: Vec::new() };
        for (name, text) in BUILT_IN {
            catalog.add(name, text)?;
        }
        Ok(catalog)
    }

    /// Adds a definition file.
    ///
    /// # Errors
    /// `Usage` naming the file and what is wrong in it.
    pub fn add(&mut self, file: &str, text: &str) -> Result<()> {
        let wrong = |why: String| Error::Usage(format!("format definition {file}: {why}"));
        let read: File = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let (layout, escape) = layout(read.layout, read.escape).map_err(wrong)?;
        let tail = read.tail.into_iter().map(|(key, name)| match pattern::field(&name) {
            Some(field) => Ok((key, field)),
            None => Err(wrong(format!("'{name}' is no field"))),
        });
        let tail = tail.collect::<Result<Vec<_>>>()?;
        self.samples.extend(read.sample.into_iter().map(|s| (read.name.clone(), s)));
        self.definitions.push(Definition {
            name: read.name,
            title: read.title,
            class: read.class,
            layout,
            escape,
            continuation: read.continuation,
            wrapper: read.wrapper,
            program: read.program,
            begins: read.begins,
            tail,
            rank: read.rank,
        });
        self.definitions.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| a.name.cmp(&b.name)));
        Ok(())
    }

    /// Adds formats that a server's configuration declares; a known name stays with what it is known for.
    pub fn declare(&mut self, formats: Vec<Definition>) {
        for mut definition in formats {
            let known = self.definitions.iter().any(|d| d.layout == definition.layout);
            if known {
                continue;
            }
            if self.get(&definition.name).is_some() {
                definition.name = format!("{} (configured)", definition.name);
            }
            self.definitions.push(definition);
        }
        self.definitions.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| a.name.cmp(&b.name)));
    }

    /// Adds every definition file (`*.toml`) of a folder, by name.
    ///
    /// # Errors
    /// `Usage` naming the folder or the file and what is wrong with it.
    pub fn add_folder(&mut self, folder: &std::path::Path) -> Result<()> {
        let wrong = |path: &std::path::Path, why: &dyn std::fmt::Display| {
            Error::Usage(format!("{}: {why}", path.display()))
        };
        let entries = std::fs::read_dir(folder).map_err(|e| wrong(folder, &e))?;
        let mut files: Vec<_> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|x| x == "toml"))
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|e| wrong(&file, &e))?;
            self.add(&file.display().to_string(), &text)?;
        }
        Ok(())
    }

    /// A format by its name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().find(|d| d.name == name)
    }

    /// All formats, most specific first.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.iter()
    }

    /// (name of the format, sample) of every definition.
    pub fn samples(&self) -> &[(String, Sample)] {
        &self.samples
    }
}

fn layout(layout: FileLayout, escape: FileEscape) -> std::result::Result<(Layout, Escape), String> {
    Ok(match layout {
        FileLayout::Nginx(text) => (Layout::Patterns(vec![nginx::tokens(&text)?.0]), Escape::Backslash),
        FileLayout::Apache(text) => (Layout::Patterns(vec![apache::tokens(&text)?.0]), Escape::Backslash),
        FileLayout::Patterns(list) => (
            Layout::Patterns(list.iter().map(|p| pattern::tokens(p)).collect::<std::result::Result<_, _>>()?),
            match escape {
                FileEscape::None => Escape::None,
                FileEscape::Backslash => Escape::Backslash,
            },
        ),
        FileLayout::Logfmt { keys, required } => {
            let (keys, required) = table(keys, required)?;
            (Layout::Logfmt { keys, required }, Escape::Backslash)
        }
        FileLayout::Json { keys, required } => {
            let (keys, required) = table(keys, required)?;
            (Layout::Json { keys, required }, Escape::Json)
        }
        FileLayout::Columns { separator, fields, usual } => {
            (Layout::Columns(super::Columns::new(separator, fields, &usual)?), Escape::None)
        }
        FileLayout::Loose {} => (Layout::Loose, Escape::Backslash),
    })
}

/// Keys with their fields.
type Table = Vec<(String, Field)>;

/// Key → field, from field → keys; `{status}` in a required group stands for every key of that field.
fn table(
    keys: BTreeMap<String, Vec<String>>,
    mut required: Vec<Vec<String>>,
) -> std::result::Result<(Table, Vec<Vec<String>>), String> {
    let mut table = Vec::new();
    for (name, spellings) in keys {
        let field = json_field(&name).ok_or_else(|| format!("'{name}' is no field"))?;
        for group in &mut required {
            if group.contains(&format!("{{{name}}}")) {
                group.extend(spellings.iter().cloned());
            }
        }
        table.extend(spellings.into_iter().map(|key| (key, field)));
    }
    Ok((table, required))
}

/// Field names of a JSON definition: those of patterns, `time` in any notation, and latencies in nanoseconds.
fn json_field(name: &str) -> Option<Field> {
    match name {
        "time" => Some(Field::Time(super::TimeNotation::Any)),
        "level" => Some(Field::LevelAs(super::LevelNotation::Any)),
        "latency:ns" => Some(Field::Latency { unit_us: 1, nanos: true }),
        other => pattern::field(other),
    }
}
