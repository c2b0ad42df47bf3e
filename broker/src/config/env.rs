//! `KAFKA_*` environment variables, by the rules of the `apache/kafka` image.
//!
//! `KAFKA_LOG_DIRS` sets `log.dirs`: the prefix goes, letters become small, `_` becomes `.`, `__`
//! becomes `_` and `___` becomes `-`. `KAFKA_CFG_*` (Bitnami's images) and our own `BARNABAS_*`
//! follow the same rule. Variables that only concern a Java process are left out.

use super::settings::{Origin, Setting, Settings};

/// What the environment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Environment {
    pub settings: Settings,
    pub cluster_id: Option<String>,
    /// Lines for the log: what was left out and what was derived.
    pub notes: Vec<String>,
}

/// Variables of the image that are not configuration keys and mean nothing without a JVM.
const JVM_ONLY: [&str; 12] = [
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_DEBUG",
];

/// Variables that give the cluster id, in order of precedence.
const CLUSTER_ID: [&str; 2] = ["CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"];

/// Reads `variables` (as from `std::env::vars`, in any order).
pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
    let mut variables: Vec<(String, String)> = variables.into_iter().collect();
    // Bitnami's names first, so that the plain ones override them.
    variables.sort_by_key(|(name, _)| (!name.starts_with("KAFKA_CFG_"), name.clone()));
    let mut found = Environment::default();
    let mut jvm_only = Vec::new();
    for (name, value) in &variables {
        if CLUSTER_ID.contains(&name.as_str()) {
            if !value.is_empty() && found.cluster_id.is_none() {
                found.cluster_id = Some(value.clone());
            }
        } else if JVM_ONLY.contains(&name.as_str()) {
            jvm_only.push(name.as_str());
        } else if name == "KAFKA_LOG4J_ROOT_LOGLEVEL" {
            found.set("barnabas.log.level", &log_level(value), name);
        } else if is_service_link(name, value) {
            found.notes.push(format!("{name} is a Kubernetes service variable: ignored"));
        } else if let Some(key) = key_of(name) {
            found.set(&key, value, name);
        }
    }
    if !jvm_only.is_empty() {
        found.notes.push(format!("ignored (JVM only): {}", jvm_only.join(", ")));
    }
    found.derive_listeners();
    found
}

/// The configuration key that a variable sets, if its name says that it sets one.
fn key_of(variable: &str) -> Option<String> {
    let (prefix, rest) = if let Some(rest) = variable.strip_prefix("KAFKA_CFG_") {
        ("", rest)
    } else if let Some(rest) = variable.strip_prefix("KAFKA_") {
        ("", rest)
    } else {
        ("barnabas.", variable.strip_prefix("BARNABAS_")?)
    };
    // The image's script takes the prefix out wherever it stands.
    let dotted = rest.replace("KAFKA_", "").to_lowercase().replace('_', ".");
    let key = dotted.replace("...", "-").replace("..", "_");
    (!key.is_empty()).then(|| format!("{prefix}{key}"))
}

/// Kubernetes gives every pod `KAFKA_PORT=tcp://10.0.0.1:9092` and the like when a service is
/// called kafka. They are no settings, and have stopped many a broker.
fn is_service_link(name: &str, value: &str) -> bool {
    name.starts_with("KAFKA_SERVICE_")
        || name == "KAFKA_PORT" && value.contains("://")
        || name.starts_with("KAFKA_PORT_") && name.contains("_TCP")
}

/// A log4j level as one of ours.
fn log_level(level: &str) -> String {
    match level.to_ascii_uppercase().as_str() {
        "OFF" => "off",
        "FATAL" | "ERROR" => "error",
        "WARN" => "warn",
        "DEBUG" => "debug",
        "TRACE" | "ALL" => "trace",
        _ => "info",
    }
    .to_owned()
}

impl Environment {
    fn set(&mut self, key: &str, value: &str, variable: &str) {
        let origin = Origin::Env(variable.to_owned());
        self.settings.insert(key.to_owned(), Setting { value: value.to_owned(), origin });
    }

