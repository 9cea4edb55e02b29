//! Every page in a real browser: wide and narrow, light and dark, with and without JavaScript. Pictures are left in
//! `target/pages` for people to look at.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chromium;
#[path = "../web/seed/mod.rs"]
mod seed;

use std::path::Path;
use std::time::{Duration, Instant};

use cc_ci::adapters::store::{Person, Switch};
use cc_ci::engine::service::Service;
use cc_ci::web::router;
use chromium::Chromium;
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Runtime;

/// Bytes of a page with its style and script.
const HEAVIEST: usize = 60_000;
/// A page that has not followed after so long does not.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gate whose pages can be opened.
struct Gate {
    runtime: Runtime,
    url: String,
    service: Service,
    numbers: Option<seed::Numbers>,
    _folder: tempfile::TempDir,
}

fn gate(history: bool) -> Gate {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let (url, service, numbers) = runtime.block_on(async {
        let service = seed::service(folder.path(), "http://127.0.0.1:9").await;
        let numbers = if history { Some(seed::seed(&service).await) } else { None };
        seed::alive(&service);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = router(service.clone(), seed::options(&url));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (url, service, numbers)
    });
    Gate { runtime, url, service, numbers, _folder: folder }
}

/// The pages, each with the name of its picture.
fn pages(numbers: &seed::Numbers) -> Vec<(&'static str, String)> {
    let run = |number: i64| format!("/runs/{number}");
    vec![
        ("now", "/".into()),
        ("runs", "/runs".into()),
        ("recipes", "/recipes".into()),
        ("recipe", "/recipes/notes".into()),
        ("targets", "/targets".into()),
        ("help", "/help".into()),
        ("green", run(numbers.green)),
        ("red", run(numbers.red)),
        ("heavy", run(numbers.heavy)),
        ("not-judged", run(numbers.lost)),
        ("never-began", run(numbers.never)),
        ("harm", run(numbers.harm)),
        ("running", run(numbers.running)),
        ("waiting", run(numbers.waiting)),
        ("log", format!("/runs/{}/log", numbers.red)),
        ("log-harm", format!("/runs/{}/log", numbers.harm)),
        ("compare", format!("/runs/{}/compare", numbers.red)),
        ("compare-heavy", format!("/runs/{}/compare/{}", numbers.heavy, numbers.red)),
        ("compare-harm", format!("/runs/{}/compare/{}", numbers.harm, numbers.green)),
        ("not-there", "/runs/999".into()),
    ]
}

/// Looks at pages in every way, and says what is wrong with them.
fn look(gate: &Gate, pages: &[(&str, String)]) -> Vec<String> {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(&pictures).unwrap();
    let mut browser = Chromium::start();
    let mut wrong = Vec::new();
    for script in [true, false] {
        for width in [360, 1200] {
            for theme in ["light", "dark"] {
                browser.look(width, theme, script);
                for (name, path) in pages {
                    let way = format!("{name} {width} {theme}{}", if script { "" } else { " without JavaScript" });
                    seed::alive(&gate.service);
                    let complaints = browser.open(&format!("{}{path}", gate.url));
                    wrong.extend(complaints.iter().filter(|it| !it.contains("404")).map(|it| format!("{way}: {it}")));
                    let wide = browser.content_width();
                    if wide > width {
                        wrong.push(format!("{way}: the content is {wide} pixels wide"));
                    }
                    let plain = if script { "" } else { "-plain" };
                    let file = pictures.join(format!("{name}-{width}-{theme}{plain}.png"));
                    std::fs::write(file, browser.picture()).unwrap();
                }
            }
        }
    }
    wrong
}

