//! `regulars check`: mistakes in rules and specs, found before a rule can pay.

use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use clap::{Args, ValueEnum};
use ledger::MerchantId;
use rules::{Bundle, BundleRejection, Mistake, Severity, Sources};
use serde_json::json;

use crate::place::{Rules, shown};
use crate::result::CommandResult;
use crate::show::plural;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A merchant's folder, or a folder of such folders [default: the nearest `rules`]
    folder: Option<PathBuf>,
    /// The format of the mistakes
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: each mistake with its line, and carets under it
    Text,
    /// For editors: one JSON object
    Json,
}

/// Checks the rules and specs of each folder, and prints the mistakes. It does not report specs
/// that fail.
pub(crate) fn run(options: &Options) -> CommandResult {
    let folders = folders(options.folder.as_deref())?;
    let mut found = Vec::new();
    for folder in &folders {
        let (sources, read) = read(folder);
        // A file that is not read is the reason of much that does not fit, so it comes first.
        let mut mistakes = unread(folder);
        match read {
            Ok(bundle) => {
                let specs = decide::run_specs(&bundle, &sources).err().unwrap_or_default();
                mistakes.extend(bundle.warnings().iter().cloned().chain(specs));
            }
            Err(rejection) => mistakes.extend(rejection.mistakes),
        }
        found.extend(mistakes.into_iter().map(|mistake| Found::of(folder, &sources, mistake)));
    }
    let errors = found.iter().filter(|found| found.mistake.severity == Severity::Error).count();
    match options.format {
        Format::Json => {
            let mistakes: Vec<_> = found.iter().map(Found::json).collect();
            say!("{}", serde_json::to_string_pretty(&json!({ "mistakes": mistakes }))?);
        }
        Format::Text => {
            for found in &found {
                say!("{}\n", found.drawn());
            }
            say!(
                "{} checked: {}, {}",
                plural(folders.len(), "programme"),
                plural(errors, "error"),
                plural(found.len() - errors, "warning")
            );
        }
    }
    if errors == 0 { Ok(()) } else { Err("the rules have mistakes".into()) }
}

/// Warnings about files that are not read, though their names are close to those of sheets, specs
/// and manifests. Without a warning nobody would notice.
pub(crate) fn unread(folder: &Path) -> Vec<Mistake> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|file| file.file_name().to_string_lossy().into_owned());
    let mut unread: Vec<String> = names
        .filter(|name| {
            let lower = name.to_lowercase();
            let end = lower.rsplit_once('.').map_or(lower.as_str(), |(_, end)| end);
            let is_near =
                ["rhai", "toml"].iter().any(|known| strsim::osa_distance(end, known) <= 2);
            (is_near || end == "txt") && !Sources::reads(name)
        })
        .collect();
    unread.sort();
    let warn = |name: String| {
        let message = "this file is not read; sheets end in `.rhai`, specs in `.spec.toml`, and the manifest is `merchant.toml`";
        Mistake::of_name(&name, message.to_owned())
    };
    unread.into_iter().map(warn).collect()
}

/// The merchants' folders of a path: the path itself if it has sheets, or else the folders in it.
pub(crate) fn folders(path: Option<&Path>) -> CommandResult<Vec<PathBuf>> {
    let folder = match path {
        Some(folder) => folder.to_owned(),
        None => Rules::nearest()?,
    };
    if folder.is_file() {
        return Err(format!("`{}` is a file; name its folder", folder.display()).into());
    }
    let holds_sheets = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    if { holds_sheets }.any(|file| Sources::reads(&file.file_name().to_string_lossy())) {
        return Ok(vec![folder]);
    }
    let folders = local::folders(&folder)?;
    if folders.is_empty() {
        return Err(format!("there is no merchant's folder in `{}`", folder.display()).into());
    }
    Ok(folders)
}

/// A folder's sources, and the bundle or the mistakes that they compile to.
pub(crate) fn read(folder: &Path) -> (Sources, Result<Bundle, BundleRejection>) {
    let sources = match Sources::read(folder) {
        Ok(sources) => sources,
        Err(rejection) => return (Sources::default(), Err(rejection)),
    };
    let bundle = merchant(folder).and_then(|merchant| Bundle::load(&merchant, &sources));
    (sources, bundle)
}

/// The merchant that a folder's name names.
pub(crate) fn merchant(folder: &Path) -> Result<MerchantId, BundleRejection> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    MerchantId::parse(&name).map_err(|reason| {
        let message = format!("the folder's name `{name}` cannot name a merchant: {reason}");
        BundleRejection { merchant: name, mistakes: vec![Mistake::of_folder(message)] }
    })
}

/// A mistake with the text of its file.
pub(crate) struct Found {
    path: String,
    text: String,
    pub(crate) mistake: Mistake,
}

impl Found {
    pub(crate) fn of(folder: &Path, sources: &Sources, mistake: Mistake) -> Found {
        let text = sources.get(&mistake.file).unwrap_or_default().to_owned();
        Found { path: shown(&folder.join(&mistake.file)), text, mistake }
    }

    fn json(&self) -> serde_json::Value {
        let (line, column) = self.mistake.place.unzip();
        json!({
            "file": self.path,
            "line": line,
            "column": column,
            "end_column": column.map(|column| column + self.mistake.length(&self.text)),
            "severity": match self.mistake.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "message": self.mistake.message,
        })
    }

    /// The mistake as text for people: its line, with carets under it.
    pub(crate) fn drawn(&self) -> String {
        let level = match self.mistake.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let Some(bytes) = self.mistake.bytes(&self.text) else {
            return format!("{}: {}", self.path.trim_end_matches('/'), self.mistake.message);
        };
        // The title says what is wrong; the label under the carets says how to fix it.
        let (title, remedy) = match self.mistake.message.split_once("; ") {
            Some((title, remedy)) => (title, remedy),
            None => (self.mistake.message.as_str(), ""),
        };
        let mark = AnnotationKind::Primary.span(bytes).label(remedy);
        let snippet = Snippet::source(&self.text).path(&self.path).annotation(mark);
        Renderer::styled().render(&[level.primary_title(title).element(snippet)])
    }
}
