use std::time::Duration;

/// Pauses between repetitions: 20 ms, doubled each time, at most 1 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    pauses: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(1);

    /// Waits for the next pause to pass. Cancel safe.
    pub(crate) async fn pause(&mut self) {
        let pause = Self::FIRST
            .saturating_mul(1 << self.pauses.min(6))
            .min(Self::LONGEST);
        self.pauses += 1;
        tokio::time::sleep(pause).await;
    }
}
