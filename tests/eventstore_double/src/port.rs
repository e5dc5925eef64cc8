//! A port for a server that comes later, or comes back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A free port that nobody else is given as long as this is kept, while nothing answers there. A
/// server that binds it with `SO_REUSEADDR`, as servers do, can listen on it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Bound, and never listening.
    _held: TcpSocket,
}

impl Port {
    pub fn free() -> io::Result<Self> {
        let held = TcpSocket::new_v4()?;
        held.set_reuseaddr(true)?;
        held.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { number: held.local_addr()?.port(), _held: held })
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}
