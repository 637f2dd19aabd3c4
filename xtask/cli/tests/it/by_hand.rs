//! The processes of a stack, started one by one by a test instead of by `up`.

use std::fs::{self, DirBuilder};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::own_process::OwnProcess;
use crate::stack::Stack;

/// How the processes of a stack are run, for a test that starts them itself.
pub(crate) struct ByHand<'a> {
    pub(crate) stack: &'a Stack,
    plan: Value,
}

impl<'a> ByHand<'a> {
    /// Takes the plan of a stack that is up, and stops it.
    pub(crate) fn take_over(stack: &'a Stack) -> Self {
        let plan = fs::read_to_string(stack.dir.join("plan.json")).expect("a stack runs");
        let plan = serde_json::from_str(&plan).expect("it is written whole");
        let down = stack.xtask("down", &[]);
        assert!(down.status.success(), "{}", stack.describe(&down));
        Self { stack, plan }
    }

    /// Forgets payments and logs, as those of another stack.
    pub(crate) fn afresh(&self) {
        for folder in ["redis", "logs"] {
            let folder = self.stack.dir.join(folder);
            fs::remove_dir_all(&folder).expect("nothing runs");
            fs::create_dir(&folder).expect("room for a folder");
        }
        let sockets = PathBuf::from(text(&self.plan["socket_folder"]));
        if sockets.exists() {
            fs::remove_dir_all(&sockets).expect("nothing runs");
        }
        let made = DirBuilder::new().mode(0o700).create(sockets);
        made.expect("room for a folder");
    }

    fn process(&self, name: &str) -> &Value {
        let processes = self.plan["processes"].as_array().expect("a list");
        let named = processes.iter().find(|process| process["name"] == name);
        named.unwrap_or_else(|| panic!("{name} in {}", self.plan))
    }

    pub(crate) fn start(&self, name: &str) -> OwnProcess {
        self.start_with(name, &[])
    }

    /// Starts it with more arguments than the plan has; of an option that is there twice the
    /// last counts with servers that are not ours.
    pub(crate) fn start_with(&self, name: &str, more: &[&str]) -> OwnProcess {
        let process = self.process(name);
        let mut command = Command::new(text(&process["program"]));
        let arguments = process["arguments"].as_array().expect("a list");
        command.args(arguments.iter().map(text)).args(more);
        for (name, value) in process["environment"].as_object().expect("an object") {
            match value.as_str() {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        OwnProcess::spawn(command, self.stack, name)
    }

    /// Whether it can be reached.
    pub(crate) fn listens(&self, name: &str) -> bool {
        let address = &self.process(name)["address"];
        match (address["tcp"].as_str(), address["unix"].as_str()) {
            (Some(address), _) => TcpStream::connect(address).is_ok(),
            (_, Some(socket)) => UnixStream::connect(socket).is_ok(),
            (None, None) => panic!("no address: {address}"),
        }
    }

    /// How many lines of its log hold this text.
    pub(crate) fn logged(&self, name: &str, line: &str) -> usize {
        let log = self.stack.dir.join(format!("logs/{name}.log"));
        let log = fs::read_to_string(log).expect("it was started");
        log.lines().filter(|one| one.contains(line)).count()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
