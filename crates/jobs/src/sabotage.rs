//! Deliberate breaches of the invariants, so that the simulation can show that it would
//! catch them. Outside the feature `sabotage` none of them exists.

/// One breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A payment goes elsewhere after an attempt that ended in doubt.
    CrossOverAfterDoubt,
    /// A payment goes elsewhere after a no, though an earlier attempt there ended in doubt.
    CrossOverDespiteDoubt,
    /// An adopter sends a payment elsewhere although its entry names a processor.
    AdopterCrossesOver,
    /// A payment is settled before the processor has answered.
    SettleBeforeAnswer,
    /// A front goes on with a payment that another front has adopted.
    SkipFence,
    /// One front works on one payment in two tasks.
    TwoTasks,
    /// What a look-up does not find is taken for absent at once.
    AbsenceAtOnce,
    /// Every 2xx is taken for a yes, whatever its body says.
    BelieveEvery2xx,
    /// A processor that leaves its probes in doubt is probed as one that refuses them.
    FreshProbesAfterDoubt,
    /// A processor may be at another URL than before, whatever is open there.
    TrustEveryUrl,
    /// A front says at once that it stands back, whatever is in flight.
    ConfirmAtOnce,
    /// A front sends payments when the store may still forget that there is such a front.
    StartAtOnce,
    /// A front that goes leaves with what only it remembers.
    LeaveAtOnce,
    /// What was sent under an entry that is another one's now is forgotten.
    ForgetOtherLineages,
    /// A store that has forgotten waits for nobody. The simulation's own store does this.
    #[cfg(feature = "sabotage")]
    OpenAtOnce,
    /// What was repeated to a store once is not repeated to its next life. So does this.
    #[cfg(feature = "sabotage")]
    RepeatOnce,
}

#[cfg(feature = "sabotage")]
mod active {
    use std::cell::Cell;

    use super::Sabotage;

    thread_local! {
        static ACTIVE: Cell<Option<Sabotage>> = const { Cell::new(None) };
    }

    impl Sabotage {
        /// Commits this breach, or none, from now on in this thread.
        pub fn commit(breach: Option<Self>) {
            ACTIVE.set(breach);
        }

        /// Whether this breach is committed.
        pub fn is_on(self) -> bool {
            ACTIVE.get() == Some(self)
        }
    }
}

#[cfg(not(feature = "sabotage"))]
impl Sabotage {
    /// Whether this breach is to be made; never outside of the simulation.
    pub const fn is_on(self) -> bool {
        let _never = self;
        false
    }
}
