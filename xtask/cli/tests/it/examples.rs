//! The programs in `examples` do what they are there to show.

use std::path::Path;
use std::process::{Command, Output};

use feeway_machine::files::repository;

use crate::own_process::OwnProcess;
use crate::stack::{Stack, consecutive_free_ports};

#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Where cargo puts them, beside its other programs.
fn example(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name(name))
}

#[test]
fn the_shop_pays_and_the_least_processor_fits() {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--package", "feeway-examples"])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    said(&built);
    let stack = Stack::up(&[]);
    let shop = example("feeway-example-shop")
        .args([&*format!("localhost:{}", stack.port), "19.90"])
        .output()
        .expect("cargo built it");
    let shop = said(&shop);
    assert!(shop.contains(r#""status":"settled""#), "{shop}");
    assert!(
        shop.contains(r#""totalRequests":1,"totalAmount":19.90"#),
        "{shop}"
    );

    let port = consecutive_free_ports();
    let mut processor = example("feeway-example-processor");
    processor.arg(format!("127.0.0.1:{port}"));
    let _processor = OwnProcess::start(processor, &stack, "example", port);
    let certified = Command::new(stack.dir.join("bin/feeway-certify"))
        .args([&*format!("http://127.0.0.1:{port}"), "--yes"])
        .output()
        .expect("up built it");
    let certified = said(&certified);
    assert!(certified.contains("verdict: fits"), "{certified}");
}
