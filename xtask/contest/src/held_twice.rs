use std::collections::HashSet;

use anyhow::Result;
use feeway_stack::simulators::Processor;

/// How many payments both hold: somebody was charged twice.
pub(super) fn held_twice(processors: &[Processor]) -> Result<u64> {
    let mut seen = HashSet::new();
    let mut twice = 0;
    for processor in processors {
        for (id, _) in processor.dump()? {
            if !seen.insert(id) {
                twice += 1;
            }
        }
    }
    Ok(twice)
}
