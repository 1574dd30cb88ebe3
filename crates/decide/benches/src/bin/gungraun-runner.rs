//! The runner that starts Valgrind and reads its counts, like gungraun's own binary. Cargo builds
//! it together with the benches and passes its path to gungraun.

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
