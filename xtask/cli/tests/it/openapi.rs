//! The service answers as `docs/openapi.json` says, and does all that it says.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use feeway_machine::files::repository;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::http::{Answer, Connection};
use crate::stack::{Stack, eventually, new_id, payment, signal};

/// The document, and which of its answers were seen.
struct Document {
    json: Value,
    seen: BTreeSet<String>,
}

impl Document {
    fn read() -> Self {
        let file = repository().join("docs/openapi.json");
        let text = fs::read_to_string(file).expect("it is in the repository");
        Self {
            json: serde_json::from_str(&text).expect("it is JSON"),
            seen: BTreeSet::new(),
        }
    }

    /// Asserts that the document foresees this answer to this operation.
    #[track_caller]
    fn check(&mut self, operation: &str, answer: &Answer) {
        let (method, path) = operation.split_once(' ').expect("a method and a path");
        let responses = &self.json["paths"][path][method]["responses"];
        let response = &responses[answer.status.to_string()];
        assert!(response.is_object(), "{operation} has no such {answer:?}");
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let value = answer.header(&name.to_ascii_lowercase());
            assert!(value.is_some() || header["required"] != true, "{answer:?}");
        }
        match response["content"].as_object() {
            None => assert_eq!(answer.body, "", "{operation}"),
            Some(content) => {
                let kind = answer.header("content-type").unwrap_or_default();
                let schema = &content[kind]["schema"];
                let found = answer.json();
                let validator = self.validator(schema);
                let errors = validator.iter_errors(&found);
                let errors: Vec<String> = errors.map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{operation} {answer:?} {errors:?}");
            }
        }
        self.seen.insert(format!("{operation} {}", answer.status));
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut whole = schema.clone();
        whole["components"] = self.json["components"].clone();
        jsonschema::validator_for(&whole).expect("a schema")
    }

    /// Every answer that the document foresees.
    fn foreseen(&self) -> BTreeSet<String> {
        let mut foreseen = BTreeSet::new();
        for (path, item) in self.json["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                for status in operation["responses"].as_object().into_iter().flatten() {
                    foreseen.insert(format!("{method} {path} {}", status.0));
                }
            }
        }
        foreseen
    }
}

#[test]
fn every_answer_is_as_the_openapi_document_says() {
    let mut document = Document::read();
    let stack = Stack::up(&[]);
    accepting(&mut document, &stack);
    asking(&mut document, &stack);
    let forbidden = stack.ask("POST", "/purge-payments", "");
    document.check("post /purge-payments", &forbidden);
    drop(stack);

    let no_patience = ["--patience", "0s", "--absence-after", "1s"];
    let stack = Stack::up(&[&["--fronts", "1"], &no_patience[..]].concat());
    rejecting(&mut document, &stack);
    drop(stack);

    let stack = Stack::up(&["--allow-purge"]);
    purging(&mut document, &stack);
    without_redis(&mut document, &stack);

    let foreseen = document.foreseen();
    let unseen: Vec<_> = foreseen.difference(&document.seen).collect();
    assert!(unseen.is_empty(), "never answered: {unseen:?}");
}

