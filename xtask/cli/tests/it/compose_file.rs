//! What `compose.yaml` promises, read from the file itself.

use feeway_machine::files::repository;
use yaml_rust2::{Yaml, YamlLoader};

/// The contest's limits for everything together.
const CPU_MILLIS_MOST: u64 = 1500;
const MEMORY_BYTES_MOST: u64 = 350 << 20;

/// A service's limits: thousandths of a processor, and bytes.
type Limits = (u64, u64);

fn load(path: &str) -> Yaml {
    let text = std::fs::read_to_string(repository().join(path)).expect("it is there");
    YamlLoader::load_from_str(&text).expect("YAML").remove(0)
}

/// The services of a file, by name.
fn services(file: &Yaml) -> Vec<(String, &Yaml)> {
    let services = file["services"].as_hash().expect("a file of services");
    let named = |(name, service)| (Yaml::as_str(name).expect("a name").to_owned(), service);
    services.iter().map(named).collect()
}

/// A key of a service, also one that it has from another by `<<`.
fn get<'a>(service: &'a Yaml, key: &str) -> &'a Yaml {
    let own = &service[key];
    if own.is_badvalue() && !service["<<"].is_badvalue() {
        return get(&service["<<"], key);
    }
    own
}

#[track_caller]
fn limits(name: &str, service: &Yaml) -> Limits {
    let limits = &get(service, "deploy")["resources"]["limits"];
    let cpus = limits["cpus"]
        .as_str()
        .unwrap_or_else(|| panic!("{name} has no cpus"));
    let memory = limits["memory"]
        .as_str()
        .unwrap_or_else(|| panic!("{name} has no memory"));
    let (whole, part) = cpus.split_once('.').expect("a decimal");
    let millis: u64 = format!("{whole}{part:0<3}").parse().expect("a decimal");
    let megabytes: u64 = memory
        .strip_suffix("MB")
        .expect("in MB")
        .parse()
        .expect("a number");
    (millis, megabytes << 20)
}

#[test]
fn limits_of_all_services_sum_to_no_more_than_the_contest_allows() {
    let file = load("compose.yaml");
    let all = services(&file);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "haproxy", "front-1", "front-2", "leader-1", "leader-2", "redis", "nats"
        ]
    );
    let sum = all.iter().fold((0, 0), |sum, (name, service)| {
        let limits = limits(name, service);
        (sum.0 + limits.0, sum.1 + limits.1)
    });
    assert!(sum.0 <= CPU_MILLIS_MOST, "{} thousandths of a CPU", sum.0);
    assert!(sum.1 <= MEMORY_BYTES_MOST, "{} bytes", sum.1);
}

#[test]
fn what_takes_another_service_s_place_takes_no_more_than_its_limits() {
    let (file, nginx) = (load("compose.yaml"), load("deploy/compose.nginx.yaml"));
    let haproxy = limits("haproxy", &file["services"]["haproxy"]);
    assert_eq!(limits("nginx", &nginx["services"]["nginx"]), haproxy);
    assert_eq!(
        nginx["services"]["haproxy"]["deploy"]["replicas"].as_i64(),
        Some(0)
    );
    let floor = load("deploy/compose.floor.yaml");
    for (name, service) in services(&floor) {
        assert!(["front-1", "front-2"].contains(&&*name), "{name}");
        assert!(
            get(service, "deploy").is_badvalue(),
            "{name} has the front's limits"
        );
    }
}

#[test]
fn no_service_has_more_rights_than_it_needs() {
    for path in [
        "compose.yaml",
        "deploy/compose.simulators.yaml",
        "deploy/compose.prometheus.yaml",
    ] {
        let file = load(path);
        for (name, service) in services(&file) {
            for key in ["privileged", "network_mode", "pid", "ipc", "devices"] {
                assert!(get(service, key).is_badvalue(), "{name}: {key}");
            }
            assert_eq!(get(service, "read_only").as_bool(), Some(true), "{name}");
            assert_eq!(get(service, "cap_drop")[0].as_str(), Some("ALL"), "{name}");
            assert_eq!(
                get(service, "restart").as_str(),
                Some("unless-stopped"),
                "{name}"
            );
            // Redis is root without a root's powers: see there.
            let user = get(service, "user").as_str().expect("a user");
            assert!(
                !user.starts_with("0:") || name == "redis",
                "{name} is {user}"
            );
        }
    }
}

#[test]
fn every_service_has_a_health_check_and_a_log_that_ends() {
    for path in ["compose.yaml", "deploy/compose.simulators.yaml"] {
        let file = load(path);
        for (name, service) in services(&file) {
            let check = get(service, "healthcheck");
            assert!(!get(check, "test").is_badvalue(), "{name}");
            assert!(!get(check, "interval").is_badvalue(), "{name}");
            let log = &get(service, "logging")["options"];
            assert!(!log["max-size"].is_badvalue(), "{name}");
            assert!(!log["max-file"].is_badvalue(), "{name}");
        }
    }
}

#[test]
fn the_network_of_the_processors_is_somebody_elses() {
    let file = load("compose.yaml");
    let network = &file["networks"]["payment-processor"];
    assert_eq!(network["external"].as_bool(), Some(true));
    let name = network["name"].as_str();
    assert_eq!(name, Some("${FEEWAY_PROCESSOR_NETWORK:-payment-processor}"));
    let simulators = load("deploy/compose.simulators.yaml");
    assert_eq!(
        simulators["networks"]["payment-processor"]["name"].as_str(),
        name
    );
    assert!(simulators["networks"]["payment-processor"]["external"].is_badvalue());
}

/// The listeners of metrics are not published, so whoever scrapes has to be in their network.
#[test]
fn prometheus_reaches_every_process_that_its_targets_name() {
    let (stack, beside) = (load("compose.yaml"), load("deploy/compose.prometheus.yaml"));
    let prometheus = &beside["services"]["prometheus"];
    let network = prometheus["networks"][0].as_str().expect("a network");
    let targets = load("deploy/targets.json");
    let targets = targets.as_vec().expect("a list");
    let named: Vec<&str> = targets
        .iter()
        .map(|target| {
            let address = target["targets"][0].as_str().expect("an address");
            let (host, port) = address.split_once(':').expect("host and port");
            assert_eq!(target["labels"]["process"].as_str(), Some(host));
            let service = &stack["services"][host];
            let networks = get(service, "networks").as_vec().expect("networks");
            let reaches = networks.iter().any(|one| one.as_str() == Some(network));
            assert!(reaches, "{host} is not in {network}");
            let environment = get(service, "environment");
            let variables = ["FEEWAY_ADMIN_LISTEN", "FEEWAY_METRICS"];
            let listens = variables.iter().any(|variable| {
                let address = get(environment, variable).as_str().unwrap_or_default();
                address.trim_end_matches('}').ends_with(&format!(":{port}"))
            });
            assert!(listens, "{host} tells no metrics on {port}");
            host
        })
        .collect();
    for (name, _) in services(&stack) {
        let is_server = ["redis", "nats"].contains(&&*name);
        assert!(
            is_server || named.contains(&&*name),
            "nobody scrapes {name}"
        );
    }
    let repository = repository();
    for mount in prometheus["volumes"].as_vec().expect("mounts") {
        let (from, _) = mount
            .as_str()
            .expect("a mount")
            .split_once(':')
            .expect("a path");
        assert!(
            !from.starts_with('.') || repository.join(from).is_file(),
            "{from}"
        );
    }
}
