use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::process_figures::ProcessFigures;

/// The media type of [`Exposition::page`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper ends in seconds for what takes from microseconds (a journal write) to half a
/// minute (an attempt that times out).
const LATENCY_BUCKETS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0, 30.0,
];

/// Upper ends in seconds for how long a payment was open: milliseconds on a good day, as long
/// as its processor is away on a bad one.
const OPEN_BUCKETS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 1_800.0,
    7_200.0, 86_400.0,
];

/// Metrics whose name ends so take [`OPEN_BUCKETS`].
const OPEN_SUFFIX: &str = "_open_duration_seconds";

/// A histogram keeps its samples until somebody puts them into buckets. At 5 000 payments a
/// second and five samples of 8 bytes each that is 200 KB a second, so 1 MB between two.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// The metrics could not be set up: there is a recorder already.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the metrics")]
pub struct ExpositionError(#[from] BuildError);

/// The metrics of this process.
#[derive(Clone)]
pub struct Exposition {
    recorder: PrometheusHandle,
}

impl Exposition {
    /// Becomes the recorder of the process. Metrics made before go nowhere.
    ///
    /// # Errors
    /// When there is a recorder already.
    pub fn install(version: &'static str) -> Result<Self, ExpositionError> {
        let recorder = builder()?.install_recorder()?;
        metrics::describe_gauge!(
            "feeway_build_info",
            "The version of this program; always 1."
        );
        metrics::gauge!("feeway_build_info", "version" => version).set(1.0);
        Ok(Self { recorder })
    }

    /// Bounds what the histograms keep while nobody asks for the page. Runs for ever;
    /// cancel safe.
    pub async fn keep_small(self) {
        loop {
            tokio::time::sleep(UPKEEP_PERIOD).await;
            self.recorder.run_upkeep();
        }
    }

    /// All metrics in Prometheus's text format.
    pub fn page(&self) -> String {
        let mut page = self.recorder.render();
        page.push_str(&ProcessFigures::read().to_string());
        page
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let open = Matcher::Suffix(OPEN_SUFFIX.to_owned());
    PrometheusBuilder::new()
        .set_buckets(&LATENCY_BUCKETS)?
        .set_buckets_for_metric(open, &OPEN_BUCKETS)
}

#[cfg(test)]
mod tests {
    use metrics::{counter, histogram, with_local_recorder};

    use super::*;

    #[test]
    fn histograms_have_the_buckets_of_their_kind() {
        let recorder = builder().unwrap().build_recorder();
        with_local_recorder(&recorder, || {
            histogram!("a_duration_seconds").record(0.000_2);
            histogram!("an_open_duration_seconds").record(70.0);
            counter!("some_total").increment(3);
        });
        let page = recorder.handle().render();
        for line in [
            r#"a_duration_seconds_bucket{le="0.00025"} 1"#,
            r#"a_duration_seconds_bucket{le="0.0001"} 0"#,
            r#"an_open_duration_seconds_bucket{le="60"} 0"#,
            r#"an_open_duration_seconds_bucket{le="300"} 1"#,
            "some_total 3",
        ] {
            assert!(
                page.lines().any(|written| written == line),
                "{line}\n{page}"
            );
        }
    }

    /// What accounting costs, in nanoseconds a sample; `--nocapture` shows it.
    #[test]
    fn accounting_is_cheap_and_bounded() {
        const SAMPLES: u32 = 1_000_000;
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        let (counted, timed) = with_local_recorder(&recorder, || {
            (counter!("some_total"), histogram!("a_duration_seconds"))
        });
        let cost = |step: &dyn Fn()| {
            let begin = tokio::time::Instant::now();
            for _ in 0..SAMPLES {
                step();
            }
            begin.elapsed().as_nanos() / u128::from(SAMPLES)
        };
        let clock = cost(&|| {
            std::hint::black_box(tokio::time::Instant::now());
        });
        let counter = cost(&|| counted.increment(1));
        let histogram = cost(&|| timed.record(0.000_2));
        let before_upkeep = ProcessFigures::resident();
        let begin = tokio::time::Instant::now();
        handle.run_upkeep();
        let upkeep = begin.elapsed().as_nanos() / u128::from(SAMPLES);
        println!(
            "clock {clock} ns, counter {counter} ns, histogram {histogram} ns and {upkeep} ns at upkeep; \
             resident {before_upkeep} with a million samples, {} after",
            ProcessFigures::resident()
        );
        // Far above what any machine takes; a lookup by name in each would exceed it.
        assert!(counter + histogram + upkeep < 5_000);
        assert!(handle.render().contains("a_duration_seconds_count 1000000"));
    }
}
