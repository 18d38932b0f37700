//! `--template`: a name of ours, or a file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use logtopsy::error::Error;
use logtopsy::model::Untrusted;
use logtopsy::report::draft::Template;
use logtopsy::report::{Format, escape};

use super::args::Analyse;

/// A larger file is no template; the library says so.
const MAX_BYTES: u64 = (1 << 20) + 1;

/// The template that was asked for.
pub(crate) fn chosen(args: &Analyse) -> Result<Option<Template>, Error> {
    let Some(path) = &args.template else { return Ok(None) };
    if args.format() != Format::Markdown {
        return Err(Error::Usage("--template is for --format markdown".to_owned()));
    }
    if let Some(template) = path.to_str().and_then(Template::named) {
        return Ok(Some(template));
    }
    let name = escape::for_terminal(&Untrusted::from(path.as_path()));
    Template::parse(&name, &read(path, &name)?).map(Some)
}

fn read(path: &Path, name: &str) -> Result<String, Error> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    read.map_err(|error| {
        let known: Vec<&str> = Template::names().collect();
        Error::Usage(format!("--template {name}: {error}; there are {}, or name a file", known.join(", ")))
    })?;
    Ok(text)
}
