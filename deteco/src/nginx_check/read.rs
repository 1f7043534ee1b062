//! nginx's configuration, read as nginx reads it (`ngx_conf_read_token`, nginx 1.22):
//!
//! ```text
//! name word 'word' "word";          a directive
//! name word { directive… }          a block
//! # to the end of the line          where a word could begin
//! ```
//!
//! A quotation mark counts where a word begins, a backslash takes the next character's meaning, `${` belongs
//! to a word. The body of `…_by_lua_block { }` is Lua: it is skipped by its braces, strings and comments.

use std::sync::Arc;

mod lua;
mod words;

use words::{Token, Words};

/// Blocks in blocks, at most.
const MAX_DEPTH: usize = 64;

/// A line of some file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// As `nginx -T` or the command line names it
    pub file: Arc<str>,
    /// From 1
    pub line: usize,
}

/// `name args;` or `name args { block }`.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) args: Vec<String>,
    pub(super) block: Option<Vec<Directive>>,
    pub(super) at: Place,
}

impl Directive {
    pub(super) fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// The last argument, or nothing.
    pub(super) fn last(&self) -> &str {
        self.args.last().map_or("", String::as_str)
    }
}

/// Why a text is no configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {what}", at.file, at.line)]
pub(super) struct Unreadable {
    pub(super) at: Place,
    pub(super) what: &'static str,
}

/// Reads `text`, which is that of `file` from its line `first` on.
pub(super) fn read(text: &str, file: &Arc<str>, first: usize) -> Result<Vec<Directive>, Unreadable> {
    let mut words = Words::new(text, first);
    block(&mut words, file, 0)
        .map_err(|(line, what)| Unreadable { at: Place { file: file.clone(), line }, what })
}

type Wrong = (usize, &'static str);

/// Up to the `}` of a block, or the end of the file if it is none.
fn block(words: &mut Words<'_>, file: &Arc<str>, depth: usize) -> Result<Vec<Directive>, Wrong> {
    if depth > MAX_DEPTH {
        return Err((words.line(), "blocks are nested deeper than 64"));
    }
    let mut found = Vec::new();
    loop {
        let name = match words.next()? {
            Token::Word(name) => name,
            Token::Close if depth > 0 => return Ok(found),
            Token::End if depth == 0 => return Ok(found),
            Token::Close => return Err((words.line(), "unexpected }")),
            Token::End => return Err((words.line(), "the file ends inside of a block; a } is missing")),
            Token::Semicolon | Token::Open => return Err((words.line(), "a directive has no name")),
        };
        let at = Place { file: file.clone(), line: words.line() };
        let mut directive = Directive { name, args: Vec::new(), block: None, at };
        rest(words, &mut directive, file, depth)?;
        found.push(directive);
    }
}

/// What follows the name.
fn rest(
    words: &mut Words<'_>,
    directive: &mut Directive,
    file: &Arc<str>,
    depth: usize,
) -> Result<(), Wrong> {
    loop {
        match words.next()? {
            Token::Word(word) => directive.args.push(word),
            Token::Semicolon => return Ok(()),
            Token::Open if directive.name.ends_with("_by_lua_block") => return words.skip_lua(),
            Token::Open => {
                directive.block = Some(block(words, file, depth + 1)?);
                return Ok(());
            }
            Token::Close | Token::End => {
                return Err((directive.at.line, "the directive does not end with ; or a block"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
