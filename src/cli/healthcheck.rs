//! `cc-ci healthcheck`: whether the service on this machine answers. The image has no other program that could ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::Exit;
use crate::adapters::probe::root_cause;
use crate::config::keys;

/// The service answers from memory; longer is no answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the service serves its pages
    #[arg(long, env = "LISTEN", value_name = "ADDRESS:PORT", default_value = keys::LISTEN.default, hide_env_values = true, value_parser = listen)]
    listen: SocketAddr,
}

/// An empty variable is none: a compose file hands on what nobody set.
fn listen(text: &str) -> Result<SocketAddr, std::net::AddrParseError> {
    if text.is_empty() { keys::LISTEN.default.parse() } else { text.parse() }
}

#[expect(clippy::print_stdout, reason = "the engine keeps what a healthcheck says")]
pub(super) async fn healthcheck(arguments: &Arguments) -> anyhow::Result<Exit> {
    let url = format!("http://{}/healthz", reachable(arguments.listen));
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    match client.get(&url).send().await {
        Ok(answer) if answer.status().is_success() => {
            println!("{url} answers {}", answer.status());
            Ok(Exit::Fine)
        }
        Ok(answer) => {
            println!("{url} answers {}", answer.status());
            Ok(Exit::Red)
        }
        Err(error) => {
            println!("{url} does not answer: {}", root_cause(&error));
            Ok(Exit::Red)
        }
    }
}

/// An address that stands for all of this machine's cannot be asked; loopback can.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What the healthcheck says of a service that answers so.
    async fn asked(answer: &'static str) -> Exit {
        // An error means that another test was first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _read = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let exit = healthcheck(&Arguments { listen }).await.unwrap();
        serving.await.unwrap();
        exit
    }

    #[tokio::test]
    async fn only_success_is_healthy() {
        assert_eq!(asked("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await, Exit::Fine);
        assert_eq!(asked("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await, Exit::Red);
        assert_eq!(asked("").await, Exit::Red);
    }

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:80"), "[::1]:80");
        assert_eq!(asked("10.0.0.7:80"), "10.0.0.7:80");
        assert_eq!(listen("").unwrap().to_string(), keys::LISTEN.default);
    }
}
