use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_feeway-leader"))
        .args(arguments)
        .env("FEEWAY_REDIS", "unix:///nowhere/redis.sock")
        .env("FEEWAY_NATS", "nats://127.0.0.1:1")
        .output()
        .unwrap()
}

#[test]
fn a_bad_value_ends_with_64_and_one_line_that_names_it() {
    for (arguments, named) in [
        (&["--processor", "default=nowhere,fee=0.05"][..], "nowhere"),
        (&["--processor", "a=http://a:1,fee=2"], "--processor"),
        (&[], "--processor"),
        (&["--admin-listen", "9100"], "9100"),
    ] {
        let output = run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn help_ends_with_0_and_names_every_variable() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for variable in [
        "FEEWAY_NAME",
        "FEEWAY_PROCESSORS",
        "FEEWAY_REDIS",
        "FEEWAY_NATS",
        "FEEWAY_ADMIN_LISTEN",
    ] {
        assert!(help.contains(variable), "{variable}:\n{help}");
    }
}

#[test]
fn an_admin_address_that_is_taken_ends_with_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp:{}", taken.local_addr().unwrap());
    let output = run(&[
        "--processor",
        "a=http://a:1,fee=0.05",
        "--admin-listen",
        &address,
    ]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot listen on 127.0.0.1"), "{said}");
}