#[test]
fn pages_fit_and_do_what_their_policy_allows() {
    let gate = gate(true);
    let wrong = look(&gate, &pages(gate.numbers.as_ref().unwrap()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The file that somebody opens from a disk, here as the gate shows it: in a sandbox, without any script.
#[test]
fn reports_fit_and_need_nothing_else() {
    let gate = gate(true);
    let numbers = gate.numbers.as_ref().unwrap();
    let reports: Vec<_> = [("report-green", numbers.green), ("report-red", numbers.red), ("report-harm", numbers.harm)]
        .map(|(name, number)| {
            let run = gate.runtime.block_on(gate.service.store().show_run(number)).unwrap().unwrap();
            let folder = gate.service.state().run(&run.id);
            let results = serde_json::from_slice(&std::fs::read(folder.results()).unwrap()).unwrap();
            let (log, _) = cc_ci::domain::log::read(&std::fs::read(folder.log()).unwrap());
            std::fs::write(folder.report(), cc_ci::report::html(&results, &log).unwrap()).unwrap();
            (name, format!("/runs/{number}/report.html"))
        })
        .into();
    let wrong = look(&gate, &reports);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_empty_gate_and_one_with_notices_fit_too() {
    let gate = gate(false);
    gate.runtime.block_on(async {
        let store = gate.service.store();
        store.switch_on(Switch::Pause, "new disks until noon", "ada", Timestamp::now()).await.unwrap();
        store.switch_on(Switch::Banner, "Maintenance on Friday, 18:00 UTC", "ada", Timestamp::now()).await.unwrap();
    });
    let pages: Vec<_> = [("empty-now", "/"), ("empty-recipes", "/recipes"), ("empty-runs", "/runs")]
        .map(|(name, path)| (name, path.to_owned()))
        .into();
    let wrong = look(&gate, &pages);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pages_are_light() {
    let gate = gate(true);
    let weight =
        async |path: &str| reqwest::get(format!("{}{path}", gate.url)).await.unwrap().bytes().await.unwrap().len();
    gate.runtime.block_on(async {
        let rest = weight("/style.css").await + weight("/live.js").await;
        for (name, path) in pages(gate.numbers.as_ref().unwrap()) {
            let whole = weight(&path).await + rest;
            assert!(whole <= HEAVIEST, "{name}: {whole} bytes");
        }
    });
}

#[test]
fn a_page_follows_its_run_and_tells_local_time() {
    let gate = gate(true);
    let numbers = gate.numbers.as_ref().unwrap();
    let run = gate.runtime.block_on(gate.service.store().show_run(numbers.running)).unwrap().unwrap();
    let asked = seed::Asked { id: run.id, number: run.number };
    let mut browser = Chromium::start();
    browser.look(1200, "light", true);
    browser.open(&format!("{}/runs/{}", gate.url, asked.number));
    let last = browser.value("document.querySelector('.log .in').lastElementChild.id");
    seed::append(&gate.service, &asked, &[seed::line(Timestamp::now(), "cc-ci", "<i>converged</i>")]);
    until(&mut browser, "document.querySelector('.log .in').lastElementChild.textContent.includes('<i>converged</i>')");
    let next = browser.value("document.querySelector('.log .in').lastElementChild.id");
    let number = |id: &serde_json::Value| id.as_str().unwrap()[1..].parse::<u32>().unwrap();
    assert_eq!(number(&next), number(&last) + 1);
    browser.open(&format!("{}/runs", gate.url));
    assert_eq!(browser.value("document.querySelectorAll('time').length > 3"), true);
    assert_eq!(browser.value("document.querySelectorAll('time:not([data-local])').length"), 0);
}

#[test]
fn the_first_page_stays_fresh() {
    let gate = gate(true);
    let mut browser = Chromium::start();
    browser.look(1200, "light", true);
    browser.open(&gate.url);
    let asked = gate.runtime.block_on(seed::ask(&gate.service, "brand-new", Some(1), "ada", Timestamp::now()));
    seed::alive(&gate.service);
    until(&mut browser, &format!("!!document.querySelector('a[href=\"/runs/{}\"]')", asked.number));
}

/// Looks until it is so.
fn until(browser: &mut Chromium, question: &str) {
    let begun = Instant::now();
    while !browser.holds(question) {
        assert!(begun.elapsed() < PATIENCE, "not so: {question}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn buttons_fit_for_whom_they_are() {
    let gate = gate(true);
    let numbers = gate.numbers.as_ref().unwrap();
    gate.runtime.block_on(async {
        let person = Person { login: "ada".into(), may: cc_ci::adapters::store::May::Operator };
        let now = Timestamp::now();
        let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest("a".repeat(43)));
        gate.service.store().begin_session(&hash, &person, now, now + SignedDuration::from_hours(1)).await.unwrap();
    });
    let mut browser = Chromium::start();
    browser.look(360, "light", true);
    browser.open(&gate.url);
    browser.value(&format!("document.cookie = 'cc-ci-session={}'", "a".repeat(43)));
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(&pictures).unwrap();
    for (name, path) in [("operator-targets", "/targets".to_owned()), ("member-red", format!("/runs/{}", numbers.red))]
    {
        for width in [360, 1200] {
            browser.look(width, "light", true);
            browser.open(&format!("{}{path}", gate.url));
            assert!(browser.content_width() <= width, "{name} {width}");
            std::fs::write(pictures.join(format!("{name}-{width}.png")), browser.picture()).unwrap();
        }
    }
    browser.value("document.querySelector('form[action$=\"/retry\"] button').click()");
    until(&mut browser, "!!document.querySelector('form[action$=\"/cancel\"] button')");
    browser.value("document.querySelector('form[action$=\"/cancel\"] button').click()");
    until(&mut browser, "document.body.textContent.includes('It is being ended')");
}