fn accepting(document: &mut Document, stack: &Stack) {
    let mut post = |body: &str, expected: u16| {
        let answer = stack.ask("POST", "/payments", body);
        assert_eq!(answer.status, expected, "{answer:?}");
        document.check("post /payments", &answer);
    };
    let id = new_id();
    post(&payment(&id, "19.90"), 202);
    post(&payment(&id, "19.90"), 202);
    post(&payment(&id, "19.91"), 409);
    post(&payment(&id, "0"), 400);
    let padding = " ".repeat(16 * 1024);
    post(&format!("{}{padding}", payment(&new_id(), "1")), 413);

    let body = payment(&new_id(), "1");
    let mut back = Connection::open(stack.port);
    let head = format!(
        "POST /payments HTTP/1.1\r\nHost: feeway\r\nVia: feeway/feeway\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    back.send(format!("{head}{body}").as_bytes());
    let answer = back.answer();
    assert_eq!(answer.status, 508, "{answer:?}");
    document.check("post /payments", &answer);

    let mut slow = Connection::open(stack.port);
    slow.send(b"POST /payments HTTP/1.1\r\nHost: feeway\r\nContent-Length: 10\r\n\r\n{");
    let answer = slow.answer();
    assert_eq!(answer.status, 408, "{answer:?}");
    document.check("post /payments", &answer);
}

fn asking(document: &mut Document, stack: &Stack) {
    let mut get = |operation: &str, path: &str, expected: u16| {
        let head = stack.connect().head(path);
        assert_eq!(head.status, expected, "{path} {head:?}");
        document.check(&operation.replace("get ", "head "), &head);
        let answer = stack.ask("GET", path, "");
        assert_eq!(answer.status, expected, "{path} {answer:?}");
        document.check(operation, &answer);
        answer
    };
    eventually(Duration::from_secs(5), "the payment is settled", || {
        stack.summary("").0 == (1, 1990)
    });
    get("get /payments-summary", "/payments-summary", 200);
    let window = "/payments-summary?from=2025-07-01T00:00:00.000000Z";
    get("get /payments-summary", window, 200);
    get("get /payments-summary", "/payments-summary?to=now", 400);

    stack.set_failing(0, true);
    stack.set_failing(1, true);
    let open = new_id();
    let answer = stack.ask("POST", "/payments", &payment(&open, "0.01"));
    assert_eq!(answer.status, 202, "{answer:?}");
    get("get /payments/{id}", &format!("/payments/{open}"), 200);
    get(
        "get /payments/{id}",
        &format!("/payments/{}", new_id()),
        404,
    );
    let page = get("get /payments", "/payments?limit=1", 200).json();
    assert_eq!(page["payments"][0]["fee"], json!(0.05), "{page}");
    let id = page["payments"][0]["correlationId"].as_str();
    let settled = format!("/payments/{}", id.expect("the settled payment"));
    get("get /payments/{id}", &settled, 200);
    let page = get("get /payments", "/payments?status=open", 200).json();
    assert_eq!(page["payments"][0]["correlationId"], open, "{page}");
    for status in ["pinned", "rejected", "conflict"] {
        get("get /payments", &format!("/payments?status={status}"), 200);
    }
    get("get /payments", "/payments?limit=0", 400);
    let with_parameter = format!("/payments/{open}?x=1");
    get("get /payments/{id}", &with_parameter, 400);
    stack.set_failing(0, false);
    stack.set_failing(1, false);
    eventually(Duration::from_secs(10), "nothing is open", || {
        stack.summary("").0 == (2, 1991)
    });
}

/// Without patience whatever every processor declines is rejected once it is absent there.
fn rejecting(document: &mut Document, stack: &Stack) {
    let decline = |processor: u16| {
        let rules = r#"{"rules":[{"post":{"status":402}}]}"#;
        stack.admin(processor, "PUT", "/admin/rules", rules);
    };
    let post = |id: &str| stack.ask("POST", "/payments", &payment(id, "19.90"));
    // Each has to hold one before its absences count.
    for declining in [None, Some(0), Some(1)] {
        declining.into_iter().for_each(decline);
        let id = new_id();
        assert_eq!(post(&id).status, 202);
        let mut found = None;
        eventually(Duration::from_secs(20), "it has come to its end", || {
            let answer = stack.ask("GET", &format!("/payments/{id}"), "");
            let has_ended = answer.json()["status"] != "open";
            found = Some(answer);
            has_ended
        });
        let found = found.expect("it was asked for");
        document.check("get /payments/{id}", &found);
        if declining == Some(1) {
            let reason = "default answered 402, fallback answered 402";
            assert_eq!(found.json()["reason"], reason, "{found:?}");
            let repeated = post(&id);
            assert_eq!(repeated.status, 422, "{repeated:?}");
            document.check("post /payments", &repeated);
            let page = stack.ask("GET", "/payments?status=rejected", "");
            document.check("get /payments", &page);
        }
    }
}

fn purging(document: &mut Document, stack: &Stack) {
    let mut purge = |expected: u16| {
        let query = if expected == 400 { "?all=1" } else { "" };
        let answer = stack.ask("POST", &format!("/purge-payments{query}"), "");
        assert_eq!(answer.status, expected, "{answer:?}");
        document.check("post /purge-payments", &answer);
    };
    purge(400);
    stack.set_failing(0, true);
    stack.set_failing(1, true);
    stack.pay(&mut stack.connect());
    purge(409);
    stack.set_failing(0, false);
    stack.set_failing(1, false);
    eventually(Duration::from_secs(10), "the payment is settled", || {
        stack.summary("").0 == (1, 1990)
    });
    purge(200);
    assert_eq!(stack.summary(""), ((0, 0), (0, 0)));
}

fn without_redis(document: &mut Document, stack: &Stack) {
    let redis = stack.pid("redis");
    signal(redis, "STOP");
    let id = new_id();
    for (operation, path, body) in [
        ("post /payments", "/payments".to_owned(), payment(&id, "1")),
        ("get /payments", "/payments".to_owned(), String::new()),
        (
            "get /payments/{id}",
            format!("/payments/{id}"),
            String::new(),
        ),
        (
            "get /payments-summary",
            "/payments-summary".to_owned(),
            String::new(),
        ),
        (
            "post /purge-payments",
            "/purge-payments".to_owned(),
            String::new(),
        ),
    ] {
        let method = operation.split(' ').next().unwrap_or_default();
        let answer = stack.ask(&method.to_uppercase(), &path, &body);
        assert_eq!(answer.status, 503, "{operation} {answer:?}");
        document.check(operation, &answer);
        if let Some(path_of) = operation.strip_prefix("get ") {
            let head = stack.connect().head(&path);
            document.check(&format!("head {path_of}"), &head);
        }
    }
    signal(redis, "CONT");
}

#[test]
fn examples_in_the_document_are_what_it_demands() {
    let document = Document::read();
    let validator = document.validator(&document.json["components"]["schemas"]["NewPayment"]);
    let good = |amount: Value| json!({"correlationId": new_id(), "amount": amount});
    for amount in [json!(19.9), json!(0.29), json!(35), json!(9_999_999_999.99)] {
        assert!(validator.is_valid(&good(amount.clone())), "{amount}");
    }
    for bad in [
        good(json!(0)),
        good(json!(19.905)),
        good(json!("1")),
        json!({"amount": 1}),
        json!([]),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

/// What the schema lets through and what it does not is what the service takes and refuses;
/// but a schema knows no calendar, which its description says.
#[test]
fn the_schema_of_instants_and_cursors_is_as_narrow_as_the_service() {
    let document = Document::read();
    let check = |schema: &str, text: &str, expected: bool| {
        let validator = document.validator(&document.json["components"]["schemas"][schema]);
        assert_eq!(
            validator.is_valid(&json!(text)),
            expected,
            "{schema} {text}"
        );
    };
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", true),
        ("2025-07-15T12:34:56.123456Z", true),
        ("9999-12-30T21:59:59.999999Z", true),
        ("2025-07-15T12:34:56.1234567Z", false),
        ("2025-07-15T12:34:56.Z", false),
        ("1969-12-31T23:59:59Z", false),
        ("2025-13-01T00:00:00Z", false),
        ("2025-07-15T24:00:00Z", false),
        ("2025-07-15T23:59:60Z", false),
        ("2025-07-15T12:34:56+00:00", false),
        ("", false),
    ] {
        check("Instant", text, expected);
    }
    let id = new_id();
    for (text, expected) in [
        (format!("settled.1752582896000001.{id}.1990.default"), true),
        (format!("open.1752582896000001.{id}.1990."), true),
        (format!("settled.1752582896000001.{id}.1990."), false),
        (format!("closed.1752582896000001.{id}.1990.default"), false),
        ("settled".to_owned(), false),
        (String::new(), false),
    ] {
        check("Cursor", &text, expected);
    }
}
