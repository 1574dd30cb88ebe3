//! The result of a command, and how the process exits.

use std::process::ExitCode;

/// The result of a command. Its error is printed as it is, and says what to do about it.
pub(crate) type CommandResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Prints the error of a command, if it failed, and answers with the exit code of the process.
pub(crate) fn exit_code(result: CommandResult) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
