//! Reads a payment from the JSON body of `POST /payments`, its amount to the cent.

use std::str;

use feeway_domain::{CorrelationId, CorrelationIdError, Money, MoneyError, Payment};
use simd_json::{Buffers, ErrorType, Node, StaticNode, Tape};

use crate::request_body::MAX_BODY_BYTES;

/// How deep a body may be nested. A payment needs one level.
const MAX_DEPTH: usize = 64;

/// Why a body is not a payment. The text is the detail that the client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentBodyError {
    /// Not one JSON value, or not UTF-8.
    #[error("the body is not valid JSON in UTF-8")]
    NotJson,
    /// More than 64 levels.
    #[error("the body is nested more than 64 levels deep")]
    TooDeep,
    /// JSON, but not an object.
    #[error("the body must be a JSON object with correlationId and amount")]
    NotAnObject,
    /// A member that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A member that must be there once is there again.
    #[error("{0} appears more than once")]
    Repeated(&'static str),
    /// The id is not a string.
    #[error("correlationId must be a string that holds a UUID")]
    IdNotAString,
    /// The id is a string, but not a UUID.
    #[error("correlationId is {0}")]
    BadId(CorrelationIdError),
    /// The amount is not a number.
    #[error("amount must be a number, such as 19.90, without quotes")]
    AmountNotANumber,
    /// The amount is a number, but not an amount of money.
    #[error("amount {0}")]
    BadAmount(MoneyError),
}

/// Reads payments one after another, in buffers that it keeps. They grow with the largest
/// body, so to no more than some 300 KiB.
pub struct PaymentParser {
    /// simd-json unescapes strings in place, so it gets a copy: the body itself stays as
    /// it is, with the amount's own digits.
    copy: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for PaymentParser {
    fn default() -> Self {
        Self {
            copy: Vec::new(),
            buffers: Buffers::with_max_depth(MAX_BODY_BYTES, MAX_DEPTH),
            tape: Tape(Vec::new()),
        }
    }
}

impl PaymentParser {
    /// Reads one payment. Members other than the two of a payment are ignored.
    pub fn parse(&mut self, body: &[u8]) -> Result<Payment, PaymentBodyError> {
        self.copy.clear();
        self.copy.extend_from_slice(body);
        match self.read(body) {
            // It may be JSON all the same: simd-json also stops at a number that no machine
            // word holds, such as 1e400.
            Err(PaymentBodyError::NotJson) if self.write_zeros_over_numbers(body) => {
                self.read(body)
            }
            read => read,
        }
    }

    /// Reads the copy; the amount is read from `body`.
    fn read(&mut self, body: &[u8]) -> Result<Payment, PaymentBodyError> {
        let mut tape: Tape<'_> = std::mem::replace(&mut self.tape, Tape(Vec::new()));
        let payment = match simd_json::fill_tape(&mut self.copy, &mut self.buffers, &mut tape) {
            Ok(()) => read_payment(&tape.0, body, self.buffers.structural_indexes()),
            Err(error) if matches!(error.error(), ErrorType::DepthLimitExceeded) => {
                Err(PaymentBodyError::TooDeep)
            }
            Err(_) => Err(PaymentBodyError::NotJson),
        };
        self.tape = tape.reset();
        payment
    }

    /// Makes the copy equal to the body but with 0 for every number, or returns false when
    /// something that starts like a number is none.
    fn write_zeros_over_numbers(&mut self, body: &[u8]) -> bool {
        self.copy.clear();
        self.copy.extend_from_slice(body);
        for (start, number) in numbers(body, self.buffers.structural_indexes()) {
            // The money parser knows the grammar; the range does not matter here.
            if number.parse::<Money>() == Err(MoneyError::NotANumber) {
                return false;
            }
            if let Some(place) = self.copy.get_mut(start..start + number.len()) {
                place.fill(b' ');
                place[0] = b'0';
            }
        }
        true
    }
}

/// Reads a payment from the nodes of a document.
///
/// Its amount is the n-th number among the nodes, so it is the n-th number of the body,
/// and that is read digit by digit. The float on the tape is never looked at.
fn read_payment(
    nodes: &[Node<'_>],
    body: &[u8],
    structural_indexes: &[u32],
) -> Result<Payment, PaymentBodyError> {
    let Some((Node::Object { len, .. }, mut rest)) = nodes.split_first() else {
        return Err(PaymentBodyError::NotAnObject);
    };
    let mut id = None;
    let mut amount = None;
    let mut numbers_before = 0;
    for _ in 0..*len {
        // A tape that breaks its own rules would be a bug; it is refused, not trusted.
        let [Node::String(key), value, ..] = rest else {
            return Err(PaymentBodyError::NotJson);
        };
        let size = match value {
            Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
            Node::String(_) | Node::Static(_) => 1,
        };
        match *key {
            "correlationId" => set_once(&mut id, "correlationId", read_id(value)?)?,
            "amount" => {
                let number = is_number(value)
                    .then(|| numbers(body, structural_indexes).nth(numbers_before))
                    .flatten();
                let (_, text) = number.ok_or(PaymentBodyError::AmountNotANumber)?;
                let money = text.parse().map_err(PaymentBodyError::BadAmount)?;
                set_once(&mut amount, "amount", money)?;
            }
            _ => {}
        }
        let (member, after) = rest
            .split_at_checked(1 + size)
            .ok_or(PaymentBodyError::NotJson)?;
        numbers_before += member.iter().filter(|node| is_number(node)).count();
        rest = after;
    }
    Ok(Payment {
        id: id.ok_or(PaymentBodyError::Missing("correlationId"))?,
        amount: amount.ok_or(PaymentBodyError::Missing("amount"))?,
    })
}

fn read_id(value: &Node<'_>) -> Result<CorrelationId, PaymentBodyError> {
    match value {
        Node::String(text) => text.parse().map_err(PaymentBodyError::BadId),
        Node::Object { .. } | Node::Array { .. } | Node::Static(_) => {
            Err(PaymentBodyError::IdNotAString)
        }
    }
}

fn set_once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), PaymentBodyError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(PaymentBodyError::Repeated(name)),
    }
}

fn is_number(node: &Node<'_>) -> bool {
    match node {
        Node::Static(StaticNode::Null | StaticNode::Bool(_)) => false,
        Node::Static(_) => true,
        Node::String(_) | Node::Object { .. } | Node::Array { .. } => false,
    }
}

/// The numbers of the body in order, with their places. simd-json's first stage found where
/// every token starts, outside of strings; one that starts like a number is one.
fn numbers<'a>(
    body: &'a [u8],
    structural_indexes: &'a [u32],
) -> impl Iterator<Item = (usize, &'a str)> {
    structural_indexes.iter().filter_map(|&index| {
        let start = usize::try_from(index).ok()?;
        let token = body.get(start..)?;
        if !matches!(token.first(), Some(b'-' | b'0'..=b'9')) {
            return None;
        }
        let len = token
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(token.len());
        let text = str::from_utf8(token.get(..len)?).ok()?;
        Some((start, text))
    })
}

#[cfg(test)]
mod tests;
