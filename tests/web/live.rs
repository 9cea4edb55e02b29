//! The log as it grows.

use std::time::Duration;

use cc_ci::adapters::store::End;
use cc_ci::domain::verdict::Verdict;
use jiff::Timestamp;
use reqwest::Response;

use super::Site;
use super::seed::{self, Asked, line};

/// An event as a browser sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Event {
    name: String,
    id: String,
    data: String,
}

impl Event {
    fn texts(&self) -> Vec<String> {
        let lines: Vec<serde_json::Value> = serde_json::from_str(&self.data).unwrap();
        lines.iter().map(|line| line["l"].as_str().unwrap().to_owned()).collect()
    }
}

/// A stream of events, read up to where one wants to stop.
struct Events {
    response: Response,
    rest: String,
}

impl Events {
    async fn open(site: &Site, path: &str, last: Option<&str>) -> Self {
        let mut request = site.client.get(format!("{}{path}", site.url));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, rest: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let mut event = Event::default();
                for (field, value) in block.lines().filter_map(|line| line.split_once(':')) {
                    match field {
                        "event" => event.name = value.trim().to_owned(),
                        "id" => event.id = value.trim().to_owned(),
                        "data" => event.data = value.trim().to_owned(),
                        _ => {}
                    }
                }
                self.rest = rest.to_owned();
                if !event.name.is_empty() {
                    return Some(event);
                }
                continue;
            }
            let piece = tokio::time::timeout(Duration::from_secs(30), self.response.chunk()).await.unwrap().unwrap()?;
            self.rest.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

async fn running(site: &Site) -> (Asked, String) {
    let asked = seed::ask(&site.service, "notes", Some(1), "ada", Timestamp::now()).await;
    seed::start(&site.service, &asked, "swarm-a", Timestamp::now()).await;
    let path = format!("/runs/{}/live", asked.number);
    (asked, path)
}

fn say(site: &Site, asked: &Asked, texts: &[&str]) {
    let lines: Vec<_> = texts.iter().map(|text| line(Timestamp::now(), "app.1@4f0c2d11a9b3", text)).collect();
    seed::append(&site.service, asked, &lines);
}

async fn finish(site: &Site, asked: &Asked) {
    let end = End { verdict: Verdict::NotJudged, sentence: "not judged: x", level: 0, report: None };
    assert!(site.service.store().finish(&asked.id, &end, Timestamp::now()).await.unwrap());
}

#[tokio::test]
async fn lines_follow_and_the_end_is_told() {
    let site = Site::new().await;
    let (asked, path) = running(&site).await;
    say(&site, &asked, &["one", "two"]);
    let mut events = Events::open(&site, &path, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.texts()), ("lines", vec!["one".to_owned(), "two".to_owned()]));
    say(&site, &asked, &["\u{1b}[31m<b>three</b>"]);
    let second = events.next().await.unwrap();
    assert_eq!(second.texts(), ["<b>three</b>"]);
    let length = std::fs::metadata(site.service.state().run(&asked.id).log()).unwrap().len();
    assert_eq!(second.id, length.to_string());
    finish(&site, &asked).await;
    let done = events.next().await.unwrap();
    assert_eq!((done.name.as_str(), done.data.as_str()), ("done", "{\"verdict\":\"not_judged\"}"));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_lost_connection_goes_on_behind_its_last_event() {
    let site = Site::new().await;
    let (asked, path) = running(&site).await;
    say(&site, &asked, &["one", "two"]);
    let first = Events::open(&site, &path, None).await.next().await.unwrap();
    say(&site, &asked, &["three"]);
    finish(&site, &asked).await;
    let mut again = Events::open(&site, &format!("{path}?from=0"), Some(&first.id)).await;
    assert_eq!(again.next().await.unwrap().texts(), ["three"]);
    assert_eq!(again.next().await.unwrap().name, "done");
    for nonsense in ["99999999", "18446744073709551615"] {
        assert_eq!(Events::open(&site, &path, Some(nonsense)).await.next().await.unwrap().name, "done");
    }
    let mut whole = Events::open(&site, &path, Some("nonsense")).await;
    assert_eq!(whole.next().await.unwrap().texts(), ["one", "two", "three"]);
    let mut within = Events::open(&site, &path, Some("5")).await;
    assert_eq!(within.next().await.unwrap().texts(), ["two", "three"]);
}

#[tokio::test]
async fn a_new_stage_is_told() {
    let site = Site::new().await;
    let (asked, path) = running(&site).await;
    let mut events = Events::open(&site, &path, None).await;
    site.service.store().begin_stage(&asked.id, cc_ci::domain::stage::Stage::Lint, Timestamp::now()).await.unwrap();
    let stage = events.next().await.unwrap();
    assert_eq!((stage.name.as_str(), stage.data.as_str()), ("stage", "{\"stage\":\"lint\"}"));
}

/// Each is a bare connection, so that what is measured is what the server holds.
/// In a process of its own: the tests beside it would be measured too.
#[test]
fn five_hundred_viewers_cost_little_memory() {
    const ALONE: &str = "CC_CI_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(measured());
    }
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", "live::five_hundred_viewers_cost_little_memory", "--nocapture"]).env(ALONE, "1");
    let output = alone.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

async fn measured() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let site = Site::new().await;
    let (asked, path) = running(&site).await;
    let many: Vec<String> = (0..18_000).map(|n| format!("line {n} {}", "x".repeat(100))).collect();
    say(&site, &asked, &many.iter().map(String::as_str).collect::<Vec<_>>());
    drop(many);
    let before = resident();
    let mut viewers = Vec::new();
    for _ in 0..500 {
        let mut viewer = tokio::net::TcpStream::connect(site.url.trim_start_matches("http://")).await.unwrap();
        let request = format!("GET {path}?from=3200000 HTTP/1.1\r\nhost: gate.test\r\nconnection: close\r\n\r\n");
        viewer.write_all(request.as_bytes()).await.unwrap();
        viewers.push(viewer);
    }
    let mut piece = vec![0; 1 << 16];
    for viewer in &mut viewers {
        assert!(viewer.read(&mut piece).await.unwrap() > 0);
    }
    let grown = resident().saturating_sub(before) >> 20;
    assert!(grown < 80, "500 viewers in the middle of a log took {grown} MB");
    finish(&site, &asked).await;
    for viewer in &mut viewers {
        let mut end = Vec::new();
        loop {
            let read = viewer.read(&mut piece).await.unwrap();
            if read == 0 {
                break;
            }
            end.extend_from_slice(&piece[..read]);
            end.drain(..end.len().saturating_sub(400));
        }
        let end = String::from_utf8_lossy(&end);
        assert!(end.contains("event: done\ndata: {\"verdict\":\"not_judged\"}"), "{end}");
    }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn the_log_can_be_read_page_by_page_without_a_script() {
    let site = Site::new().await;
    let (asked, path) = running(&site).await;
    let many: Vec<String> = (1..=1_000).map(|n| format!("line {n}.")).collect();
    say(&site, &asked, &many.iter().map(String::as_str).collect::<Vec<_>>());
    let mut page = path.replace("/live", "/log");
    let mut seen = Vec::new();
    loop {
        let text = site.page(&page).await;
        seen.extend(
            text.split("</b>line ").skip(1).map(|rest| rest.split('.').next().unwrap().parse::<u32>().unwrap()),
        );
        match text.split("rel=\"next\" href=\"").nth(1) {
            Some(rest) => page = rest.split('"').next().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=1_000).collect::<Vec<_>>());
    let last = site.page(&path.replace("/live", "/log?from=end")).await;
    assert!(last.contains("line 1000.") && last.contains("rel=\"prev\"") && last.contains("data-live="));
    let raw = site.get(&path.replace("/live", "/log.jsonl")).await;
    assert_eq!(raw.text().await.unwrap().lines().count(), 1_000);
}
