use crate::stack::Stack;

#[test]
fn the_audit_of_a_real_stack_finds_a_lost_payment_and_a_second_charge_and_nothing_else() {
    let stack = Stack::reserve();
    let (port, simulator_port) = (stack.port.to_string(), stack.simulator_port.to_string());
    let mut arguments = vec!["--scenario", "sabotage", "--profile", "dev", "--seed", "7"];
    arguments.extend(["--port", &port, "--simulator-port", &simulator_port]);
    let output = stack.xtask("chaos", &arguments);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", stack.describe(&output));
    let count = |row: &str| {
        let line = said.lines().find(|line| line.trim_start().starts_with(row));
        let number = line.and_then(|line| line.split_whitespace().last()?.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("no {row} in\n{said}"))
    };
    assert_eq!((count("lost "), count("twice "), count("open ")), (1, 1, 0));
    // The one that is lost and the one that two hold are not settled by exactly one.
    assert_eq!(count("settled "), count("accepted ") - 2);
}
