//! Asks the operator before anything is written.

use std::io::{BufRead as _, IsTerminal as _, stdin};

/// Asks at the terminal, after saying what is vouched for. Without a terminal nobody has
/// agreed.
pub(crate) fn is_confirmed(vouched: Option<&str>) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        eprintln!("nothing was done: there is no terminal to ask at; give --yes");
        return Ok(false);
    }
    if let Some(vouched) = vouched {
        eprintln!("{vouched}");
    }
    eprint!("Type yes to go on: ");
    let mut typed = String::new();
    stdin().lock().read_line(&mut typed)?;
    let is_yes = typed.trim() == "yes";
    if !is_yes {
        eprintln!("nothing was done");
    }
    Ok(is_yes)
}
