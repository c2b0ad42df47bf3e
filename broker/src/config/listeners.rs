//! Listeners: where the broker binds, and what it tells clients to connect to.

use std::collections::BTreeMap;
use std::fmt;

use super::error::{ConfigError, Place};
use super::settings::{Layers, Setting};
use super::value::split_list;

/// `NAME://host:port` of one of the listener keys. The name is upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    /// Empty when none was given: bind to every address, advertise this machine's name.
    pub host: String,
    /// 0: any free port (for tests).
    pub port: u16,
}

/// The listeners of one node, cross-checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listeners {
    /// Listeners for clients and brokers; all are PLAINTEXT.
    pub bound: Vec<Endpoint>,
    /// What Metadata says, one for each listener that is advertised. Use
    /// [`Listeners::advertised_as_bound`], which knows the ports that were picked.
    pub advertised: Vec<Endpoint>,
    /// Listeners of the metadata quorum, accepted and not opened while there is one voter.
    pub controller: Vec<Endpoint>,
    /// The listener that brokers use among themselves.
    pub inter_broker: String,
}

impl Listeners {
    /// The advertised endpoints, where port 0 is replaced by the port that `bound_port` says the
    /// listener of that name got.
    pub fn advertised_as_bound(&self, bound_port: impl Fn(&str) -> Option<u16>) -> Vec<Endpoint> {
        let resolve = |endpoint: &Endpoint| {
            let port = match endpoint.port {
                0 => bound_port(&endpoint.name).unwrap_or(0),
                port => port,
            };
            Endpoint { port, ..endpoint.clone() }
        };
        self.advertised.iter().map(resolve).collect()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, host, port } = self;
        if host.contains(':') {
            write!(f, "{name}://[{host}]:{port}")
        } else {
            write!(f, "{name}://{host}:{port}")
        }
    }
}

impl Endpoint {
    /// Parses `NAME://host:port`; the host may be missing or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, String> {
        let malformed = || format!("{text:?} is no listener; give it as NAME://host:port");
        let (name, address) = text.split_once("://").ok_or_else(malformed)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':');
        if name.is_empty() || !host.chars().all(allowed) {
            return Err(malformed());
        }
        let port =
            port.parse().map_err(|_| format!("{text:?}: {port:?} is no port (0 to 65535)"))?;
        Ok(Self { name: name.to_uppercase(), host: host.to_owned(), port })
    }
}

/// Builds the listeners from the listener keys. `host_name` is this machine's name, which is
/// advertised for a listener without a host.
pub(super) fn build(
    layers: &Layers,
    host_name: &str,
    notes: &mut Vec<String>,
) -> Result<Listeners, ConfigError> {
    let listeners = endpoints(layers, "listeners")?;
    distinct(layers, &listeners)?;
    let protocols = protocol_map(layers)?;
    let controller_names = controller_names(layers, &listeners);
    let (controller, bound): (Vec<_>, Vec<_>) =
        listeners.into_iter().partition(|endpoint| controller_names.contains(&endpoint.name));
    let given = layers.given("listeners");
    if bound.is_empty() {
        return Err(ConfigError::refused("listeners", given, "no listener for clients is left"));
    }
    for endpoint in &bound {
        plaintext_only(layers, endpoint, &protocols)?;
    }
    let advertised = advertised(layers, &bound, &controller_names, host_name)?;
    let inter_broker = inter_broker(layers, &advertised)?;
    if !controller.is_empty() {
        let names: Vec<String> = controller.iter().map(ToString::to_string).collect();
        notes.push(format!("{}: not opened, one voter needs no quorum traffic", names.join(",")));
    }
    Ok(Listeners { bound, advertised, controller, inter_broker })
}

fn endpoints(layers: &Layers, key: &str) -> Result<Vec<Endpoint>, ConfigError> {
    let setting = layers.given(key);
    let text = setting.map_or("PLAINTEXT://:9092", |setting| setting.value.as_str());
    let parse = |text: &String| Endpoint::parse(text);
    let parsed: Result<Vec<_>, String> = split_list(text).iter().map(parse).collect();
    parsed.map_err(|why| ConfigError::refused(key, setting, why))
}

/// Kafka wants every listener to have its own name and its own port.
fn distinct(layers: &Layers, listeners: &[Endpoint]) -> Result<(), ConfigError> {
    for (at, endpoint) in listeners.iter().enumerate() {
        for earlier in &listeners[..at] {
            let same = if earlier.name == endpoint.name {
                "Each listener must have a different name"
            } else if earlier.port == endpoint.port
                && endpoint.port != 0
                && !v4_and_v6(earlier, endpoint)
            {
                "Each listener must have a different port"
            } else {
                continue;
            };
            return Err(ConfigError::refused("listeners", layers.given("listeners"), same));
        }
    }
    Ok(())
}

/// One port may serve IPv4 and IPv6 by two listeners.
fn v4_and_v6(a: &Endpoint, b: &Endpoint) -> bool {
    a.host.contains(':') != b.host.contains(':') && !a.host.is_empty() && !b.host.is_empty()
}

