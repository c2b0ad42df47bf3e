//! The broker's context: what every handler is given.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::net::NetContext;

/// One running broker. Handlers borrow it; it lives as long as the process serves.
#[derive(Debug)]
pub struct Broker {
    net: NetContext,
    clock: Clock,
}

/// The only clock of the request path.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Broker {
    pub fn new(net: NetContext) -> Self {
        Self { net, clock: Clock::new() }
    }

    pub fn net(&self) -> &NetContext {
        &self.net
    }

    pub fn clock(&self) -> Clock {
        self.clock
    }
}

impl Clock {
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// Milliseconds since 1970: for timestamps that others see.
    pub fn wall_ms(self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds since the start: for timeouts, because it never jumps.
    pub fn monotonic_ms(self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
