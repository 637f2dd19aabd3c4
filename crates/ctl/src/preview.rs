//! Words of what is shown before anything is written.

use std::io::Write;

use feeway_domain::Total;

/// So many payments are named in a preview, and as many refusals.
pub(crate) const NAMED: usize = 10;

pub(crate) fn payments(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} payment{plural}")
}

/// How many are not named.
pub(crate) fn rest(count: usize, out: &mut impl Write) -> anyhow::Result<()> {
    if count > NAMED {
        writeln!(out, "  … and {} more", count - NAMED)?;
    }
    Ok(())
}

/// A sum of cents as people write it.
pub(crate) fn amount(sum: &Total) -> String {
    format!("{}.{:02}", sum.cents / 100, sum.cents % 100)
}
