//! How many connections there may be: `max.connections`, `max.connections.per.ip` and its
//! overrides.
//!
//! All limits can change while the broker runs; they hold for connections that come later.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// The limits of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub max_connections: usize,
    pub max_per_ip: usize,
    pub per_ip_overrides: HashMap<IpAddr, usize>,
}

/// Counts the open connections of all listeners.
#[derive(Debug)]
pub struct ConnectionQuota {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: ConnectionLimits,
    open: usize,
    open_by_ip: HashMap<IpAddr, usize>,
    open_by_listener: BTreeMap<Arc<str>, usize>,
}

/// One counted connection; given back on drop.
#[derive(Debug)]
pub struct ConnectionPermit {
    quota: Arc<ConnectionQuota>,
    ip: IpAddr,
    listener: Arc<str>,
}

/// Which limit a connection meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyConnections {
    #[error("there are {0} connections already (max.connections)")]
    Broker(usize),
    #[error("this address has {0} connections already (max.connections.per.ip)")]
    Ip(usize),
    #[error("the open files that are left are kept for logs (ulimit -n)")]
    Descriptors,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        let no_limit = i32::MAX as usize;
        Self { max_connections: no_limit, max_per_ip: no_limit, per_ip_overrides: HashMap::new() }
    }
}

impl ConnectionQuota {
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        let state = State {
            limits,
            open: 0,
            open_by_ip: HashMap::new(),
            open_by_listener: BTreeMap::new(),
        };
        Arc::new(Self { state: Mutex::new(state) })
    }

    pub fn set_limits(&self, limits: ConnectionLimits) {
        self.state.lock().limits = limits;
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.state.lock().open
    }

    /// How many connections each listener has that ever had one.
    pub fn open_by_listener(&self) -> BTreeMap<Arc<str>, usize> {
        self.state.lock().open_by_listener.clone()
    }

    /// Counts a new connection, unless that would be one too many.
    pub fn admit(
        self: &Arc<Self>,
        ip: IpAddr,
        listener: &Arc<str>,
    ) -> Result<ConnectionPermit, TooManyConnections> {
        // A dual-stack listener shows IPv4 clients as mapped IPv6 addresses.
        let ip = ip.to_canonical();
        let mut state = self.state.lock();
        if state.open >= state.limits.max_connections {
            return Err(TooManyConnections::Broker(state.open));
        }
        let limit = state.limits.per_ip_overrides.get(&ip).copied();
        let limit = limit.unwrap_or(state.limits.max_per_ip);
        let of_ip = state.open_by_ip.entry(ip).or_default();
        if *of_ip >= limit {
            return Err(TooManyConnections::Ip(*of_ip));
        }
        *of_ip += 1;
        state.open += 1;
        *state.open_by_listener.entry(listener.clone()).or_default() += 1;
        Ok(ConnectionPermit { quota: self.clone(), ip, listener: listener.clone() })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.quota.state.lock();
        state.open -= 1;
        if let Some(of_listener) = state.open_by_listener.get_mut(&self.listener) {
            *of_listener -= 1;
        }
        if let Some(of_ip) = state.open_by_ip.get_mut(&self.ip) {
            *of_ip -= 1;
            if *of_ip == 0 {
                state.open_by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_for_the_broker_and_for_each_address() {
        let [a, b] = ["10.0.0.1", "::ffff:10.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let limits = ConnectionLimits {
            max_connections: 3,
            max_per_ip: 1,
            per_ip_overrides: HashMap::from([("10.0.0.2".parse().unwrap(), 5)]),
        };
        let quota = ConnectionQuota::new(limits);
        let l: Arc<str> = "PLAINTEXT".into();
        let first = quota.admit(a, &l).unwrap();
        assert_eq!(quota.admit(a, &l).unwrap_err(), TooManyConnections::Ip(1));
        let _others = [quota.admit(b, &l).unwrap(), quota.admit(b, &l).unwrap()];
        assert_eq!(quota.admit(b, &l).unwrap_err(), TooManyConnections::Broker(3));
        drop(first);
        assert_eq!(quota.open(), 2);
        assert_eq!(quota.open_by_listener()[&l], 2);
        quota.admit(a, &l).unwrap();
    }
}
