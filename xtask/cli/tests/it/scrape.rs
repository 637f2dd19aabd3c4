use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::http::Connection;
use crate::stack::Stack;

/// What one process told when it was scraped.
pub(crate) struct Scraped {
    pub(crate) process: String,
    pub(crate) page: String,
}

impl Scraped {
    /// The sum of all samples of a metric whose labels contain this text.
    pub(crate) fn sum(&self, metric: &str, labels: &str) -> f64 {
        self.samples()
            .filter(|(name, found, _)| *name == metric && found.contains(labels))
            .map(|(_, _, value)| value)
            .sum()
    }

    /// Name, labels and value of each sample.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        let lines = self.page.lines();
        let samples = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_default();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let value = value.parse();
            (name, labels, value.unwrap_or_else(|_| panic!("{line}")))
        })
    }

    /// Each family's kind, as its TYPE line says.
    pub(crate) fn families(&self) -> BTreeMap<&str, &str> {
        let types = self.page.lines().filter_map(|l| l.strip_prefix("# TYPE "));
        types.filter_map(|line| line.split_once(' ')).collect()
    }
}

/// The processes that Prometheus would ask, and the port of each one's admin listener.
fn admin_ports(stack: &Stack) -> Vec<(String, u16)> {
    let text = fs::read_to_string(stack.dir.join("config/targets.json")).expect("up wrote it");
    let targets: Value = serde_json::from_str(&text).expect("it is JSON");
    let targets = targets.as_array().expect("a list").iter();
    let ports = targets.map(|target| {
        let process = target["labels"]["process"].as_str().expect("a name");
        let address = target["targets"][0].as_str().expect("an address");
        let port = address
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        (process.to_owned(), port.expect("a port"))
    });
    ports.collect()
}

/// The port of one process's admin listener.
#[track_caller]
pub(crate) fn admin_port(stack: &Stack, process: &str) -> u16 {
    let ports = admin_ports(stack).into_iter();
    let mut named = ports.filter(|(name, _)| name == process);
    named.next().expect("it is scraped").1
}

/// Asks every process of a stack that Prometheus would ask.
pub(crate) fn scrape(stack: &Stack) -> Vec<Scraped> {
    let ports = admin_ports(stack);
    ports
        .into_iter()
        .map(|(process, port)| scrape_one(process, port))
        .collect()
}

/// Asks one process.
pub(crate) fn scrape_one(process: String, port: u16) -> Scraped {
    let page = Connection::fetch(port, "/metrics");
    let (head, body) = page.split_once("\r\n\r\n").expect("a head and a body");
    assert_eq!(head.split(' ').nth(1), Some("200"), "{process}: {page}");
    Scraped {
        process,
        page: if head.to_ascii_lowercase().contains("chunked") {
            unchunked(body)
        } else {
            body.to_owned()
        },
    }
}

/// The sum of a metric over all processes of a stack, of the samples whose labels contain this
/// text.
pub(crate) fn sum(stack: &Stack, metric: &str, labels: &str) -> f64 {
    let scraped = scrape(stack);
    scraped.iter().map(|one| one.sum(metric, labels)).sum()
}

/// What stands in the chunks of a body.
pub(crate) fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