/// Listener name -> security protocol.
fn protocol_map(layers: &Layers) -> Result<BTreeMap<String, String>, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let setting = layers.given(KEY);
    let Some(given) = setting else {
        let own = |name: &&str| ((*name).to_owned(), (*name).to_owned());
        return Ok(PROTOCOLS.iter().map(own).collect());
    };
    let entry = |text: &String| {
        let (name, protocol) =
            text.split_once(':').ok_or_else(|| format!("{text:?} is no pair"))?;
        let protocol = protocol.trim().to_uppercase();
        if !PROTOCOLS.contains(&protocol.as_str()) {
            return Err(format!("{protocol} is none of {}", PROTOCOLS.join(", ")));
        }
        Ok((name.trim().to_uppercase(), protocol))
    };
    let parsed: Result<BTreeMap<_, _>, String> =
        split_list(&given.value).iter().map(entry).collect();
    parsed.map_err(|why| {
        let why = format!("{why}; give NAME:PROTOCOL,NAME:PROTOCOL");
        ConfigError::refused(KEY, setting, why)
    })
}

const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// Names of the controller listeners; a listener called CONTROLLER is one even if the key is not
/// set, as in the files of every Kafka example.
fn controller_names(layers: &Layers, listeners: &[Endpoint]) -> Vec<String> {
    match layers.given("controller.listener.names") {
        Some(setting) => split_list(&setting.value.to_uppercase()),
        None => {
            let named = listeners.iter().filter(|endpoint| endpoint.name == "CONTROLLER");
            named.map(|endpoint| endpoint.name.clone()).collect()
        }
    }
}

/// A used listener that promises encryption or authentication must not be served in the clear.
fn plaintext_only(
    layers: &Layers,
    endpoint: &Endpoint,
    protocols: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let why = match protocols.get(&endpoint.name).map(String::as_str) {
        Some("PLAINTEXT") => return Ok(()),
        Some(protocol) => format!(
            "listener {} asks for {protocol}, which is not there yet: only PLAINTEXT listeners work \
             in this release",
            endpoint.name
        ),
        None => format!(
            "listener.security.protocol.map does not say which protocol listener {} has; add {}:PLAINTEXT",
            endpoint.name, endpoint.name
        ),
    };
    Err(ConfigError::refused("listeners", layers.given("listeners"), why))
}

fn advertised(
    layers: &Layers,
    bound: &[Endpoint],
    controller_names: &[String],
    host_name: &str,
) -> Result<Vec<Endpoint>, ConfigError> {
    const KEY: &str = "advertised.listeners";
    let setting = layers.given(KEY);
    let mut advertised = match setting {
        Some(_) => endpoints(layers, KEY)?,
        None => bound.to_vec(),
    };
    advertised.retain(|endpoint| !controller_names.contains(&endpoint.name));
    let refuse = |why: String| Err(ConfigError::refused(KEY, setting, why));
    for endpoint in &mut advertised {
        if !bound.iter().any(|bound| bound.name == endpoint.name) {
            let names = names_of(bound);
            return refuse(format!("listener {} is none of listeners ({names})", endpoint.name));
        }
        if endpoint.host.is_empty() {
            host_name.clone_into(&mut endpoint.host);
        }
        if matches!(endpoint.host.as_str(), "0.0.0.0" | "::") {
            let fix = Endpoint { host: host_name.to_owned(), ..endpoint.clone() };
            return refuse(format!(
                "advertised.listeners cannot use the nonroutable meta-address {}; give the address \
                 that clients connect to, for example advertised.listeners={fix}",
                endpoint.host
            ));
        }
    }
    if advertised.is_empty() {
        return refuse("no listener for clients is left".to_owned());
    }
    Ok(advertised)
}

fn names_of(endpoints: &[Endpoint]) -> String {
    endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn inter_broker(layers: &Layers, advertised: &[Endpoint]) -> Result<String, ConfigError> {
    let by_name = layers.given("inter.broker.listener.name");
    let by_protocol = layers.given("security.inter.broker.protocol");
    let (key, setting): (&str, Option<&Setting>) = match (by_name, by_protocol) {
        (Some(_), Some(_)) => {
            let sentence = "Only one of inter.broker.listener.name and \
                            security.inter.broker.protocol should be set"
                .to_owned();
            return Err(ConfigError::Refused { at: Place::from(by_name), sentence });
        }
        (Some(_), None) => ("inter.broker.listener.name", by_name),
        (None, _) => ("security.inter.broker.protocol", by_protocol),
    };
    let name = setting.map_or("PLAINTEXT", |setting| setting.value.trim()).to_uppercase();
    if advertised.iter().any(|endpoint| endpoint.name == name) {
        return Ok(name);
    }
    if let (None, [only]) = (setting, advertised) {
        return Ok(only.name.clone());
    }
    let why = format!("must name one of the advertised listeners: {}", names_of(advertised));
    Err(match setting {
        Some(_) => ConfigError::refused(key, setting, why),
        None => ConfigError::Refused {
            at: Place::default(),
            sentence: format!("inter.broker.listener.name {why}"),
        },
    })
}
