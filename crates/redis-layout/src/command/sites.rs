use feeway_domain::{Fee, Hold, Incarnation, LAPSE, MAX_URLS, ProcessorName, Relocation, Site};
use redis::Cmd;

use super::{RunClaim, add_claim, add_hold, call, whole_micros};
use crate::keys;
use crate::record;

/// Open entries that are counted in one step: about 2 ms.
const CENSUS_PAGE: usize = 2_000;

/// An incarnation gets its place, unless a processor is not where it was.
pub fn enlist_at(
    incarnation: &Incarnation,
    sites: &[Site],
    seen: Option<&Relocation>,
    claim: &RunClaim,
) -> Cmd {
    let owner = keys::owner(incarnation);
    let names = [keys::OWNERS, &owner, keys::EPOCH, keys::URLS];
    let mut call = call("enlist_at", &names);
    call.arg(incarnation.as_str())
        .arg(whole_micros(LAPSE))
        .arg(MAX_URLS)
        .arg(seen.map_or_else(String::new, |seen| seen.epoch.to_string()));
    for site in sites {
        let known = seen.and_then(|seen| {
            let mut known = seen.processors.iter();
            known.find(|known| known.processor == site.processor)
        });
        call.arg(site.processor.as_str())
            .arg(&site.url)
            .arg(u8::from(site.is_vouched))
            .arg(known.map_or_else(String::new, |known| record::write_urls(&known.urls)));
    }
    add_claim(&mut call, claim);
    call
}

/// As `enlist_at`, of what was known of each processor then.
pub fn restore_sites(hold: &Hold, sites: &[(Site, Box<str>)]) -> Cmd {
    let owner = keys::owner(&hold.owner);
    let names = [keys::OWNERS, &owner, keys::EPOCH, keys::URLS];
    let mut call = call("restore_sites", &names);
    add_hold(&mut call, hold);
    for (site, urls) in sites {
        call.arg(site.processor.as_str())
            .arg(&site.url)
            .arg(&**urls);
    }
    call.arg("run");
    call
}

/// Which fee each processor has.
pub fn tell_fees(fees: &[(ProcessorName, Fee)]) -> Cmd {
    let mut call = call("tell_fees", &[keys::FEES]);
    for (processor, fee) in fees {
        call.arg(processor.as_str()).arg(fee.millionths());
    }
    call
}

/// How many open payments name each processor, page by page.
pub fn census(from: Option<u64>) -> Cmd {
    let mut call = call("census", &[keys::OPEN]);
    call.arg(from.unwrap_or(0)).arg(CENSUS_PAGE);
    call
}
