use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

fn parse(body: &[u8]) -> Result<Payment, PaymentBodyError> {
    PaymentParser::default().parse(body)
}

/// Checks what a body gives: cents, or the detail of the refusal.
fn check(body: &str, expected: Result<i64, &str>) {
    let read = parse(body.as_bytes()).map(|payment| payment.amount.cents());
    let read = read.map_err(|error| error.to_string());
    assert_eq!(
        read.as_ref().copied(),
        expected.map_err(str::to_owned).as_ref().copied(),
        "{body}"
    );
}

fn check_amount(amount: &str, expected: Result<i64, &str>) {
    check(
        &format!(r#"{{"correlationId":"{ID}","amount":{amount}}}"#),
        expected,
    );
    check(
        &format!(r#"{{"amount":{amount},"correlationId":"{ID}"}}"#),
        expected,
    );
    // Other numbers around it, some of them in strings, must not be taken for it.
    check(
        &format!(
            r#" {{ "5" : [ 1 , -2.5 , {{ "amount" : 7 , "8" : "9" }} ] , "s\"1\\" : "\\\"3,4" ,
              "correlationId" : "{ID}" , "amount" : {amount} , "z" : 11 }} "#
        ),
        expected,
    );
}

#[test]
fn an_amount_is_read_to_the_cent() {
    check_amount("19.9", Ok(1990));
    check_amount("19.90", Ok(1990));
    check_amount("20", Ok(2000));
    check_amount("1e2", Ok(10_000));
    check_amount("1E+2", Ok(10_000));
    check_amount("1990e-2", Ok(1990));
    check_amount("0.01", Ok(1));
    check_amount("9999999999.99", Ok(999_999_999_999));
    check_amount("19.90000000000000000000000000000000", Ok(1990));
    check_amount("1990000000000000000000000000000e-29", Ok(1990));
    check_amount("0.000000000000000000000000000199e29", Ok(1990));
}

#[test]
fn a_number_that_is_no_amount_is_told_why() {
    let fraction = Err("amount must have at most two decimals");
    let positive = Err("amount must be greater than 0");
    let large = Err("amount must be at most 9999999999.99");
    check_amount("19.905", fraction);
    check_amount("19.900000000000000000000001", fraction);
    check_amount("1e-400", fraction);
    check_amount("-1", positive);
    check_amount("0", positive);
    check_amount("-0", positive);
    check_amount("0.0", positive);
    check_amount("-1e400", positive);
    check_amount("1e400", large);
    check_amount("10000000000", large);
    check_amount("99999999999999999999999999", large);
    check_amount("18446744073709551616", large);
}

#[test]
fn anything_but_a_number_is_no_amount() {
    let number = Err("amount must be a number, such as 19.90, without quotes");
    for amount in [r#""19.9""#, "null", "true", "[19.9]", r#"{"amount":19.9}"#] {
        check_amount(amount, number);
    }
}

#[test]
fn an_amount_that_is_not_json_is_refused() {
    for amount in [
        "NaN",
        "Infinity",
        "-Infinity",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-",
        "0x10",
        "1_000",
        "1e400x",
        "1e400 2",
        "1.2.3",
        "--1",
        "",
        "1-1",
        "1e400-",
    ] {
        check_amount(amount, Err("the body is not valid JSON in UTF-8"));
    }
}

