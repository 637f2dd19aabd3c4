use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::ops::Range;

use anyhow::{Context, Result, bail};

/// Ports for the stack's own use lie below the range that the system gives to outgoing
/// connections, so that a server that restarts finds its port still free.
const OWN_PORTS: Range<u16> = 20_000..32_000;

/// What clients and processors are reached at is chosen elsewhere, so that a stack that takes
/// ports for itself meanwhile does not take these.
const VISIBLE_PORTS: Range<u16> = 12_000..20_000;

/// How many single free ports are tried until one has a free neighbour.
const PORT_TRIES: usize = 16;

/// Fails with one line when the port cannot be listened on.
pub fn check_free(address: Ipv4Addr, port: u16, option: &str) -> Result<()> {
    match TcpListener::bind(SocketAddrV4::new(address, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "port {port} is taken by another process: stop that one, or choose another port with {option}"
        ),
        Err(error) => bail!("cannot listen on port {port}: {error}; choose another with {option}"),
    }
}

/// So many different loopback ports that nobody listens on, for the stack's own use.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    free_ports_in(OWN_PORTS, count)
}

/// So many different loopback ports that nobody listens on, to be given to a stack as options.
pub fn visible_ports(count: usize) -> Result<Vec<u16>> {
    free_ports_in(VISIBLE_PORTS, count)
}

/// A port that is free and whose successor is.
pub fn free_pair() -> Result<u16> {
    let is_free = |port| check_free(Ipv4Addr::LOCALHOST, port, "--simulator-port").is_ok();
    visible_ports(PORT_TRIES)?
        .into_iter()
        .find(|port| is_free(*port) && port.checked_add(1).is_some_and(is_free))
        .context("no two free ports in a row: give --simulator-port")
}

fn free_ports_in(range: Range<u16>, count: usize) -> Result<Vec<u16>> {
    let span = u32::from(range.end - range.start);
    // Stacks that start at the same moment begin to look at different places.
    let first = std::process::id().wrapping_mul(97) % span;
    let mut held = Vec::with_capacity(count);
    for step in 0..span {
        if held.len() == count {
            break;
        }
        let port = range.start + u16::try_from((first + step) % span)?;
        if let Ok(listener) = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    if held.len() < count {
        bail!("no free port between {} and {}", range.start, range.end);
    }
    Ok(held.into_iter().map(|(port, _listener)| port).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let held = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let message = check_free(Ipv4Addr::UNSPECIFIED, port, "--port")
            .unwrap_err()
            .to_string();
        assert!(message.contains(&port.to_string()), "{message}");
        assert!(message.contains("--port"), "{message}");
        assert_eq!(message.lines().count(), 1);
        drop(held);
        check_free(Ipv4Addr::UNSPECIFIED, port, "--port").unwrap();
    }

    #[test]
    fn free_ports_differ_and_are_free() {
        let mut ports = free_ports(8).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 8);
    }
}
