use feeway_domain::CorrelationId;

use super::said::Said;
use super::{object_text, without_mark};

/// What the body of a 200 or 201 to `POST /payments` makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// Nothing in it speaks against it: no body at all, a text, or JSON such as
    /// `{"message":"ok"}`.
    Fits,
    /// It says that the payment failed or is pending, is a page for people, or cannot be
    /// read.
    Contradicts,
    /// It is the answer to another payment.
    AnotherPayment,
}

/// Reads what came with a 200 or 201 to this payment.
pub(crate) fn receipt(body: &[u8], id: CorrelationId) -> Receipt {
    match without_mark(body).trim_ascii_start().first() {
        Some(b'<') => return Receipt::Contradicts,
        Some(b'{') => {}
        Some(_) | None => return Receipt::Fits,
    }
    match object_text(body).and_then(|text| Said::read(text, id)) {
        Some(said) if said.names_another && !said.names_us => Receipt::AnotherPayment,
        Some(said) if said.denies || said.names_none_of_ours && !said.names_us => {
            Receipt::Contradicts
        }
        Some(_) => Receipt::Fits,
        None => Receipt::Contradicts,
    }
}

/// Whether the id stands anywhere in a body, whatever else it says.
pub(crate) fn is_named_in(body: &[u8], id: CorrelationId) -> bool {
    let id = id.to_string();
    body.windows(id.len())
        .any(|part| part.eq_ignore_ascii_case(id.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
    const OTHER: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b4";

    fn check(body: impl AsRef<[u8]>, expected: Receipt) {
        let body = body.as_ref();
        let text = String::from_utf8_lossy(body);
        assert_eq!(receipt(body, ID.parse().unwrap()), expected, "{text}");
    }

    #[test]
    fn nothing_plain_text_and_usual_json_fit() {
        for body in [
            "",
            " \r\n",
            "OK",
            "payment failed? no",
            "null",
            "true",
            "[1]",
            r#""pending""#,
            "{}",
            r#"{"message":"payment processed successfully"}"#,
            r#"{"status":"ok","success":true}"#,
            r#"{"status":"processed","code":1.5e3,"n":-7,"x":null,"l":[{"status":"failed"}]}"#,
            r#"{"status":{"code":"approved"},"data":{"status":"settled","success":true}}"#,
            r#"{"a":{"b":{"status":"failed","success":false}}}"#,
            r#"{"message":"failed","error":"none","success":"maybe"}"#,
            &format!(r#"{{"correlationId":"{ID}"}}"#),
            &format!(r#"{{"correlationId":"{}"}}"#, ID.to_uppercase()),
            &format!(r#"{{"correlationId":"{OTHER}","payment":{{"correlationId":"{ID}"}}}}"#),
            r#"{"correlationId":null}"#,
            r#"{"correlationId":17}"#,
            "\u{feff}{}",
        ] {
            check(body, Receipt::Fits);
        }
        check([0xff, 0xfe], Receipt::Fits);
        let deep = format!("{}1{}", r#"{"x":"#.repeat(2_000), "}".repeat(2_000));
        check(deep, Receipt::Fits);
    }

    #[test]
    fn a_body_may_say_otherwise() {
        for body in [
            r#"{"status":"failed"}"#,
            r#"{"status":"DECLINED"}"#,
            r#"{"status":"Rejected"}"#,
            r#"{"status":"error","message":"x"}"#,
            r#"{"status":"pending"}"#,
            r#"{"st\u0061tus":"p\u0065nding"}"#,
            r#"{"status":"ok","status":"failed"}"#,
            r#"{"status":"failed","status":"ok"}"#,
            r#"{"success":false}"#,
            r#"{"id":7,"data":{"success":false}}"#,
            r#"{"payment":{"a":[{}],"b":{"c":{}},"status":"Pending"},"x":1}"#,
            r#"{"status":{"status":"failed"}}"#,
            "\u{feff} {\"success\":false}",
            "<html>",
            "\r\n <!DOCTYPE html>",
            "\u{feff}<p>",
            "{",
            "{]",
            r#"{"message":"ok"} and more"#,
            r#"{"message":"ok"}{"message":"ok"}"#,
            r#"{"correlationId":"one of theirs"}"#,
            r#"{"correlationId":""}"#,
        ] {
            check(body, Receipt::Contradicts);
        }
        check(b"{\"x\":\"\xff\"}", Receipt::Contradicts);
    }

    #[test]
    fn a_body_may_be_that_of_another_payment() {
        for body in [
            format!(r#"{{"correlationId":"{OTHER}"}}"#),
            format!(r#"{{"message":"ok","data":{{"correlationId":"{OTHER}"}}}}"#),
            format!(r#"{{"correlationId":"{OTHER}","status":"failed"}}"#),
            format!(r#"{{"correlationId":"{OTHER}","data":{{"correlationId":"theirs"}}}}"#),
        ] {
            check(body, Receipt::AnotherPayment);
        }
    }

    #[test]
    fn an_id_is_found_wherever_it_stands() {
        let id = ID.parse().unwrap();
        for body in [
            ID.to_owned(),
            format!("kept {} for you", ID.to_uppercase()),
            format!(r#"{{"a":[{{"id":"{ID}"}}]}}"#),
        ] {
            assert!(is_named_in(body.as_bytes(), id), "{body}");
        }
        for body in ["", &ID[1..], OTHER, r#"{"message":"ok"}"#] {
            assert!(!is_named_in(body.as_bytes(), id), "{body}");
        }
    }
}
