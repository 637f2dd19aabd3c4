use std::thread;

use anyhow::{Result, bail};
use feeway_machine::docker::{Container, Engine};
use jiff::Timestamp;

use super::stack::ContainerStack;
use crate::status::Row;

/// A line for each container. Each is asked by its own health check, now.
pub(crate) fn rows(stack: &ContainerStack) -> Result<Vec<Row>> {
    let engine = Engine::find()?;
    let containers = stack.containers(&engine)?;
    if containers.is_empty() {
        bail!(
            "the containers of {} are gone: `cargo xtask down` cleans up",
            stack.project
        );
    }
    // A check takes as long as the limits of its container make it.
    thread::scope(|scope| {
        let asked: Vec<_> = containers
            .iter()
            .map(|container| scope.spawn(|| row(&engine, container)))
            .collect();
        let rows = asked.into_iter().map(|asked| match asked.join() {
            Ok(row) => row,
            Err(_) => bail!("a health check panicked"),
        });
        rows.collect()
    })
}

fn row(engine: &Engine, container: &Container) -> Result<Row> {
    let state = if !container.running {
        "down"
    } else if container.is_ready() {
        "ready"
    } else {
        "not ready"
    };
    let up = Timestamp::now().as_second() - container.started_at.as_second();
    let usage = container
        .running
        .then(|| engine.usage(&container.id))
        .transpose()?;
    Ok(Row {
        name: container.service.clone(),
        pid: container.pid,
        state,
        up_seconds: container.running.then(|| u64::try_from(up).unwrap_or(0)),
        restarts: container.restarts,
        memory_kib: usage.map(|usage| usage.memory_bytes / 1024),
        address: match container.published.first() {
            Some(port) => format!("localhost:{port}"),
            None => format!("container {}", container.id.get(..12).unwrap_or_default()),
        },
    })
}
