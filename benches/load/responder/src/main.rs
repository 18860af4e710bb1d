//! The floor of the load harness, as a program: see the library.
//!
//! usage: `responder PORT`

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(port) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) else {
        eprintln!("usage: responder PORT");
        return ExitCode::from(2);
    };
    match responder::serve(port, |_| ()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("responder: {error}");
            ExitCode::FAILURE
        }
    }
}
