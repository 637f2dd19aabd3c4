use std::process::ExitCode;

use crate::refusal::one_line;

/// The exit code for a command line that cannot be understood: EX_USAGE of sysexits.h.
pub const EX_USAGE: u8 = 64;

/// The options of a program. Of wrong ones it says in one line what is wrong, and with which code
/// the program has to end. Whoever asked for help gets it, and the program ends here.
///
/// # Errors
/// The exit code.
pub fn or_exit_code<T>(read: Result<T, clap::Error>) -> Result<T, ExitCode> {
    match read {
        Ok(options) => Ok(options),
        Err(error) if error.use_stderr() => {
            eprintln!("{}", one_line(&error));
            Err(ExitCode::from(EX_USAGE))
        }
        Err(asked_for) => asked_for.exit(),
    }
}
