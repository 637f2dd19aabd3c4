//! Programs of several releases at one Redis.

use crate::stack::Stack;

/// The functions of a stack as a release of the future has them.
fn newer(stack: &Stack) -> String {
    let listed = stack.redis_cli(&["FUNCTION", "LIST", "LIBRARYNAME", "feeway_v1", "WITHCODE"]);
    let (_, text) = listed.split_once("library_code\n").expect("the text");
    let (before, after) = text.split_once("local VERSION = '").expect("a version");
    let (_, after) = after.split_once('\'').expect("its end");
    format!("{before}local VERSION = '4000000'{after}")
}

#[track_caller]
fn assert_newer_is_there(stack: &Stack, after: &str) {
    let listed = stack.redis_cli(&["FUNCTION", "LIST", "LIBRARYNAME", "feeway_v1"]);
    assert!(
        listed.contains("version 4000000"),
        "after {after}: {listed}"
    );
}

#[test]
fn newer_functions_stay_whoever_connects_and_also_when_memory_is_full() {
    let stack = Stack::up(&[]);
    stack.redis_cli(&["FUNCTION", "LOAD", "REPLACE", &newer(&stack)]);
    stack.pay(&mut stack.connect());
    let listed = stack.ctl(&["list", "open"]);
    assert!(listed.status.success(), "{listed:?}");
    assert_newer_is_there(&stack, "a tool that reads");
    let ended = stack.ctl(&["stand-back", "default", "--end"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_newer_is_there(&stack, "a tool that writes");
    let restarted = stack.xtask("restart", &["front-2"]);
    assert!(restarted.status.success(), "{}", stack.describe(&restarted));
    assert_newer_is_there(&stack, "a front");
    stack.redis_cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let restarted = stack.xtask("restart", &["front-2"]);
    assert!(restarted.status.success(), "{}", stack.describe(&restarted));
    assert_newer_is_there(&stack, "a front at maxmemory");
    stack.redis_cli(&["CONFIG", "SET", "maxmemory", "0"]);
    stack.pay(&mut stack.connect());
}
