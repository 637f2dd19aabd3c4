use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::http_client::{Client, request};
use crate::readiness::Address;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// What compose writes on its containers and volumes.
const PROJECT_LABEL: &str = "com.docker.compose.project";
const SERVICE_LABEL: &str = "com.docker.compose.service";

/// A Docker engine on this machine, asked through its own API.
#[derive(Clone, Debug)]
pub struct Engine {
    socket: PathBuf,
}

/// A container that compose made.
#[derive(Clone, Debug)]
pub struct Container {
    /// The engine's name for it.
    pub id: String,
    /// What `compose.yaml` calls it.
    pub service: String,
    /// Whether it runs now.
    pub running: bool,
    /// Nothing while it does not run.
    pub pid: Option<u32>,
    /// When it was started last.
    pub started_at: Timestamp,
    /// How often the engine has started it again.
    pub restarts: u64,
    /// With what it ended last.
    pub exit_code: i64,
    /// What its health check runs inside it, if it has one.
    health_check: Option<Vec<String>>,
    /// Thousandths of a processor; nothing if it has no limit.
    pub cpu_limit_millis: Option<u64>,
    /// Nothing if it has no limit.
    pub memory_limit_bytes: Option<u64>,
    /// Where this machine reaches it on its first network, while it runs.
    pub address: Option<IpAddr>,
    /// The ports it is reached at from outside.
    pub published: Vec<u16>,
}

/// What a container has used, and how often it was stopped for having used its share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since it started, in nanoseconds.
    pub cpu_nanos: u64,
    /// The periods of its CPU limit that have passed.
    pub periods: u64,
    /// Those in which it was stopped.
    pub throttled: u64,
    /// Without the pages of files that the kernel would give back at once.
    pub memory_bytes: u64,
}

impl Engine {
    /// The engine that the `docker` command talks to.
    pub fn find() -> Result<Self> {
        const WAY_OUT: &str =
            "start one, or leave out --engine docker to run the stack without containers";
        let output = Command::new("docker")
            .args([
                "context",
                "inspect",
                "--format",
                "{{.Endpoints.docker.Host}}",
            ])
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else {
            bail!("Docker is not installed (no `docker` on the PATH): {WAY_OUT}");
        };
        let host = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let Some(socket) = host.strip_prefix("unix://") else {
            bail!("the Docker engine is at {host:?}, not on this machine: {WAY_OUT}");
        };
        let engine = Self {
            socket: socket.into(),
        };
        match engine.ask("GET", "/_ping") {
            Ok(_) => Ok(engine),
            Err(_) => bail!("cannot connect to a Docker engine at {socket}: {WAY_OUT}"),
        }
    }

