//! `regulars reference`: the reference of the rule language.

use clap::Args;

use crate::place::{Rules, shown};
use crate::result::CommandResult;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rules: Rules,
}

/// The file of the reference, beside the merchants' folders.
const FILE: &str = "LANGUAGE.md";

/// Writes the reference of the rule language to its file.
pub(crate) fn run(options: &Options) -> CommandResult {
    let file = options.rules.folder()?.join(FILE);
    std::fs::write(&file, rules::reference())?;
    say!("{} is written", shown(&file));
    Ok(())
}
