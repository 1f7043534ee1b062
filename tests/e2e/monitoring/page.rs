//! The status page, in a browser.

use std::fs;
use std::path::PathBuf;

use e2e::browser::Browser;
use e2e::destination::Destination;
use e2e::eventually::eventually;
use e2e::pattern;
use e2e::port;
use e2e::programs::{Client, Gateway};
use e2e::status::StatusSocket;
use serde_json::Value;

/// Set to a directory, that of the documentation's images perhaps, to have the pictures there.
const PICTURES: &str = "WSGATE_PICTURES";

fn keep(name: &str, picture: &[u8]) {
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "a picture of something");
    if let Some(directory) = std::env::var_os(PICTURES) {
        fs::write(PathBuf::from(directory).join(name), picture).unwrap();
    }
}

/// What the page shows beside a heading of its tables of facts.
fn fact(browser: &mut Browser, name: &str) -> Value {
    browser.eval(&format!(
        "[...document.querySelectorAll('tr')].find(r => r.cells[0]?.textContent === '{name}')?.cells[1]?.textContent"
    ))
}

/// What it shows on a card.
fn card(browser: &mut Browser, title: &str) -> Value {
    browser.eval(&format!(
        "[...document.querySelectorAll('.card')].find(c => c.title.startsWith('{title}'))
            ?.querySelector('.value').textContent"
    ))
}

#[test]
fn the_page_shows_what_the_status_says_by_day_and_by_night_and_on_a_telephone() {
    let destination = Destination::echo();
    let status = StatusSocket::at(format!("127.0.0.1:{}", port::free()));
    let map = format!("db,{0}\nssh,{0}\n", destination.address);
    let gateway = Gateway::start(&map, &["--status-listen", &status.address, "--max-connections", "77"]);
    eventually("the status is answered", || status.try_get("/live"));
    let client = Client::start(&gateway.url("db"), &[]);
    let open: Vec<_> = (0..3).map(|_| client.connect()).collect();
    for application in &open {
        pattern::write(application, 1, 1000);
        pattern::read(application, 1, 1000);
    }
    let document = status.document();
    let mut browser = Browser::start();
    for (name, width, dark) in [("status.png", 1000, false), ("status-dark.png", 400, true)] {
        browser.looks_like(width, dark);
        browser.open(&format!("http://{}/", status.address));
        browser.until("document.getElementById('state').textContent === 'ready'");
        browser.until("document.querySelectorAll('td').length > 0");
        assert_eq!(browser.eval("document.querySelector('h1').textContent"), document["program"]);
        assert_eq!(card(&mut browser, "sessions.open"), document["sessions"].to_string());
        assert_eq!(document["sessions"], 3);
        assert_eq!(fact(&mut browser, "sessions"), "3");
        assert_eq!(fact(&mut browser, "max connections"), document["limits"]["max_connections"].to_string());
        let pid = browser.eval("document.getElementById('facts').textContent");
        assert!(pid.as_str().unwrap().contains(&format!("pid {}", document["pid"])), "{pid}");
        let beyond = browser.eval("document.documentElement.scrollWidth - innerWidth");
        assert_eq!(beyond, 0, "nothing is beyond the edge at {width}");
        // Text stands out from what is behind it, whatever the scheme (WCAG 2: 4.5 to 1).
        let contrast = browser.eval(CONTRAST);
        assert!(contrast.as_f64().unwrap() >= 4.5, "{contrast} at {name}");
        let paper = browser.eval("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] < 128");
        assert_eq!(paper, dark, "{name}");
        keep(name, &browser.screenshot());
    }
    assert_eq!(browser.complaints(), Vec::<String>::new(), "of the console");
    drop(open);
    browser.until(
        "[...document.querySelectorAll('.card')].find(c => c.title.startsWith('sessions.open'))
            .querySelector('.value').textContent === '0'",
    );
    drop(client);
    drop(gateway);
    browser.until("document.getElementById('state').textContent.startsWith('away')");
}

/// The least contrast of any text on the page to what is behind it.
const CONTRAST: &str = "(() => {
    const parts = (c) => c.match(/[\\d.]+/g).map(Number);
    const linear = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const bright = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (e) => { for (; e; e = e.parentElement) {
        const c = parts(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] === 1) return c;
    } return [255, 255, 255]; };
    let least = 21;
    for (const e of document.querySelectorAll('h1, h2, th, td, .what, .value, small, a, #state, header span')) {
        if (!e.textContent.trim() || !e.offsetParent) continue;
        const [a, b] = [bright(parts(getComputedStyle(e).color)), bright(behind(e))].sort((x, y) => y - x);
        least = Math.min(least, (a + 0.05) / (b + 0.05));
    }
    return least;
})()";