    /// The containers of a project, by name.
    pub fn containers(&self, project: &str) -> Result<Vec<Container>> {
        let filter = format!(r#"{{"label":["{PROJECT_LABEL}={project}"]}}"#);
        let list = self.get(&format!(
            "/containers/json?all=1&filters={}",
            utf8_percent_encode(&filter, NON_ALPHANUMERIC)
        ))?;
        let list = list
            .as_array()
            .context("the Docker engine did not answer with a list")?;
        let mut containers = Vec::new();
        for entry in list {
            let id = entry["Id"].as_str().context("a container without id")?;
            // One that was removed meanwhile is none.
            if let Some(found) = self.find_json(&format!("/containers/{id}/json"))? {
                containers.push(Container::of_json(&found)?);
            }
        }
        containers.sort_by(|a, b| a.service.cmp(&b.service));
        Ok(containers)
    }

    /// What a running container has used so far.
    pub fn usage(&self, id: &str) -> Result<Usage> {
        let stats = self.get(&format!(
            "/containers/{id}/stats?stream=false&one-shot=true"
        ))?;
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let cpu = &stats["cpu_stats"];
        let memory = &stats["memory_stats"];
        // cgroup 1 and cgroup 2 give it different names.
        let given_back = memory["stats"]["total_inactive_file"]
            .as_u64()
            .unwrap_or_else(|| count(&memory["stats"]["inactive_file"]));
        Ok(Usage {
            cpu_nanos: count(&cpu["cpu_usage"]["total_usage"]),
            periods: count(&cpu["throttling_data"]["periods"]),
            throttled: count(&cpu["throttling_data"]["throttled_periods"]),
            memory_bytes: count(&memory["usage"]).saturating_sub(given_back),
        })
    }

    /// The size of an image.
    pub fn image_bytes(&self, tag: &str) -> Result<u64> {
        let image = self.get(&format!("/images/{tag}/json"))?;
        image["Size"]
            .as_u64()
            .context("the Docker engine did not report a size")
    }

    /// Whether an image of this tag is there.
    pub fn has_image(&self, tag: &str) -> Result<bool> {
        Ok(self.find_json(&format!("/images/{tag}/json"))?.is_some())
    }

    /// Whether a network of this name is there.
    pub fn has_network(&self, name: &str) -> Result<bool> {
        Ok(self.find_json(&format!("/networks/{name}"))?.is_some())
    }

    /// Removes every volume of a project; its containers must be gone.
    pub fn remove_volumes(&self, project: &str) -> Result<()> {
        let filter = format!(r#"{{"label":["{PROJECT_LABEL}={project}"]}}"#);
        let found = self.get(&format!(
            "/volumes?filters={}",
            utf8_percent_encode(&filter, NON_ALPHANUMERIC)
        ))?;
        for volume in found["Volumes"].as_array().into_iter().flatten() {
            let name = volume["Name"].as_str().context("a volume without name")?;
            let answer = self.ask("DELETE", &format!("/volumes/{name}"))?;
            if !(200..300).contains(&answer.0) {
                bail!("volume {name} was not removed: {}", answer.1);
            }
        }
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Value> {
        let found = self.find_json(path)?;
        found.with_context(|| format!("the Docker engine does not know {path}"))
    }

    /// Nothing when the engine says that there is no such thing.
    fn find_json(&self, path: &str) -> Result<Option<Value>> {
        let (status, text) = self.ask("GET", path)?;
        match status {
            200 => Ok(Some(serde_json::from_str(&text)?)),
            404 => Ok(None),
            _ => bail!("the Docker engine answers {status} to {path}: {text}"),
        }
    }

    fn ask(&self, method: &str, path: &str) -> Result<(u16, String)> {
        let mut client = Client::new(Address::Unix(self.socket.clone()), ANSWER_TIMEOUT);
        let answer = client
            .ask(&request(method, path, "Connection: close\r\n", ""))
            .context("the Docker engine does not answer")?;
        Ok((answer.status, answer.text()))
    }
}

impl Container {
    fn of_json(json: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let state = &json["State"];
        let running = state["Running"].as_bool().unwrap_or(false);
        let limits = &json["HostConfig"];
        let above_zero = |value: &Value| value.as_u64().filter(|&limit| limit > 0);
        Ok(Self {
            id: text(&json["Id"]),
            service: text(&json["Config"]["Labels"][SERVICE_LABEL]),
            running,
            pid: state["Pid"]
                .as_u64()
                .filter(|_| running)
                .and_then(|pid| u32::try_from(pid).ok()),
            started_at: text(&state["StartedAt"])
                .parse()
                .context("the Docker engine did not report a start time")?,
            restarts: json["RestartCount"].as_u64().unwrap_or(0),
            exit_code: state["ExitCode"].as_i64().unwrap_or(0),
            health_check: health_check(&json["Config"]["Healthcheck"]["Test"]),
            cpu_limit_millis: above_zero(&limits["NanoCpus"]).map(|nanos| nanos / 1_000_000),
            memory_limit_bytes: above_zero(&limits["Memory"]),
            address: address(&json["NetworkSettings"]["Networks"]),
            published: published(&limits["PortBindings"]),
        })
    }

    /// Whether it runs, and passes its own health check now.
    pub fn is_ready(&self) -> bool {
        let Some(check) = &self.health_check else {
            return self.running;
        };
        self.running
            && Command::new("docker")
                .args(["exec", &self.id])
                .args(check)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
    }

    /// Copies what it has said to a file.
    pub fn save_log(&self, to: &Path) -> Result<()> {
        let file = std::fs::File::create(to)?;
        let status = Command::new("docker")
            .args(["logs", &self.id])
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .status()
            .context("cannot run docker")?;
        if !status.success() {
            bail!("the log of {} cannot be read", self.service);
        }
        Ok(())
    }

    /// What it said before it ended.
    pub fn last_words(&self) -> Result<String> {
        let output = Command::new("docker")
            .args(["logs", "--tail", "10", &self.id])
            .stdin(Stdio::null())
            .output()
            .context("cannot run docker")?;
        let said = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&said).trim_end().to_owned())
    }

    /// Runs `docker` on it: `kill`, `restart`.
    pub fn order(&self, words: &[&str]) -> Result<()> {
        let output = Command::new("docker")
            .args(words)
            .arg(&self.id)
            .stdin(Stdio::null())
            .output()
            .context("cannot run docker")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "docker {} {}: {}",
                words.join(" "),
                self.service,
                said.trim()
            );
        }
        Ok(())
    }
}

/// `["CMD", …]` is run as it is, `["CMD-SHELL", line]` by a shell.
fn health_check(test: &Value) -> Option<Vec<String>> {
    let words = test.as_array()?.iter().map(|word| word.as_str());
    let words: Vec<String> = words
        .map(|word| word.map(str::to_owned))
        .collect::<Option<_>>()?;
    match words.split_first()? {
        (kind, rest) if kind == "CMD" => Some(rest.to_vec()),
        (kind, [line]) if kind == "CMD-SHELL" => {
            Some(vec!["sh".to_owned(), "-c".to_owned(), line.clone()])
        }
        _ => None,
    }
}

fn address(networks: &Value) -> Option<IpAddr> {
    let networks = networks.as_object()?;
    let mut addresses = networks
        .values()
        .filter_map(|network| network["IPAddress"].as_str()?.parse().ok());
    addresses.next()
}

fn published(bindings: &Value) -> Vec<u16> {
    let bindings = bindings.as_object().into_iter().flatten();
    let each = bindings.flat_map(|(_inside, outside)| outside.as_array().into_iter().flatten());
    each.filter_map(|outside| outside["HostPort"].as_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_a_health_check_are_run_as_compose_means_them() {
        assert_eq!(
            health_check(&json!(["CMD", "feeway-ready"])),
            Some(vec!["feeway-ready".to_owned()])
        );
        let words = ["sh", "-c", "a | b"].map(str::to_owned).to_vec();
        assert_eq!(health_check(&json!(["CMD-SHELL", "a | b"])), Some(words));
        assert_eq!(health_check(&json!(["NONE"])), None);
        assert_eq!(health_check(&Value::Null), None);
    }

    #[test]
    fn published_ports_are_those_outside() {
        let bindings = json!({"9999/tcp": [{"HostIp": "", "HostPort": "12000"}], "1/tcp": null});
        assert_eq!(published(&bindings), [12000]);
    }
}
