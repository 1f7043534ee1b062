//! A headless Chromium, driven over its pipe (the DevTools protocol, `--remote-debugging-pipe`).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::eventually::{PATIENCE, eventually};
use crate::programs::needed;
use crate::scratch::Scratch;

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    say: ChildStdin,
    heard: Receiver<Value>,
    /// Of the page.
    session: String,
    asked: u64,
    /// What the page complained of: exceptions, and what it or the browser logged as an error.
    complaints: VecDeque<String>,
    _profile: Scratch,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    /// When Chromium is missing or does not answer.
    pub fn start() -> Self {
        let profile = Scratch::new();
        // Chromium reads its descriptor 3 and writes its descriptor 4.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(needed("chromium", "chromium"))
            .args([
                "--headless",
                "--hide-scrollbars",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args(["--remote-debugging-pipe", "--no-first-run", "--disable-extensions"])
            .args(["--disable-background-networking", "--disable-component-update", "--no-proxy-server"])
            .arg(format!("--user-data-dir={}", profile.file("profile")))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let say = child.stdin.take().expect("stdin is a pipe");
        let heard = listen(child.stdout.take().expect("stdout is a pipe"));
        let (session, complaints) = (String::new(), VecDeque::new());
        let mut browser = Self { child, say, heard, session, asked: 0, complaints, _profile: profile };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = eventually("the browser has a page", || {
            let targets = self.ask("Target.getTargets", &json!({}));
            let all = targets["targetInfos"].as_array()?;
            let page = all.iter().find(|target| target["type"] == "page")?;
            page["targetId"].as_str().map(str::to_owned)
        });
        let attached = self.ask("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }));
        self.session = attached["sessionId"].as_str().expect("an attached page has a session").to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            self.ask(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// Shows pages as on a screen of this width (CSS pixels), by day or by night.
    pub fn looks_like(&mut self, width: u32, dark: bool) {
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", &screen);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", &features);
    }

    /// Opens `url`.
    pub fn open(&mut self, url: &str) {
        let opened = self.ask("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
    }

    /// What a JavaScript expression is in the page; a promise is awaited.
    ///
    /// # Panics
    /// When it throws.
    pub fn eval(&mut self, expression: &str) -> Value {
        let how = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut evaluated = self.ask("Runtime.evaluate", &how);
        assert!(evaluated["exceptionDetails"].is_null(), "{expression}: {evaluated}");
        evaluated["result"]["value"].take()
    }

    /// Waits until a JavaScript expression is true; while it throws, the page is not that far.
    pub fn until(&mut self, expression: &str) {
        let patient = format!("(() => {{ try {{ return {expression} }} catch {{ return false }} }})()");
        eventually(expression, || (self.eval(&patient) == true).then_some(()));
    }

    /// The whole page as a PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        let how = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.ask("Page.captureScreenshot", &how);
        BASE64_STANDARD.decode(shot["data"].as_str().expect("a screenshot has data")).expect("it is base64")
    }

    /// What the page complained of so far.
    pub fn complaints(&mut self) -> Vec<String> {
        self.eval("0"); // what came before the answer has been heard
        self.complaints.iter().cloned().collect()
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut question = json!({ "id": self.asked, "method": method, "params": params });
        if !self.session.is_empty() {
            question["sessionId"] = json!(self.session);
        }
        self.say.write_all(format!("{question}\0").as_bytes()).expect("the browser listens");
        loop {
            let mut heard =
                self.heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            if heard["id"] == self.asked {
                assert!(heard["error"].is_null(), "{method}: {heard}");
                return heard["result"].take();
            }
            self.note(&heard);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(&params["exceptionDetails"]),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => Some(&params["args"]),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => Some(&params["entry"]),
            _ => None,
        };
        self.complaints.extend(complaint.map(Value::to_string));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends its children too.
        let _ = self.say.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let gone = (0..500).any(|_| {
            thread::sleep(std::time::Duration::from_millis(10));
            !matches!(self.child.try_wait(), Ok(None))
        });
        if !gone {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Messages end with a NUL.
fn listen(from: ChildStdout) -> Receiver<Value> {
    let (heard, out) = channel();
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut message = Vec::new();
        while from.read_until(0, &mut message).is_ok_and(|n| n > 0) {
            message.pop();
            let Ok(value) = serde_json::from_slice(&message) else { break };
            if heard.send(value).is_err() {
                break;
            }
            message.clear();
        }
    });
    out
}
