use crate::stack::Stack;

#[test]
fn a_short_comparison_measures_both_sides_and_leaves_nothing_running() {
    let stack = Stack::reserve();
    let output = stack.xtask(
        "compare",
        &[
            "floor",
            "--profile=dev",
            "--pairs=1",
            "--parts=paced",
            "--paced-seconds=2",
        ],
    );
    // Whether the bounds are met depends on the machine; that they are judged does not.
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |begin: &str| text.lines().find(|line| line.starts_with(begin));
    for side in ["paced      Feeway ", "paced      floor "] {
        let measured = line(side).unwrap_or_else(|| panic!("{}", stack.describe(&output)));
        assert!(measured.contains("  0 failed  "), "{measured}");
    }
    // 600 and 200 to begin with.
    assert!(line("paced      Feeway ").is_some_and(|line| line.contains("  800 settled ")));
    assert!(line("paced      p99 ms ").is_some_and(|line| line.contains("≤ 0.200 ")));
    assert!(text.contains("0 of 1 backlogs were not settled; books differ by 0 payments: sound"));
    assert_eq!(stack.processes(), Vec::<String>::new());
}
