//! The folders of the rules and the data.

use std::path::{Path, PathBuf};

use clap::Args;
use ledger::MerchantId;
use rules::did_you_mean;

use crate::result::CommandResult;

/// The folder of local data files, beside the rules.
const DATA_FOLDER: &str = ".regulars";

/// The option `--rules`: the folder with the merchants' folders.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rules {
    /// The folder with one folder of rules per merchant [default: the nearest `rules`]
    #[arg(long = "rules", value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Rules {
    /// The folder that the option names, or else the nearest one.
    pub(crate) fn folder(&self) -> CommandResult<PathBuf> {
        match &self.folder {
            Some(folder) => Ok(folder.clone()),
            None => Rules::nearest(),
        }
    }

    /// A merchant's folder in the folder of rules.
    pub(crate) fn of_merchant(&self, merchant: &str) -> CommandResult<PathBuf> {
        let all = self.folder()?;
        let folder = all.join(merchant);
        if folder.is_dir() {
            return Ok(folder);
        }
        let folders = local::folders(&all).unwrap_or_default();
        let names: Vec<String> = folders
            .iter()
            .filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
            .collect();
        // The hint also works if the path was given instead of the name.
        let name = merchant.trim_end_matches('/').rsplit('/').next().unwrap_or(merchant);
        let hint = did_you_mean(name, names.iter().map(String::as_str));
        Err(format!("there is no merchant `{merchant}` in `{}`{hint}", shown(&all)).into())
    }

    /// The nearest folder called `rules`, here or above, that has a merchant's folder in it.
    pub(crate) fn nearest() -> CommandResult<PathBuf> {
        nearest("rules", holds_a_merchant)
    }
}

fn holds_a_merchant(rules: &Path) -> bool {
    let folders = local::folders(rules).unwrap_or_default();
    folders.iter().any(|folder| folder.join("merchant.toml").is_file())
}

/// The nearest file or folder of this path, here or above, that passes the check.
pub(crate) fn nearest(path: &str, is_it: impl Fn(&Path) -> bool) -> CommandResult<PathBuf> {
    let here = std::env::current_dir()?;
    here.ancestors().map(|folder| folder.join(path)).find(|path| is_it(path)).ok_or_else(|| {
        format!("there is no `{path}` here or above; run this in the checkout").into()
    })
}

/// The merchant of this name.
pub(crate) fn merchant_named(name: &str) -> CommandResult<MerchantId> {
    MerchantId::parse(name)
        .map_err(|reason| format!("`{name}` is no merchant's name: {reason}").into())
}

/// The merchant whose rules are in a folder, by the folder's name as it is given. A link has the name
/// of the link.
pub(crate) fn merchant_of(folder: &Path) -> CommandResult<MerchantId> {
    if let Some(name) = folder.file_name() {
        return merchant_named(&name.to_string_lossy());
    }
    // `.` and the like.
    let folder =
        folder.canonicalize().map_err(|error| format!("`{}`: {error}", folder.display()))?;
    merchant_named(&folder.file_name().unwrap_or_default().to_string_lossy())
}

/// The path, relative to the current folder if it is in it.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// The path of a data file of this name, beside the rules.
pub(crate) fn data(rules: &Path, name: &str) -> PathBuf {
    rules.parent().unwrap_or(Path::new("")).join(DATA_FOLDER).join(name)
}
