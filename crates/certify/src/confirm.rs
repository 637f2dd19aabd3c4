use std::io::{self, BufRead, IsTerminal, Write, stderr, stdin};

use crate::checks::connections::PAYMENTS;
use crate::{Check, Options, Usage};

/// Whether the user agrees to post payments, if any are to be posted.
///
/// # Errors
/// When there is nobody to ask.
pub(crate) fn agrees(options: &Options) -> anyhow::Result<bool> {
    let checks = options.checks();
    if options.yes || !checks.iter().any(|check| check.posts()) {
        return Ok(true);
    }
    let count = u32::from(checks.iter().any(|check| check.needs_payment()))
        + if checks.contains(&Check::Connections) {
            PAYMENTS
        } else {
            0
        };
    let (amount, url) = (options.amount, &options.url);
    let what = match count {
        0 => format!("requests that it must refuse, to {url}"),
        _ => format!("up to {count} payments of {amount} to {url}, and repeats of them"),
    };
    if !stdin().is_terminal() {
        let what =
            format!("this posts {what}: --yes is needed because there is no terminal to ask at");
        return Err(Usage(what).into());
    }
    ask(&what, &mut stdin().lock(), &mut stderr()).map_err(Into::into)
}

fn ask(what: &str, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<bool> {
    write!(
        to,
        "This posts {what}.\nWhatever it accepts is charged, unless it is in test mode. Type yes to go on: "
    )?;
    to.flush()?;
    let mut answer = String::new();
    from.read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_word_yes_confirms() {
        for (answer, expected) in [
            ("yes\n", true),
            ("y\n", false),
            ("", false),
            ("no\n", false),
        ] {
            let mut shown = Vec::new();
            let agreed = ask("6 payments", &mut answer.as_bytes(), &mut shown).unwrap();
            assert_eq!(agreed, expected, "{answer:?}");
            assert!(shown.starts_with(b"This posts 6 payments.\n"));
        }
    }
}
