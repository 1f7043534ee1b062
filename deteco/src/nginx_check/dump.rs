//! What `nginx -T` prints: each file after a line with its name, the main one first.
//!
//! ```text
//! # configuration file /etc/nginx/nginx.conf:
//! ```

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::Finding;
use super::finding::Rule;
use super::glob::matches;
use super::read::{Directive, Place, Unreadable, read};

const MARK: &str = "# configuration file ";
/// Directives after every `include`, and `include` in `include`, at most.
const MAX_DIRECTIVES: usize = 500_000;
const MAX_INCLUDES: usize = 32;

/// The files of a dump, each parsed.
struct Dump {
    files: Vec<(Arc<str>, Vec<Directive>)>,
    by_name: HashMap<Arc<str>, usize>,
}

/// Reads the text of a dump, or of one file that is called `name`, with every `include` replaced by what it
/// includes. Those of which there is nothing in the text are remarked on in `findings`.
pub(super) fn tree(
    text: &str,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Directive>, Unreadable> {
    let mut files = Vec::new();
    for (name, first, text) in parts(text, name) {
        let name: Arc<str> = Arc::from(name);
        files.push((name.clone(), read(text, &name, first)?));
    }
    let by_name = files.iter().enumerate().rev().map(|(index, (name, _))| (name.clone(), index)).collect();
    let dump = Dump { files, by_name };
    let mut left = MAX_DIRECTIVES;
    let Some((_, main)) = dump.files.first() else { return Ok(Vec::new()) };
    dump.included(main, MAX_INCLUDES, &mut left, findings)
}

/// Name, number of the first line and text of each file. A dump's lines are counted from its mark, so that
/// they are those of the file.
fn parts<'a>(text: &'a str, name: &'a str) -> Vec<(&'a str, usize, &'a str)> {
    let mut marks = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(file) = line.trim_end().strip_prefix(MARK).and_then(|rest| rest.strip_suffix(':')) {
            marks.push((file, at, at + line.len()));
        }
        at += line.len();
    }
    if marks.is_empty() {
        return vec![(name, 1, text)];
    }
    let ends = marks.iter().skip(1).map(|mark| mark.1).chain([text.len()]);
    marks.iter().zip(ends).map(|((file, _, start), end)| (*file, 1, &text[*start..end])).collect()
}

impl Dump {
    fn included(
        &self,
        directives: &[Directive],
        depth: usize,
        left: &mut usize,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Directive>, Unreadable> {
        let mut all = Vec::new();
        for directive in directives {
            let too_many = |what| Unreadable { at: directive.at.clone(), what };
            *left = left.checked_sub(1).ok_or(too_many("there are more than 500000 directives"))?;
            if directive.name != "include" {
                let block = directive.block.as_ref();
                let block = block.map(|block| self.included(block, depth, left, findings)).transpose()?;
                all.push(Directive { block, ..directive.clone() });
                continue;
            }
            let deeper =
                depth.checked_sub(1).ok_or(too_many("files include each other more than 32 deep"))?;
            let found = self.find(directive.arg(0));
            if found.is_empty() && !directive.arg(0).contains(['*', '?', '[']) {
                findings.push(missing(directive));
            }
            for index in found {
                all.extend(self.included(&self.files[index].1, deeper, left, findings)?);
            }
        }
        Ok(all)
    }

    /// The files that an `include` means, in the order of their names; a relative one is relative to the
    /// directory of the main file.
    fn find(&self, pattern: &str) -> Vec<usize> {
        let main = Path::new(&*self.files[0].0);
        let pattern = main.parent().unwrap_or(Path::new("")).join(pattern);
        let pattern = pattern.to_string_lossy();
        if let Some(index) = self.by_name.get(&*pattern) {
            return vec![*index];
        }
        let mut found: Vec<_> = self.by_name.iter().filter(|(name, _)| matches(&pattern, name)).collect();
        found.sort();
        found.into_iter().map(|(_, index)| *index).collect()
    }
}

/// A file of types or parameters alone changes nothing here.
fn missing(include: &Directive) -> Finding {
    Finding::new(Rule::NotIncluded, &include.at, format!("{} is not in the text", include.arg(0)))
}

/// The place of the text as a whole.
pub(super) fn start(tree: &[Directive], name: &str) -> Place {
    tree.first().map_or(Place { file: Arc::from(name), line: 1 }, |first| first.at.clone())
}
