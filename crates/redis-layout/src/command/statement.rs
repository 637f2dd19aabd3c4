use std::time::Duration;

use feeway_domain::{Incarnation, LAPSE, MAX_RUN_PAYMENTS, MAX_RUNS, Proof, Run, Settlement};
use redis::{Cmd, cmd};

use super::{call, call_with_settlements, whole_micros};
use crate::keys;

/// Payments of a run that are read in one step.
const PAGE: usize = 1_000;

/// As a settlement of one, of what only the processor's export has.
pub fn settle_stated(settlement: &Settlement, run: &Run, slip: Duration, proof: &Proof) -> Cmd {
    let one = std::iter::once(settlement);
    let more_keys = [keys::STAND_BACK, keys::OWNERS];
    let mut call = call_with_settlements("settle_stated", one, &more_keys);
    let token = match proof {
        Proof::Silence => "",
        Proof::StoodBack(token) => token,
    };
    call.arg(token)
        .arg(whole_micros(LAPSE))
        .arg(whole_micros(slip));
    add_run(&mut call, run);
    call
}

/// As a settlement that is repeated, with its run.
pub fn restore_stated(settlement: &Settlement, run: &Run) -> Cmd {
    let one = std::iter::once(settlement);
    let mut call = call_with_settlements("restore_stated", one, &[]);
    add_run(&mut call, run);
    call
}

fn add_run(call: &mut Cmd, run: &Run) {
    call.arg(&run.id)
        .arg(&run.file)
        .arg(&run.by)
        .arg(run.expected)
        .arg(MAX_RUN_PAYMENTS)
        .arg(MAX_RUNS);
}

/// Takes back what a run settled.
pub fn undo_stated(run: &str, settlement: &Settlement, owner: &Incarnation, by: &str) -> Cmd {
    let one = std::iter::once(settlement);
    let more_keys = [keys::OWNERS, keys::EPOCH];
    let mut call = call_with_settlements("undo_stated", one, &more_keys);
    call.arg(run).arg(owner.as_str()).arg(by);
    call
}

/// The runs that settled by an export.
pub fn settling_runs() -> Cmd {
    call("settling_runs", &[keys::SETTLING_RUNS])
}

/// The payments of a run, page by page.
pub fn run_payments(run: &str, from: Option<u64>) -> Cmd {
    let mut scan = cmd("HSCAN");
    scan.arg(keys::stated(run)).arg(from.unwrap_or(0));
    scan.arg("COUNT").arg(PAGE);
    scan
}
