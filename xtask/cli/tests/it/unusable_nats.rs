//! NATS that is up in name only: connected, and no report comes through.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use feeway_machine::files::repository;
use serde_json::Value;

use crate::by_hand::ByHand;
use crate::http::Connection;
use crate::own_process::OwnProcess;
use crate::scrape::{admin_port, scrape_one};
use crate::stack::{Stack, eventually, signal};

/// The leader asks every 5.15 s, and a front looks every 5 s: three reports and two looks.
const NOTICED: Duration = Duration::from_secs(30);

/// What the users `front` and `leader` may not do, as NATS's configuration has it.
struct Denied {
    front: &'static str,
    leader: &'static str,
}

const NOTHING: Denied = Denied {
    front: "",
    leader: "",
};
const SUBSCRIBING: Denied = Denied {
    front: r#", permissions: {subscribe: {deny: "feeway.>"}}"#,
    leader: "",
};
const PUBLISHING: Denied = Denied {
    front: "",
    leader: r#", permissions: {publish: {deny: "feeway.>"}}"#,
};

/// One front, one leader and what they need, with a NATS that knows both by name.
struct Scene<'a> {
    by_hand: &'a ByHand<'a>,
    nats: OwnProcess,
    leader: OwnProcess,
    _others: Vec<OwnProcess>,
}

impl<'a> Scene<'a> {
    fn start(by_hand: &'a ByHand<'a>, denied: &Denied) -> Self {
        by_hand.afresh();
        let password = by_hand.stack.dir.join("nats-password");
        fs::write(&password, "open sesame").expect("room for a file");
        write_configuration(by_hand, denied);
        let configuration = configuration(by_hand);
        let configuration = configuration.to_str().expect("a name in UTF-8");
        let password = password.to_str().expect("a name in UTF-8");
        let up = |name: &str, more: &[&str]| {
            let process = by_hand.start_with(name, more);
            eventually(Duration::from_secs(10), name, || by_hand.listens(name));
            process
        };
        let ours = |user| ["--nats-user", user, "--nats-password-file", password];
        let servers = ["redis", "simulator-default", "simulator-fallback"];
        let mut others: Vec<_> = servers.map(|name| up(name, &[])).into();
        let nats = up("nats", &["--config", configuration]);
        let leader = up("leader-1", &ours("leader"));
        others.push(up("front-1", &ours("front")));
        others.push(up("haproxy", &[]));
        Self {
            by_hand,
            nats,
            leader,
            _others: others,
        }
    }

    /// What the front says of itself, however ready it is.
    fn readyz(&self) -> Value {
        let answer = Connection::fetch(admin_port(self.by_hand.stack, "front-1"), "/readyz");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    fn until_front_is_ready(&self) {
        eventually(Duration::from_secs(10), "the front is ready", || {
            self.readyz()["ready"] == true
        });
    }

    /// Waits until the front says this of NATS.
    #[track_caller]
    fn until_nats_is(&self, expected: &str) -> Value {
        let mut said = Value::Null;
        eventually(NOTICED, &format!("NATS is {expected}"), || {
            said = self.readyz();
            said["nats"] == expected
        });
        assert_eq!(self.nats_up("front-1"), f64::from(expected == "up"));
        said
    }

    fn nats_up(&self, process: &str) -> f64 {
        let port = admin_port(self.by_hand.stack, process);
        scrape_one(process.to_owned(), port).sum("feeway_nats_up", "")
    }

    /// Lets both users do what they may from now on.
    fn allow(&self, denied: &Denied) {
        write_configuration(self.by_hand, denied);
        signal(self.nats.pid(), "HUP");
    }
}

fn configuration(by_hand: &ByHand<'_>) -> PathBuf {
    by_hand.stack.dir.join("nats-with-users.conf")
}

fn write_configuration(by_hand: &ByHand<'_>, denied: &Denied) {
    let ours = fs::read_to_string(repository().join("deploy/nats.conf")).expect("it is there");
    let user = |name, denied| format!("{{user: {name}, password: \"open sesame\"{denied}}}");
    let users = [user("front", denied.front), user("leader", denied.leader)].join(", ");
    let text = format!("{ours}\nauthorization {{ users = [ {users} ] }}\n");
    fs::write(configuration(by_hand), text).expect("room for a file");
}

#[test]
fn a_front_that_may_not_subscribe_says_so_until_it_may() {
    let stack = Stack::up(&[]);
    let by_hand = ByHand::take_over(&stack);
    let scene = Scene::start(&by_hand, &SUBSCRIBING);
    scene.until_front_is_ready();
    let said = scene.until_nats_is("unusable");
    let reason = said["natsReason"].as_str().unwrap_or_default();
    assert!(reason.contains("subscribe to feeway.health"), "{said}");
    assert_eq!(said["ready"], true, "{said}");
    assert_eq!(by_hand.logged("front-1", "connected but cannot be used"), 1);
    stack.pay(&mut stack.connect());

    scene.allow(&NOTHING);
    let said = scene.until_nats_is("up");
    assert_eq!(said["natsReason"], Value::Null, "{said}");
    assert_eq!(by_hand.logged("front-1", "connected but cannot be used"), 1);

    // A leader that is paused asks nothing, and nothing is missed.
    signal(scene.leader.pid(), "STOP");
    for _ in 0..NOTICED.as_secs() {
        assert_eq!(scene.readyz()["nats"], "up");
        thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn undelivered_reports_make_nats_unusable() {
    let stack = Stack::up(&[]);
    let by_hand = ByHand::take_over(&stack);
    let scene = Scene::start(&by_hand, &PUBLISHING);
    scene.until_front_is_ready();
    assert_eq!(scene.readyz()["nats"], "up", "nothing is missed yet");
    let said = scene.until_nats_is("unusable");
    let reason = said["natsReason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("did not deliver the last three reports"),
        "{said}"
    );
    assert_eq!(by_hand.logged("front-1", "connected but cannot be used"), 1);
    // The leader knows why.
    assert_eq!(scene.nats_up("leader-1"), 0.0);
    let denied = "does not allow this process to publish";
    assert_eq!(by_hand.logged("leader-1", denied), 1);

    scene.allow(&NOTHING);
    scene.until_nats_is("up");
    eventually(NOTICED, "the leader sees it too", || {
        scene.nats_up("leader-1") == 1.0
    });
}
