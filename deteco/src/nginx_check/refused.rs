//! What becomes of a refusal: `error_page [codes] [=[code]] uri`.

use super::blocks::Block;
use super::finding::{Finding, Rule};
use super::guarded::serves;
use super::location::Matcher;
use super::read::Directive;
use super::site::Site;

/// A line of `error_page`.
struct ErrorPage<'a> {
    line: &'a Directive,
    codes: Vec<u16>,
    /// What follows `=`; it may be empty
    response: Option<&'a str>,
}

impl<'a> ErrorPage<'a> {
    fn of(line: &'a Directive) -> Self {
        let codes = line.args.iter().filter_map(|arg| arg.parse().ok()).collect();
        let response = line.args.iter().rev().skip(1).find_map(|arg| arg.strip_prefix('='));
        Self { line, codes, response }
    }

    fn says_success(&self) -> bool {
        self.response.is_some_and(|response| response.starts_with('2'))
    }
}

/// In an auth location a 2xx lets everybody in. nginx itself says 4xx and 5xx there when deteco is not
/// reached; what deteco says is seen only with `proxy_intercept_errors`.
pub(super) fn check_auth(site: &Site<'_, '_>, auth: usize, findings: &mut Vec<Finding>) {
    let blocks = site.blocks;
    let intercepts = blocks.line(auth, "proxy_intercept_errors").filter(|line| line.arg(0) == "on");
    if let Some(line) = intercepts {
        findings.push(Finding::new(Rule::Intercepted, &line.at, "deteco's answers are intercepted"));
    }
    for page in blocks.lines(auth, "error_page").into_iter().map(ErrorPage::of) {
        let from_nginx = |code: &u16| intercepts.is_some() || matches!(*code, 400 | 413 | 414 | 429 | 500..);
        let any = page.says_success() || page.response == Some("");
        if any && page.codes.iter().any(from_nginx) {
            let what = format!("{} holds in {}", shown(page.line), blocks.all[auth].title());
            findings.push(Finding::new(Rule::AuthErrorPage, &page.line.at, what));
        }
    }
}

/// In a guarded location 401 and 403 are deteco's, and 500 says that it could not be asked.
pub(super) fn check_guarded(site: &Site<'_, '_>, guarded: usize, findings: &mut Vec<Finding>) {
    let blocks = site.blocks;
    for page in blocks.lines(guarded, "error_page").into_iter().map(ErrorPage::of) {
        let refuses = |code: &u16| matches!(*code, 401 | 403);
        if page.says_success() && page.codes.iter().any(refuses) {
            let what = format!("{} holds in {}", shown(page.line), blocks.all[guarded].title());
            findings.push(Finding::new(Rule::RefusalAsSuccess, &page.line.at, what));
            continue;
        }
        let target = blocks.location(blocks.all[guarded].server, page.line.last());
        let Some(target) = target.filter(|target| blocks.guard(*target).is_none()) else { continue };
        if page.codes.iter().any(|code| refuses(code) || *code == 500) && gives(&blocks.all[target]) {
            let what =
                format!("{} leads to {}, which asks nobody", shown(page.line), blocks.all[target].title());
            findings.push(Finding::new(Rule::RefusalUnguarded, &page.line.at, what));
        }
    }
}

/// Whether a location gives away what was asked for: to an application, or, since the URI stays the same in one
/// with a name, from a file.
fn gives(block: &Block<'_>) -> bool {
    let is_named = matches!(block.matcher(), Some(Matcher::Named(_)));
    serves(block) || is_named && block.line("return").is_none()
}

fn shown(line: &Directive) -> String {
    format!("error_page {}", line.args.join(" "))
}
