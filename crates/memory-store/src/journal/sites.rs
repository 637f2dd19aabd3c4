//! Where fronts find their processors, as the functions `enlist_at` and `restore_sites` keep it.

use std::collections::BTreeMap;

use feeway_domain::{
    Census, Enlist, Hold, Incarnation, JournalTime, Known, MAX_URLS, ProcessorName, Relocation,
    Site,
};

use super::Journal;
use super::run::NOBODY;

/// What incarnations said of their processors, and what is known of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sites {
    /// The newest URL first.
    urls: BTreeMap<ProcessorName, Vec<String>>,
    brought: BTreeMap<Incarnation, Vec<Site>>,
}

impl Sites {
    /// The incarnation is forgotten.
    pub(crate) fn forget(&mut self, incarnation: &Incarnation) {
        self.brought.remove(incarnation);
    }

    pub(crate) fn urls(&self, processor: &ProcessorName) -> &[String] {
        self.urls.get(processor).map_or(&[], Vec::as_slice)
    }

    /// Whether an incarnation may send payments of a processor to another URL than this.
    fn uses_another(&self, incarnation: &Incarnation, site: &Site) -> bool {
        let Some(brought) = self.brought.get(incarnation) else {
            return true;
        };
        let other = |own: &Site| own.processor == site.processor && own.url != site.url;
        brought.iter().any(other)
    }
}

impl Journal {
    pub(crate) fn enlist_at(
        &mut self,
        incarnation: &Incarnation,
        sites: &[Site],
        seen: Option<&Relocation>,
        now: JournalTime,
    ) -> Enlist {
        let is_same = seen.is_some_and(|seen| seen.epoch == self.epoch);
        let mut lists = Vec::with_capacity(sites.len());
        let (mut relocated, mut must_fence) = (Vec::new(), false);
        for site in sites {
            let mut list = self.sites.urls(&site.processor).to_vec();
            let known = Known {
                processor: site.processor.clone(),
                urls: list.clone(),
            };
            if !list.contains(&site.url) {
                list.insert(0, site.url.clone());
                list.truncate(MAX_URLS);
            }
            if !known.urls.is_empty() && !known.urls.contains(&site.url) {
                let mut may_enter = seen.is_some_and(|seen| seen.processors.contains(&known));
                if !site.is_vouched {
                    if let Some(by) = self.other_user(incarnation, site, now) {
                        return Enlist::InUse { known, by };
                    }
                    list.truncate(1);
                    may_enter = may_enter && is_same;
                    must_fence |= !may_enter;
                }
                if !may_enter {
                    relocated.push(known);
                }
            }
            lists.push((site.processor.clone(), list));
        }
        if !relocated.is_empty() {
            if must_fence {
                self.fence_silent(now);
            }
            return Enlist::Relocated(Relocation {
                epoch: self.epoch,
                processors: relocated,
            });
        }
        let hold = self.enlist(incarnation, now);
        self.sites
            .brought
            .insert(incarnation.clone(), sites.to_vec());
        self.sites.urls.extend(lists);
        Enlist::Enlisted(hold)
    }

    /// Whether some processor is at another URL than is known, of which nobody vouches that it is
    /// the same ledger.
    pub(crate) fn is_relocated(&self, sites: &[Site]) -> bool {
        sites.iter().any(|site| {
            let known = self.sites.urls(&site.processor);
            !site.is_vouched && !known.is_empty() && !known.contains(&site.url)
        })
    }

    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for processor in self
            .open
            .values()
            .filter_map(|entry| entry.processor.as_ref())
        {
            *census.named.entry(processor.clone()).or_default() += 1;
        }
        census
    }

    /// The URLs that are known of a processor, the newest first.
    pub(crate) fn urls(&self, processor: &ProcessorName) -> &[String] {
        self.sites.urls(processor)
    }

    pub(crate) fn restore_sites(&mut self, hold: &Hold, known: &[(Site, Vec<String>)]) {
        for (site, list) in known {
            let urls = self.sites.urls.entry(site.processor.clone()).or_default();
            if !urls.contains(&site.url) {
                urls.clone_from(list);
            }
        }
        let sites = known.iter().map(|(site, _)| site.clone());
        self.sites
            .brought
            .insert(hold.owner.clone(), sites.collect());
    }

    /// A holder that lives and may send payments of a processor to another URL.
    fn other_user(
        &self,
        but_for: &Incarnation,
        site: &Site,
        now: JournalTime,
    ) -> Option<Incarnation> {
        let living = self.owners.values();
        let living = living.filter(|record| !record.is_lapsed(now, self.run.since));
        let mut holders = living.map(|record| &record.holder);
        let other =
            |holder: &&Incarnation| *holder != but_for && self.sites.uses_another(holder, site);
        holders.find(other).cloned()
    }

    /// Whoever is silent can do nothing any more, should it wake up, before it enlists again.
    fn fence_silent(&mut self, now: JournalTime) {
        let nobody = Incarnation::new(NOBODY);
        let silent = self.owners.iter();
        let silent = silent
            .filter(|(_, record)| record.is_lapsed(now, self.run.since) && record.holder != nobody);
        let silent: Vec<Incarnation> = silent.map(|(owner, _)| owner.clone()).collect();
        for owner in silent {
            let epoch = self.next_epoch();
            let hold = self.give(&owner, &nobody, epoch, now);
            self.resign(&hold);
        }
    }
}
