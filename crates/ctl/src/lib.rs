//! What an operator asks of the journal and the ledger, and decides about payments that
//! cannot end by themselves.
//!
//! Does: lists payments in the order of time, shows all that is known of one, has the fronts
//! stand back from a processor, resolves payments whose processor never comes back, reopens
//! rejected ones, compares a processor's export with the ledger, settles what only the export has,
//! takes that back, and lets the fronts go on with a store that has lost its past.
//!
//! Does not: talk to processors or fronts, or send a payment anywhere. It decides nothing:
//! it carries out what the operator vouches for.
//!
//! ```text
//! list, show, resolutions, restamped ──► journal and ledger, read only
//! resolve ──► no front lives: none heard of for 6 s ──────┬─► a step in Redis for each, recorded
//!   └─► else stand-back ──► every front has confirmed it ─┘
//! reopen ──► a step in Redis for each, recorded
//! reconcile ◄── export (JSON lines), sorted in memory ◄──► ledger, page by page
//!   └─ with a fee ──► shown, asked, proved as for resolve ─► a step in Redis for each, recorded
//! undo ◄── run ──► shown, asked ──► a step in Redis for each, recorded
//! adopt-store ──► shown, asked ─► a step in Redis; the fronts see it and write back what they have
//! ```

mod adopt_store;
mod asking;
mod connect;
mod fee;
mod ledger_pages;
mod list;
mod moment;
mod options;
mod patience;
mod payment_json;
mod preview;
mod reconcile;
mod reopen;
mod resolutions;
mod resolve;
mod restamped;
mod runs;
mod show;
mod silence;
mod stand_back;
mod stood_back;
mod undo;

use std::io::Write;

use feeway_store::{RedisConfig, RedisStore};

use options::Reconcile;
pub use options::{Command, Options};
pub use stood_back::{StoodBack, Waited};

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As asked; a comparison found no difference.
    Fine,
    /// The payment is unknown, the verdict was refused, or a comparison found differences.
    /// What is wrong has been said.
    Not,
}

/// Carries out one command and writes what it finds to `out`.
///
/// # Errors
/// When Redis or a file cannot be read, or `out` cannot be written.
pub async fn run(options: &Options, out: &mut impl Write) -> anyhow::Result<Ending> {
    let config = RedisConfig {
        only_reads: options.command.only_reads(),
        ..options.redis.config()
    };
    let store = connect::connect(config).await?;
    let ending = match &options.command {
        Command::List(asked) => list::run(&store, asked, out).await?,
        Command::Show(asked) => show::run(&store, asked, out).await?,
        Command::Resolve(asked) => resolve::run(&store, asked, out).await?,
        Command::Reopen(asked) => reopen::run(&store, asked, out).await?,
        Command::StandBack(asked) => stand_back::run(&store, asked, out).await?,
        Command::Resolutions(asked) => resolutions::run(&store, asked, out).await?,
        Command::Restamped(asked) => restamped::run(&store, asked, out).await?,
        Command::Reconcile(asked) => {
            let ending = reconcile::run(&store, asked, out).await?;
            if ending == Ending::Fine && asked.is_of_all() {
                note_reconciled(&store, asked).await;
            }
            ending
        }
        Command::Runs(asked) => runs::run(&store, asked, out).await?,
        Command::Undo(asked) => undo::run(&store, asked, out).await?,
        Command::AdoptStore(asked) => adopt_store::run(&store, asked, out).await?,
    };
    out.flush()?;
    Ok(ending)
}

/// For whoever adopts the store later. A comparison is one also where nothing can be written.
async fn note_reconciled(store: &RedisStore, asked: &Reconcile) {
    if let Err(fault) = store.note_reconciled(&asked.processor).await {
        eprintln!("cannot record in Redis that they are equal: {fault}");
    }
}
