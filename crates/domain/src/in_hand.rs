use crate::{Entry, Hold, Site};

/// What a front has in its hands, for a store that has lost it: an operator has put other data
/// or an older copy in its place, and the front writes back what it has.
pub trait InHand: Send + Sync + 'static {
    /// Under which holds it works.
    fn holds(&self) -> Vec<Hold>;

    /// Where it finds its processors.
    fn sites(&self) -> Vec<Site>;

    /// The entries of the payments in its hands as they were last acknowledged to it, each with
    /// the hold under which it works on it.
    fn entries(&self) -> Vec<(Entry, Hold)>;
}
