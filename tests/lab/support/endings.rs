//! How containers of an app ended, as the target's own engine tells it: the truth against which a verdict is held.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use jiff::Timestamp;
use serde_json::Value;

use super::Lab;

/// One container that ended by itself.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// The service without the stack's name.
    pub(crate) service: String,
    pub(crate) code: i64,
    /// When its process ended, by `docker inspect`.
    pub(crate) at: Timestamp,
    /// When it first was healthy, by the event.
    pub(crate) healthy: Option<Timestamp>,
}

/// Listens to a target's events until it is asked.
pub(crate) struct Endings {
    /// The process that prints the events, in the target's numbering: it does not end with the client that started it.
    pid: String,
    client: Child,
    reader: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Vec<Ending>>>,
    stop: Command,
}

impl Endings {
    /// Begins to listen; what ends from now on is seen.
    pub(crate) fn of(lab: &Lab) -> Self {
        let script = "echo $$; exec docker events --format '{{json .}}' --filter type=container --filter event=die \
                      --filter event=health_status";
        let mut client = lab.back_door(&[], &["sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
        let pid = lines.next().unwrap().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut ear = Ear { inspect: inspector(lab), healthy: Vec::new(), seen: Arc::clone(&seen) };
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                ear.hear(&serde_json::from_str(&line).unwrap());
            }
        });
        let stop = lab.back_door(&[], &["kill", &pid]);
        Self { pid, client, reader: Some(reader), seen, stop }
    }

    /// All endings so far with their containers' own time, oldest first. The listener ends.
    pub(crate) fn tell(mut self) -> Vec<Ending> {
        self.end();
        let mut endings = self.seen.lock().unwrap().clone();
        endings.sort_by_key(|ending| ending.at);
        endings
    }

    fn end(&mut self) {
        if let Some(reader) = self.reader.take() {
            assert!(self.stop.status().unwrap().success(), "process {} does not end", self.pid);
            self.client.wait().unwrap();
            reader.join().unwrap();
        }
    }
}

impl Drop for Endings {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        } else if self.reader.is_some() {
            let _ended = self.stop.status();
            let _ended = self.client.wait();
        }
    }
}

/// Says when a container's process ended, if the container is still there.
type Inspector = Box<dyn Fn(&str) -> Option<Timestamp> + Send>;

struct Ear {
    inspect: Inspector,
    healthy: Vec<(String, Timestamp)>,
    seen: Arc<Mutex<Vec<Ending>>>,
}

impl Ear {
    fn hear(&mut self, event: &Value) {
        let attribute = |name: &str| event["Actor"]["Attributes"][name].as_str();
        let (Some(id), Some(whole)) = (event["Actor"]["ID"].as_str(), attribute("com.docker.swarm.service.name"))
        else {
            return;
        };
        let told = Timestamp::from_nanosecond(event["timeNano"].as_i64().unwrap().into()).unwrap();
        match event["Action"].as_str() {
            Some("health_status: healthy") => self.healthy.push((id.to_owned(), told)),
            Some("die") => {
                // Gone already: the teardown was faster, and it ended by its hand.
                let Some(at) = (self.inspect)(id) else { return };
                self.seen.lock().unwrap().push(Ending {
                    service: whole.rsplit('_').next().unwrap().to_owned(),
                    code: attribute("exitCode").unwrap().parse().unwrap(),
                    at,
                    healthy: self.healthy.iter().find(|(of, _)| of == id).map(|(_, at)| *at),
                });
            }
            _ => {}
        }
    }
}

/// Asks a target's engine itself.
fn inspector(lab: &Lab) -> Inspector {
    let container = lab.container;
    Box::new(move |id| {
        let argv = ["exec", container, "docker", "inspect", "--format", "{{.State.FinishedAt}}", id];
        let output = Command::new("docker").args(argv).output().ok().filter(|output| output.status.success())?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    })
}
