use crate::http::Connection;
use crate::stack::{Stack, new_id, payment};

#[test]
fn every_error_of_the_contract_is_a_problem_and_accepts_nothing() {
    let stack = Stack::up(&[]);
    refused_payments(&stack);
    too_large_bodies(&stack);
    refused_questions(&stack);
    unknown_parameters(&stack);
    heads(&stack);
    wrong_paths_and_methods(&stack);
    nothing_like_http(&stack);
    assert_eq!(stack.summary(""), ((0, 0), (0, 0)));
    assert_eq!(stack.books(0, ""), (0, 0));
    assert_eq!(stack.books(1, ""), (0, 0));
}

fn refused_payments(stack: &Stack) {
    let mut connection = stack.connect();
    let mut check = |body: &str| {
        let answer = connection.request("POST", "/payments", body);
        assert_eq!(answer.status, 400, "{body} {answer:?}");
        answer.assert_problem(400);
    };
    let id = new_id();
    check("");
    check("{");
    check("[]");
    check("null");
    check("{}");
    check(&format!("{{\"correlationId\":\"{id}\"}}"));
    check("{\"amount\":19.90}");
    check(&format!("{{\"correlationId\":\"{id}\",\"amount\":19.90"));
    check(&format!(
        "{{\"correlationId\":\"{id}\",\"amount\":19.90}} x"
    ));
    check("{\"correlationId\":17,\"amount\":19.90}");
    check(&payment("not-a-uuid", "19.90"));
    check(&payment(&id.replace('-', ""), "19.90"));
    for amount in [
        "0",
        "-1",
        "19.905",
        "\"19.9\"",
        "NaN",
        "1e400",
        "10000000000",
        "9999999999.991",
        "null",
        "true",
        "{}",
    ] {
        check(&payment(&id, amount));
    }
}

fn too_large_bodies(stack: &Stack) {
    let padding = " ".repeat(16 * 1024);
    let body = format!("{}{padding}", payment(&new_id(), "19.90"));
    stack.ask("POST", "/payments", &body).assert_problem(413);

    let mut connection = stack.connect();
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let head = "POST /payments HTTP/1.1\r\nHost: feeway\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.send(format!("{head}{chunk}").as_bytes());
    connection.answer().assert_problem(413);
}

fn refused_questions(stack: &Stack) {
    let mut connection = stack.connect();
    for query in [
        "from=yesterday",
        "to=2025-13-01T00:00:00Z",
        "from=2025-07-01T00:00:00",
        "from=2025-07-01T00:00:00.0000001Z",
        "to=1969-12-31T23:59:59.999999Z",
        "from=2025-07-02T00:00:00Z&to=2025-07-01T00:00:00Z",
    ] {
        let answer = connection.request("GET", &format!("/payments-summary?{query}"), "");
        assert_eq!(answer.status, 400, "{query} {answer:?}");
        answer.assert_problem(400);
    }
    // An hour that is closed and empty may be cut.
    assert_eq!(stack.summary("?to=2025-01-02T00:00:00Z"), ((0, 0), (0, 0)));
    for query in ["from=2025-01-02T00:00:01Z", "to=2025-01-02T00:00:01Z"] {
        let page = connection.request("GET", &format!("/payments?{query}"), "");
        assert_eq!(page.body, r#"{"payments":[],"next":null}"#, "{page:?}");
    }
    let purge = connection.request("POST", "/purge-payments", "");
    purge.assert_problem(403);
}

fn unknown_parameters(stack: &Stack) {
    let mut connection = stack.connect();
    let one = format!("/payments/{}", new_id());
    let body = payment(&new_id(), "19.90");
    for (method, path, body, known) in [
        (
            "GET",
            "/payments-summary?From=2025-07-01T00:00:00Z",
            "",
            "allowed: from and to",
        ),
        (
            "GET",
            "/payments?Limit=1",
            "",
            "allowed: status, from, to, after and limit",
        ),
        ("GET", &format!("{one}?x"), "", "allowed: none"),
        ("POST", "/payments?x=1", &body, "allowed: none"),
        ("POST", "/purge-payments?all=1", "", "allowed: none"),
        (
            "GET",
            "/payments?limit=1&limit=1",
            "",
            "limit appears more than once",
        ),
    ] {
        let answer = connection.request(method, path, body);
        answer.assert_problem(400);
        assert!(answer.body.contains(known), "{path} {answer:?}");
    }
}

/// Behind the balancer as well a HEAD has the head of a GET, and nothing follows it.
fn heads(stack: &Stack) {
    let mut connection = stack.connect();
    let unknown = format!("/payments/{}", new_id());
    for (path, status) in [
        ("/payments-summary", 200),
        ("/payments", 200),
        ("/payments-summary?to=now", 400),
        (&unknown, 404),
        ("/readyz", 404),
        ("/purge-payments", 405),
    ] {
        let head = connection.head(path);
        let get = connection.request("GET", path, "");
        assert_eq!((head.status, get.status), (status, status), "{path}");
        for name in ["content-type", "content-length", "allow"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

fn wrong_paths_and_methods(stack: &Stack) {
    let mut connection = stack.connect();
    for path in [
        "/",
        "/nothing",
        "/payments/",
        "/readyz",
        "/healthz",
        "/metrics",
    ] {
        let answer = connection.request("GET", path, "");
        assert_eq!(answer.status, 404, "{path} {answer:?}");
        answer.assert_lists_every_route();
    }
    for (method, path, allow) in [
        ("PUT", "/payments", "GET, HEAD, POST"),
        ("DELETE", "/payments", "GET, HEAD, POST"),
        ("OPTIONS", "/payments", "GET, HEAD, POST"),
        ("POST", "/payments-summary", "GET, HEAD"),
        ("OPTIONS", "/payments-summary", "GET, HEAD"),
        ("GET", "/purge-payments", "POST"),
    ] {
        let answer = connection.request(method, path, "");
        answer.assert_problem(405);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

fn nothing_like_http(stack: &Stack) {
    let mut connection = Connection::open(stack.port);
    connection.send(b"this is no request\r\n\r\n");
    assert_eq!(connection.answer().status, 400);

    let mut slow = Connection::open(stack.port);
    let promise = "POST /payments HTTP/1.1\r\nHost: feeway\r\nContent-Length: 80\r\n\r\n{\"corr";
    slow.send(promise.as_bytes());
    slow.answer().assert_problem(408);
}
