use std::error::Error as _;

use crate::misdelivery::Record;

/// Whether a connection ended because something came that nobody had asked for.
pub(crate) fn was_unasked(ended: &hyper::Result<()>, unread: &[u8], record: &Record) -> bool {
    let is_unexpected = match ended {
        Err(error) => is_unexpected_message(error),
        // The error went to a request that was queued and is handed back: not one byte of it
        // was written.
        Ok(()) => !record.is_used(),
    };
    // What comes before the first request, such as the greeting of another protocol, has been
    // taken for nobody's answer.
    is_unexpected && !unread.is_empty() && record.was_used() && !is_farewell(unread)
}

/// hyper has no predicate for it, and its texts may change. But each of its other errors of
/// HTTP/1 has one, or a cause; should a new kind be added that has neither, connections are
/// not kept for nothing.
fn is_unexpected_message(error: &hyper::Error) -> bool {
    let is_another = error.is_parse()
        || error.is_user()
        || error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || error.is_body_write_aborted()
        || error.is_shutdown()
        || error.is_timeout();
    !is_another && error.source().is_none()
}

/// Some servers and load balancers say 408 before they close a connection that has rested too
/// long for them. It answers nobody.
fn is_farewell(unread: &[u8]) -> bool {
    unread.starts_with(b"HTTP/1.") && unread.get(8..12) == Some(b" 408")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_408_is_not_an_unrequested_answer() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 408 Request Timeout\r\n"[..], true),
            (b"HTTP/1.0 408 ", true),
            (b"HTTP/1.1 408", true),
            (b"HTTP/1.1 40", false),
            (b"HTTP/1.1 200 OK\r\n", false),
            (b"\r\n", false),
        ] {
            assert_eq!(is_farewell(bytes), expected, "{bytes:?}");
        }
    }
}
