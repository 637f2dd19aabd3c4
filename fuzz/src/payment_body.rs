//! The body of `POST /payments`.

use std::cell::RefCell;

use feeway_domain::Payment;
use feeway_front::{MAX_BODY_BYTES, PaymentBodyError, PaymentParser};

use crate::oracle::{self, Members};

/// How deep a body may be nested.
const DEPTH_MAX: usize = 64;

thread_local! {
    static USED: RefCell<PaymentParser> = RefCell::default();
}

/// Panics on a finding.
pub fn check(body: &[u8]) {
    if body.len() > MAX_BODY_BYTES {
        return;
    }
    let read = USED.with_borrow_mut(|parser| parser.parse(body));
    let fresh = PaymentParser::default().parse(body);
    assert_eq!(read, fresh, "the bodies before this one changed what it is");
    let expected = expected(body);
    match read {
        Ok(payment) => {
            let found = (payment.id.to_string(), payment.amount.cents());
            assert_eq!(Some(found), expected, "accepted");
            assert!(oracle::depth(body) <= DEPTH_MAX, "too deep");
            check_round_trip(payment);
        }
        Err(PaymentBodyError::TooDeep) => {
            // It stops at the depth, whatever comes behind it.
            assert!(oracle::depth(body) > DEPTH_MAX, "not so deep");
        }
        Err(error) => {
            let sound = expected.is_some() && oracle::depth(body) <= DEPTH_MAX;
            assert!(
                !sound || oracle::may_hold_lone_surrogate(body),
                "refused: {error}"
            );
        }
    }
    if read == Err(PaymentBodyError::NotJson) {
        let sound = oracle::is_json(body) && oracle::depth(body) <= DEPTH_MAX;
        assert!(
            !sound || oracle::may_hold_lone_surrogate(body),
            "it is JSON"
        );
    }
}

fn expected(body: &[u8]) -> Option<(String, i64)> {
    let members = Members::read(body)?;
    let id = oracle::id(members.only("correlationId")?)?;
    Some((id, oracle::cents(members.only("amount")?)?))
}

fn check_round_trip(payment: Payment) {
    let written = format!(
        r#"{{"correlationId":"{}","amount":{}}}"#,
        payment.id, payment.amount
    );
    let again = PaymentParser::default().parse(written.as_bytes());
    assert_eq!(again, Ok(payment), "{written}");
}
