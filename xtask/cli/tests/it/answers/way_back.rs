//! A processor's URL that leads back to the entrance.

use std::time::Duration;

use super::{accept_new, fate, told};
use crate::own_process::OwnProcess;
use crate::stack::{Stack, consecutive_free_ports, eventually, new_id, payment};

/// A processor that takes only what says that it comes from this deployment.
fn particular_processor(stack: &Stack, port: u16) -> OwnProcess {
    let configuration = format!(
        r#"
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s

frontend processor
    bind 127.0.0.1:{port}
    http-request return status 404 if METH_GET
    http-request return status 401 unless {{ req.hdr(via) -m str "feeway/shop-1" }}
    http-request return status 200
"#
    );
    OwnProcess::haproxy(stack, "particular", port, &configuration)
}

#[test]
fn attempts_say_where_they_come_from_and_what_comes_back_is_refused_and_settles_nothing() {
    let stack = Stack::reserve();
    let port = consecutive_free_ports();
    let _particular = particular_processor(&stack, port);
    let ourselves = format!("ourselves=http://127.0.0.1:{},fee=0.05", stack.port);
    let particular = format!("particular=http://127.0.0.1:{port},fee=0.15");
    stack.start(&[
        "--deployment",
        "shop-1",
        "--patience",
        "1s",
        "--processor",
        &ourselves,
        "--processor",
        &particular,
    ]);
    for (via, status) in [
        ("feeway/shop-1", 508),
        ("1.1 proxy, feeway/shop-1", 508),
        ("1.1 proxy\r\nVia: Feeway/Shop-1", 508),
        ("feeway/shop-2, 1.1 shop-1", 202),
    ] {
        let headers = format!("Via: {via}\r\n");
        let body = payment(&new_id(), "19.90");
        let answer = stack
            .connect()
            .request_with("POST", "/payments", &headers, &body);
        if status == 202 {
            assert_eq!(answer.status, status, "{via}");
        } else {
            answer.assert_problem(status);
        }
    }

    let mut ids = Vec::new();
    eventually(Duration::from_secs(21), "one goes elsewhere", || {
        ids.push(accept_new(&stack));
        ids.iter()
            .any(|id| fate(&stack, id) == "settled at particular")
    });
    // Our own look-up finds them, and says that they are open.
    let ours = || {
        let kept = ids.iter();
        kept.filter(|id| fate(&stack, id) == "open at ourselves")
            .count()
    };
    eventually(Duration::from_secs(21), "most go elsewhere", || {
        let settled = ids
            .iter()
            .filter(|id| fate(&stack, id) == "settled at particular");
        settled.count() + ours() == ids.len()
    });
    let summary = stack.ask("GET", "/payments-summary", "").json();
    assert_eq!(summary["ourselves"]["totalRequests"], 0, "{summary}");
    assert_eq!(told(&stack, "two processors hold one payment").len(), 0);
}