#[test]
fn each_member_must_appear_exactly_once() {
    let id = format!(r#""correlationId":"{ID}""#);
    check("{}", Err("correlationId is missing"));
    check(r#"{"amount":1}"#, Err("correlationId is missing"));
    check(&format!("{{{id}}}"), Err("amount is missing"));
    check(
        &format!(r#"{{{id},"amount":1,{id}}}"#),
        Err("correlationId appears more than once"),
    );
    check(
        &format!(r#"{{{id},"amount":1,"amount":1}}"#),
        Err("amount appears more than once"),
    );
    check(
        &format!(r#"{{{id},"amount":1,"\u0061mount":1}}"#),
        Err("amount appears more than once"),
    );
    check(
        &format!(r#"{{{id},"x":{{"amount":1}}}}"#),
        Err("amount is missing"),
    );
}

#[test]
fn an_escaped_name_is_the_same_name() {
    check(
        &format!(r#"{{"\u0063orrelationId":"{ID}","\u0061m\u006funt":19.9}}"#),
        Ok(1990),
    );
}

#[test]
fn the_id_must_be_a_uuid_in_a_string() {
    let uuid = "correlationId is not a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    let string = "correlationId must be a string that holds a UUID";
    check(r#"{"correlationId":"","amount":1}"#, Err(uuid));
    check(
        r#"{"correlationId":"4a7901b87d264d9daa194dc1c7cf60b3","amount":1}"#,
        Err(uuid),
    );
    check(r#"{"correlationId":7,"amount":1}"#, Err(string));
    check(r#"{"correlationId":null,"amount":1}"#, Err(string));
    check(
        &format!(r#"{{"correlationId":["{ID}"],"amount":1}}"#),
        Err(string),
    );
    let upper = ID.to_uppercase();
    check(
        &format!(r#"{{"correlationId":"{upper}","amount":1}}"#),
        Ok(100),
    );
}

#[test]
fn only_one_json_object_is_a_payment() {
    let payment = format!(r#"{{"correlationId":"{ID}","amount":1}}"#);
    for array in ["[]", "1", "\"x\"", "null", &format!("[{payment}]")] {
        check(
            array,
            Err("the body must be a JSON object with correlationId and amount"),
        );
    }
    for broken in [
        "",
        " ",
        "{",
        "}",
        "{\"",
        "\u{feff}{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{'a':1}",
        &format!("{payment}x"),
        &format!("{payment}{payment}"),
        &format!("{payment}]"),
        &format!("{payment}\0"),
        &payment.replace('}', ",}"),
    ] {
        check(broken, Err("the body is not valid JSON in UTF-8"));
    }
    let mut latin = payment.clone().into_bytes();
    latin.splice(1..1, *b"\"\xe9\":1,");
    assert_eq!(parse(&latin), Err(PaymentBodyError::NotJson));
    let mut spaced = b"\r\n\t ".to_vec();
    spaced.extend_from_slice(payment.as_bytes());
    spaced.extend_from_slice(b" \n");
    assert!(parse(&spaced).is_ok());
}

#[test]
fn numbers_that_fit_no_machine_word_are_ignored_where_they_do_not_matter() {
    for number in [
        "1e400",
        "-1e400",
        "123456789012345678901234567890",
        "1e-999",
    ] {
        check(
            &format!(r#"{{"x":[{number}],"correlationId":"{ID}","amount":19.9,"y":{number}}}"#),
            Ok(1990),
        );
    }
}

#[test]
fn deep_nesting_is_refused_in_bounded_time_and_stack() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let depth = MAX_BODY_BYTES / (open.len() + close.len()) - 100;
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let body = format!(r#"{{"correlationId":"{ID}","amount":1,"x":{deep}}}"#);
        check(&body, Err("the body is nested more than 64 levels deep"));
        assert!(parse(open.repeat(MAX_BODY_BYTES / open.len()).as_bytes()).is_err());
    }
}

#[test]
fn a_refused_body_leaves_nothing_behind_for_the_next() {
    let mut parser = PaymentParser::default();
    let good = format!(r#"{{"correlationId":"{ID}","amount":19.9}}"#);
    for bad in [
        "",
        "{",
        "[[[[",
        r#"{"amount":1e400,"amount":5"#,
        "\u{0}",
        r#"{"a":"\ud800"}"#,
    ] {
        assert!(parser.parse(bad.as_bytes()).is_err(), "{bad}");
        assert_eq!(parser.parse(good.as_bytes()).unwrap().amount.cents(), 1990);
    }
}

/// What a plain reader makes of a document: whether it is a payment.
fn is_payment(document: &Map<String, Value>) -> bool {
    let id = document.get("correlationId").and_then(Value::as_str);
    let amount = document.get("amount").filter(|amount| amount.is_number());
    id.is_some_and(|id| id.parse::<CorrelationId>().is_ok())
        && amount.is_some_and(|amount| amount.to_string().parse::<Money>().is_ok())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000..100_000i64, 0..4i32).prop_map(|(n, e)| json!(n as f64 / 10f64.powi(e))),
        any::<f64>().prop_map(|float| json!(float)),
        "\\PC{0,8}".prop_map(Value::from),
        "[\"\\\\{}\\[\\]:,0-9 \n\u{1}\u{7f}é𝄞-]{0,12}".prop_map(Value::from),
        Just(json!(ID)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(names(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("correlationId".to_owned()),
        Just("amount".to_owned()),
        "\\PC{0,6}",
        "[\"\\\\0-9-]{0,4}",
    ]
}

fn documents() -> impl Strategy<Value = Map<String, Value>> {
    let id = prop_oneof![3 => Just(json!(ID)), 1 => values()];
    let amount = prop_oneof![
        3 => (1..100_000i64).prop_map(|cents| json!(cents as f64 / 100.0)),
        1 => values(),
    ];
    (
        prop::collection::hash_map(names(), values(), 0..4),
        id,
        amount,
        0..4u8,
    )
        .prop_map(|(members, id, amount, left_out)| {
            let mut document: Map<String, Value> = members.into_iter().collect();
            if left_out != 1 {
                document.insert("correlationId".to_owned(), id);
            }
            if left_out != 2 {
                document.insert("amount".to_owned(), amount);
            }
            document
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        assert!(parse(&body).is_err());
    }

    #[test]
    fn any_json_like_text_is_judged_as_a_plain_reader_judges_it(
        body in "[\\[\\]{}:, \"\\\\0-9eE.+ntrufalsx-]{0,40}",
    ) {
        let plain = serde_json::from_str::<Value>(&body);
        let read = parse(body.as_bytes());
        // Numbers that overflow a float are not JSON to the plain reader only.
        let overflow = plain.as_ref().is_err_and(|e| e.to_string().starts_with("number out of"));
        if !overflow {
            prop_assert_eq!(read == Err(PaymentBodyError::NotJson), plain.is_err(), "{}", body);
        }
    }

    #[test]
    fn objects_are_accepted_as_a_plain_reader_accepts_them(
        document in documents(),
        pretty in any::<bool>(),
    ) {
        let body = if pretty {
            serde_json::to_string_pretty(&document)
        } else {
            serde_json::to_string(&document)
        }
        .unwrap();
        let read = parse(body.as_bytes());
        prop_assert_eq!(read.is_ok(), is_payment(&document), "{} {:?}", body, read);
        if let Ok(payment) = read {
            let amount: Money = document["amount"].to_string().parse().unwrap();
            prop_assert_eq!(payment.amount, amount);
        }
    }

    #[test]
    fn a_damaged_payment_never_turns_into_another(
        cents in 1..1_000_000i64,
        place in 0..70usize,
        byte in any::<u8>(),
    ) {
        let amount = Money::from_cents(cents).unwrap();
        let mut body = format!(r#"{{"correlationId":"{ID}","amount":{amount}}}"#).into_bytes();
        let place = place % body.len();
        body[place] = byte;
        let plain = serde_json::from_slice::<Map<String, Value>>(&body);
        let accepted = parse(&body).is_ok();
        prop_assert!(!accepted || plain.is_ok_and(|document| is_payment(&document)));
    }
}
