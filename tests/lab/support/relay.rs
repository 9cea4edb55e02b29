//! A receiver of webhooks between the lab's forge and the gate under test: it notes when a delivery came, hands it on as it
//! is, and can hand it on again.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{said, until};

/// A relay; it lives as long as its test.
pub(crate) struct Relay {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    gate: Mutex<Option<String>>,
    seen: Mutex<Vec<Delivery>>,
}

/// A delivery, as it came and as the gate took it.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) received: Instant,
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
}

impl Relay {
    /// Listens where the forge's container reaches this machine.
    pub(crate) fn new() -> Self {
        let template = "{{(index .IPAM.Config 0).Gateway}}";
        let gateway = said(Command::new("docker").args(["network", "inspect", "--format", template, "cc-ci-lab"]));
        let listener = TcpListener::bind((gateway.as_str(), 0)).unwrap();
        let relay = Self { address: listener.local_addr().unwrap().to_string(), state: Arc::default() };
        let state = relay.state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = state.clone();
                std::thread::spawn(move || state.serve(stream));
            }
        });
        relay
    }

    /// What the forge is told.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks/forge", self.address)
    }

    /// Where deliveries are handed on to: `http://host:port`.
    pub(crate) fn lead_to(&self, gate: &str) {
        *self.state.gate.lock().unwrap() = Some(gate.trim_start_matches("http://").to_owned());
    }

    /// Deliveries whose body holds this text, in the order in which they came.
    pub(crate) fn seen(&self, text: &str) -> Vec<Delivery> {
        let holds = |delivery: &&Delivery| String::from_utf8_lossy(&delivery.request).contains(text);
        self.state.seen.lock().unwrap().iter().filter(holds).cloned().collect()
    }

    /// Waits for a delivery whose body holds this text.
    pub(crate) fn wait_for(&self, text: &str) -> Delivery {
        until("a delivery", || self.seen(text).pop())
    }

    /// Hands a delivery on once more, as it was or changed; what the gate answers.
    pub(crate) fn hand_on(&self, request: &[u8]) -> u16 {
        self.state.hand_on(request).unwrap()
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) {
        let (received, Some(request)) = (Instant::now(), read(&mut stream)) else { return };
        let status = self.hand_on(&request).unwrap_or(502);
        self.seen.lock().unwrap().push(Delivery { received, request, status });
        let _sent = write!(stream, "HTTP/1.1 {status} Relayed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }

    fn hand_on(&self, request: &[u8]) -> Option<u16> {
        let gate = self.gate.lock().unwrap().clone()?;
        let mut stream = TcpStream::connect(gate).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(request).ok()?;
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).ok()?;
        String::from_utf8_lossy(&answer[..length]).split(' ').nth(1)?.parse().ok()
    }
}

/// A whole request: its head, and as much body as that says.
fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut piece).ok()?;
        if length == 0 {
            return None;
        }
        request.extend_from_slice(&piece[..length]);
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
        let body = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        if request.len() >= end + 4 + body.unwrap_or(0) {
            return Some(request);
        }
    }
}
