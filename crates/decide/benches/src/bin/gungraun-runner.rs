//! What starts Valgrind and reads its counts, as gungraun's own binary does it. Cargo builds it
//! together with the benches and tells gungraun where it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    match gungraun_runner::runner::run::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gungraun-runner: {error:#}");
            ExitCode::FAILURE
        }
    }
}
