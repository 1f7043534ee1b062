//! Words and the marks between them.

use super::{Wrong, lua};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
    End,
}

/// Where we are in a text.
pub(super) struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str, first: usize) -> Self {
        Self { rest: text, line: first }
    }

    /// The line of what was read last.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Takes a character, or a pair of them.
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.skip(c.len_utf8());
        Some(c)
    }

    /// Bytes, up to the beginning of a character.
    fn skip(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }

    pub(super) fn next(&mut self) -> Result<Token, Wrong> {
        self.skip_space();
        let Some(c) = self.rest.chars().next() else { return Ok(Token::End) };
        let mark = match c {
            ';' => Token::Semicolon,
            '{' => Token::Open,
            '}' => Token::Close,
            '"' | '\'' => {
                self.take();
                return self.quoted(c).map(Token::Word);
            }
            _ => return Ok(Token::Word(self.word())),
        };
        self.take();
        Ok(mark)
    }

    /// And comments.
    fn skip_space(&mut self) {
        loop {
            let space = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.skip(space);
            if !self.rest.starts_with('#') {
                return;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    /// To the other quotation mark, which something that ends a word must follow.
    fn quoted(&mut self, quote: char) -> Result<String, Wrong> {
        let start = self.line;
        let mut word = String::new();
        loop {
            match self.take() {
                None => return Err((start, "a quotation mark is never closed")),
                Some('\\') => self.escape(&mut word),
                Some(c) if c == quote => break,
                Some(c) => word.push(c),
            }
        }
        match self.rest.chars().next() {
            None | Some(' ' | '\t' | '\r' | '\n' | ';' | '{' | ')') => Ok(word),
            Some(_) => Err((self.line, "a space is missing after a quotation mark")),
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' => break,
                '{' if !word.ends_with('$') => break,
                _ => {}
            }
            self.take();
            if c == '\\' { self.escape(&mut word) } else { word.push(c) }
        }
        word
    }

    /// After a backslash. What nginx does not know it leaves as it is: regular expressions need theirs.
    fn escape(&mut self, word: &mut String) {
        match self.take() {
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(c @ ('"' | '\'' | '\\')) => word.push(c),
            Some(c) => word.extend(['\\', c]),
            None => word.push('\\'),
        }
    }

    /// Behind the `}` that closes Lua code.
    pub(super) fn skip_lua(&mut self) -> Result<(), Wrong> {
        let length = lua::length(self.rest).ok_or((self.line, "the Lua block is never closed"))?;
        self.skip(length);
        Ok(())
    }
}