    /// Where only the advertised listeners are given, the image listens on the same ports of
    /// every address, unless the node is a controller only.
    fn derive_listeners(&mut self) {
        let controller_only =
            self.settings.get("process.roles").is_some_and(|roles| roles.value == "controller");
        if self.settings.contains_key("listeners") || controller_only {
            return;
        }
        let Some(advertised) = self.settings.get("advertised.listeners") else { return };
        let everywhere: Vec<String> = advertised.value.split(',').map(any_host).collect();
        let value = everywhere.join(",");
        self.notes.push(format!("listeners={value}, taken from {}", advertised.origin));
        let origin = advertised.origin.clone();
        self.settings.insert("listeners".to_owned(), Setting { value, origin });
    }
}

/// `NAME://host:port` with the host replaced by the address that means all.
fn any_host(endpoint: &str) -> String {
    let parts = endpoint.split_once("://").zip(endpoint.rsplit_once(':'));
    match parts {
        Some(((name, _), (_, port))) => format!("{name}://0.0.0.0:{port}"),
        None => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        read(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn value<'a>(found: &'a Environment, key: &str) -> Option<&'a str> {
        found.settings.get(key).map(|setting| setting.value.as_str())
    }

    #[test]
    fn names_become_keys() {
        for (variable, key) in [
            ("KAFKA_LOG_DIRS", "log.dirs"),
            ("KAFKA_NODE_ID", "node.id"),
            ("KAFKA_BROKER_ID", "broker.id"),
            ("KAFKA_FOO__BAR", "foo_bar"),
            ("KAFKA_FOO___BAR", "foo-bar"),
            (
                "KAFKA_LISTENER_NAME_MY___HOST_SSL_CLIENT_AUTH",
                "listener.name.my-host.ssl.client.auth",
            ),
            ("KAFKA_KAFKA_METRICS_REPORTERS", "metrics.reporters"),
            ("KAFKA_CFG_NUM_PARTITIONS", "num.partitions"),
            ("BARNABAS_HTTP_LISTENERS", "barnabas.http.listeners"),
        ] {
            let found = environment(&[(variable, "x")]);
            assert_eq!(value(&found, key), Some("x"), "{variable}");
            let origin = &found.settings[key].origin;
            assert_eq!(origin.to_string(), format!("environment variable {variable}"));
        }
    }

    #[test]
    fn what_is_no_key_is_left_out() {
        let found = environment(&[
            ("PATH", "/bin"),
            ("KAFKA_", "x"),
            ("ALLOW_PLAINTEXT_LISTENER", "yes"),
            ("KAFKA_HEAP_OPTS", "-Xmx1G"),
            ("KAFKA_OPTS", "-D"),
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
        ]);
        assert_eq!(found.settings, Settings::new());
        assert!(found.notes.iter().any(|n| n == "ignored (JVM only): KAFKA_HEAP_OPTS, KAFKA_OPTS"));
    }

    #[test]
    fn cluster_id_and_log_level() {
        let found = environment(&[("KAFKA_KRAFT_CLUSTER_ID", "b"), ("CLUSTER_ID", "a")]);
        assert_eq!(found.cluster_id.as_deref(), Some("a"));
        assert_eq!(environment(&[("CLUSTER_ID", "")]).cluster_id, None);
        let found = environment(&[("KAFKA_LOG4J_ROOT_LOGLEVEL", "WARN")]);
        assert_eq!(value(&found, "barnabas.log.level"), Some("warn"));
    }

    #[test]
    fn listeners_follow_the_advertised_ones() {
        let advertised = ("KAFKA_ADVERTISED_LISTENERS", "A://my.host:9092,B://[::1]:29092");
        let found = environment(&[advertised]);
        assert_eq!(value(&found, "listeners"), Some("A://0.0.0.0:9092,B://0.0.0.0:29092"));
        let found = environment(&[advertised, ("KAFKA_LISTENERS", "A://:1")]);
        assert_eq!(value(&found, "listeners"), Some("A://:1"));
        let found = environment(&[advertised, ("KAFKA_PROCESS_ROLES", "controller")]);
        assert_eq!(value(&found, "listeners"), None);
    }

    #[test]
    fn the_plain_prefix_wins_over_the_bitnami_one() {
        let found = environment(&[("KAFKA_BROKER_RACK", "a"), ("KAFKA_CFG_BROKER_RACK", "b")]);
        assert_eq!(value(&found, "broker.rack"), Some("a"));
    }
}
