//! A headless Chromium, driven over its debugging pipe: messages are JSON, each ended by a zero byte.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The browser with one open page. It ends with this value.
pub(crate) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Value,
    next: u64,
    /// What the page complained of since it was last asked: errors of scripts, and what its policy refused.
    complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The pipe is on file descriptors 3 and 4; a shell can put ours there.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#, "sh", "chromium"]);
        command.args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-dev-shm-usage", "--hide-scrollbars", "--font-render-hinting=none"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut chromium =
            Self { child, to, from, session: Value::Null, next: 0, complaints: Vec::new(), _profile: profile };
        let target = chromium.ask("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = chromium.ask("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }));
        chromium.session = attached["sessionId"].clone();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            chromium.ask(domain, &json!({}));
        }
        chromium
    }

    /// How the next pages are looked at.
    pub(crate) fn look(&mut self, width: u32, theme: &str, script: bool) {
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", &screen);
        let feature = json!({ "name": "prefers-color-scheme", "value": theme });
        self.ask("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
        self.ask("Emulation.setScriptExecutionDisabled", &json!({ "value": !script }));
    }

    /// Opens a page. Returns what it complained of.
    pub(crate) fn open(&mut self, url: &str) -> Vec<String> {
        self.complaints.clear();
        let went = self.ask("Page.navigate", &json!({ "url": url }));
        assert!(went["errorText"].is_null(), "{url}: {went}");
        while self.read()["method"] != "Page.loadEventFired" {}
        std::mem::take(&mut self.complaints)
    }

    /// How wide the page's content is, in pixels.
    pub(crate) fn content_width(&mut self) -> u32 {
        let metrics = self.ask("Page.getLayoutMetrics", &json!({}));
        let width = metrics["cssContentSize"]["width"].as_f64().unwrap();
        format!("{width:.0}").parse().unwrap()
    }

    /// The value of an expression.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Whether an expression is true. Not while one page gives way to the next: then there may be nothing to ask.
    pub(crate) fn holds(&mut self, expression: &str) -> bool {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.asked("Runtime.evaluate", &asked);
        answer["error"].is_null() && answer["result"]["result"]["value"] == true
    }

    /// The whole page as a picture.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.ask("Page.captureScreenshot", &asked);
        STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        let answer = self.asked(method, parameters);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The whole answer, whatever it is.
    fn asked(&mut self, method: &str, parameters: &Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == self.next {
                return answer;
            }
        }
    }

    fn read(&mut self) -> Value {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message).unwrap();
        assert!(message.pop() == Some(0), "the browser is gone; is Chromium installed?");
        let message: Value = serde_json::from_slice(&message).unwrap();
        let entry = &message["params"]["entry"];
        if message["method"] == "Log.entryAdded" && entry["level"] == "error" {
            self.complaints.push(entry["text"].as_str().unwrap_or_default().to_owned());
        } else if message["method"] == "Runtime.exceptionThrown" {
            self.complaints.push(message["params"]["exceptionDetails"].to_string());
        }
        message
    }
}
