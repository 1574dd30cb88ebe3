use clap::Args;

use crate::CommandResult;
use crate::place::{Rules, shown};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rules: Rules,
}

/// Where the reference stands, beside the merchants' folders.
const FILE: &str = "LANGUAGE.md";

/// Writes the reference of the rule language anew.
pub(crate) fn run(options: &Options) -> CommandResult {
    let file = options.rules.folder()?.join(FILE);
    std::fs::write(&file, rules::reference())?;
    say!("{} is written", shown(&file));
    Ok(())
}
