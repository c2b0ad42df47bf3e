//! Free ports on the loopback interface.

use std::net::TcpListener;

/// A port that was free a moment ago. The kernel hands out ports in turn, so two calls do not meet.
#[must_use]
pub fn free_port() -> u16 {
    let listener =
        TcpListener::bind("127.0.0.1:0").expect("the loopback interface has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
