//! The body of `GET /payments-summary`.

use std::fmt::Write as _;

use feeway_domain::{ProcessorName, Summary, Total};

/// One member for each configured processor in its order, zeros included, then one for each
/// that only the ledger knows. Amounts are printed from whole cents.
pub(crate) fn body(configured: &[ProcessorName], summary: &Summary) -> String {
    let known = configured.iter().map(|name| (name, summary.of(name)));
    let strangers = summary
        .0
        .iter()
        .filter(|(name, _)| !configured.contains(name))
        .map(|(name, total)| (name, *total));
    let mut body = String::with_capacity(128);
    body.push('{');
    for (name, total) in known.chain(strangers) {
        if body.len() > 1 {
            body.push(',');
        }
        write_member(&mut body, name, &total);
    }
    body.push('}');
    body
}

/// A processor's name is made of letters that need no escape.
fn write_member(body: &mut String, name: &ProcessorName, total: &Total) {
    let Total { count, .. } = total;
    let amount = total.amount();
    write!(
        body,
        r#""{name}":{{"totalRequests":{count},"totalAmount":{amount}}}"#
    )
    .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(configured: &[&str], ledger: &[(&str, u64, i128)], expected: &str) {
        let name = |text: &str| text.parse::<ProcessorName>().unwrap();
        let configured: Vec<_> = configured.iter().map(|text| name(text)).collect();
        let summary = Summary(
            ledger
                .iter()
                .map(|&(text, count, cents)| (name(text), Total { count, cents }))
                .collect(),
        );
        assert_eq!(body(&configured, &summary), expected);
    }

    #[test]
    fn configured_processors_come_first_in_their_order_with_zeros() {
        check(
            &["default", "fallback"],
            &[],
            r#"{"default":{"totalRequests":0,"totalAmount":0.00},"fallback":{"totalRequests":0,"totalAmount":0.00}}"#,
        );
        check(
            &["z", "m"],
            &[("a", 1, 5), ("m", 2, 3980), ("y", 3, 100)],
            r#"{"z":{"totalRequests":0,"totalAmount":0.00},"m":{"totalRequests":2,"totalAmount":39.80},"a":{"totalRequests":1,"totalAmount":0.05},"y":{"totalRequests":3,"totalAmount":1.00}}"#,
        );
    }

    #[test]
    fn amounts_are_exact_beyond_what_a_float_holds() {
        check(
            &["default"],
            &[(
                "default",
                18_446_744_073_709_551_615,
                99_999_999_999_999_999_999,
            )],
            r#"{"default":{"totalRequests":18446744073709551615,"totalAmount":999999999999999999.99}}"#,
        );
    }
}
