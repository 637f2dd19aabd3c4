//! The way of the system that Feeway grew out of: a sorted set of keys by time, each payment
//! a text of JSON, and for a summary one script that loads them all and adds floats.

use futures_util::stream::{self, StreamExt};
use redis::aio::MultiplexedConnection;

use crate::ledger::{payment, processor};

const SCRIPT: &str = r"
local totals = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[2])) do
  local payment = cjson.decode(redis.call('GET', key))
  local total = totals[payment.processor] or { requests = 0, amount = 0 }
  total.requests = total.requests + 1
  total.amount = total.amount + payment.amount
  totals[payment.processor] = total
end
return cjson.encode(totals)";

/// Payments written in one round trip.
const CHUNK: usize = 1_000;

/// Writes so many payments, evenly spread over some microseconds.
///
/// # Panics
/// When Redis does not take them.
pub async fn fill(raw: &MultiplexedConnection, payments: u64, start: i64, span: i64) {
    let numbers: Vec<u64> = (0..payments).collect();
    stream::iter(numbers.chunks(CHUNK))
        .map(|chunk| {
            let mut raw = raw.clone();
            let mut writes = redis::pipe();
            for &number in chunk {
                let part = i128::from(number) * i128::from(span) / i128::from(payments);
                let micros = start + i64::try_from(part).expect("a part");
                let (id, processor) = (payment(number).id, processor(number));
                let key = format!("payment:{id}");
                let value = format!(
                    r#"{{"correlationId":"{id}","amount":19.90,"processor":"{processor}","requestedAt":{micros}}}"#
                );
                writes.cmd("SET").arg(&key).arg(value).ignore();
                writes.cmd("ZADD").arg("payments").arg(micros).arg(&key).ignore();
            }
            async move { writes.exec_async(&mut raw).await }
        })
        .buffer_unordered(8)
        .for_each(|written| async move { assert!(written.is_ok(), "{written:?}") })
        .await;
}

/// The totals of a window as text.
///
/// # Panics
/// When Redis has no answer.
pub async fn summary(raw: &mut MultiplexedConnection, from: i64, to: i64) -> String {
    let asked = redis::cmd("EVAL")
        .arg(SCRIPT)
        .arg(1)
        .arg("payments")
        .arg(from)
        .arg(to)
        .query_async(raw)
        .await;
    asked.expect("an answer")
}
