use std::time::Duration;

use feeway_domain::{LAPSE, Proof, Settlement};
use redis::Cmd;

use super::{call_with_settlements, whole_micros};
use crate::keys;

/// As a settlement of one, of what only the processor's export has.
pub(crate) fn settle_stated(settlement: &Settlement, slip: Duration, proof: &Proof) -> Cmd {
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
    call
}
