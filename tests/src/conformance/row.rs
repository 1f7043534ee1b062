//! One row: what is sent, what is expected, and why.

use std::fs;

use serde::Deserialize;

use super::data;
use super::template::{common, expand};
use crate::forge::{Keys, base64url, spoil_bytes, spoil_text};

/// A row of the table. Texts may have the words of [`common`], and those that are named with a field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Row {
    /// What it is about; unique
    pub name: String,
    /// Why it is answered so, and who says so
    pub why: String,
    /// Which of `servers/` is asked
    pub server: String,
    /// `{sub}` of the payload, and the user in a 200
    pub sub: String,
    /// The JOSE header; `{sign}` is known
    pub header: String,
    /// The claims; `{sub}` is known
    pub payload: String,
    /// Which key signs
    pub key: String,
    /// With which algorithm: [`crate::forge::ForgeKey::sign`]
    pub sign: String,
    /// What is signed, of `{h}` and `{p}`, the encoded header and payload, and `{payload}`, as it is
    pub signed: String,
    /// The token, of these and `{s}`, the encoded signature; `{s:HOW}` is a spoilt one, `{h|HOW}` and the like are
    /// spoilt in how they are written; `{o}` is `other`, encoded
    pub token: String,
    /// Another header, payload or signature
    pub other: String,
    /// Lines of `Authorization`; `{token}` is known
    pub authorization: Vec<String>,
    /// Lines of `X-Original-URI`
    pub uri: Vec<String>,
    /// Lines of `X-Original-Method`
    pub method: Vec<String>,
    /// Lines of `X-Deteco-Scope`
    pub scope: Vec<String>,
    /// How long the token must have come out, in bytes; 0: any length
    pub token_bytes: usize,
    /// How long the JOSE header must have come out, in bytes; 0: any length
    pub header_bytes: usize,
    /// How long the URI must have come out, in bytes; 0: any length
    pub uri_bytes: usize,
    /// The expected status
    pub status: u16,
    /// The expected reason code; empty for 200
    pub reason: String,
}

/// A good token of an Ed25519 key, for the path that its service has.
impl Default for Row {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Row {
            name: String::new(),
            why: String::new(),
            server: text("canonical"),
            sub: text("reports"),
            header: text(r#"{"alg":"{sign}","typ":"JWT"}"#),
            payload: text(r#"{"sub":"{sub}","iat":{now},"exp":{now+60}}"#),
            key: text("ed25519"),
            sign: text("EdDSA"),
            signed: text("{h}.{p}"),
            token: text("{h}.{p}.{s}"),
            other: String::new(),
            authorization: vec![text("Bearer {token}")],
            uri: vec![text("/api/reports/1")],
            method: Vec::new(),
            scope: Vec::new(),
            token_bytes: 0,
            header_bytes: 0,
            uri_bytes: 0,
            status: 0,
            reason: String::new(),
        }
    }
}

impl Row {
    /// The token that it describes, made now.
    ///
    /// # Panics
    /// When its length is not the stated one.
    pub fn token(&self, keys: &Keys) -> Vec<u8> {
        let text = |text: &str| {
            expand(text, |word| match word {
                "sub" => Some(self.sub.clone().into()),
                "sign" => Some(self.sign.clone().into()),
                other => common(other, keys),
            })
        };
        let header = text(&self.header);
        self.check_length("header", header.len(), self.header_bytes);
        let payload = text(&self.payload);
        let segments = [("h", header), ("p", payload.clone()), ("o", text(&self.other))];
        let signed = expand(&self.signed, |word| match word {
            "payload" => Some(payload.clone()),
            other => segment(other, &segments),
        });
        let signature = keys.get(&self.key).sign(&self.sign, &signed);
        let [header, payload, other] = segments;
        let segments = [header, payload, other, ("s", signature)];
        let token = expand(&self.token, |word| segment(word, &segments).or_else(|| common(word, keys)));
        self.check_length("token", token.len(), self.token_bytes);
        token
    }

    /// The request of nginx, to the byte.
    pub fn request(&self, keys: &Keys) -> Vec<u8> {
        let token = self.token(keys);
        let mut request = b"GET /auth HTTP/1.1\r\nHost: auth.test\r\n".to_vec();
        let headers = [
            ("Authorization", &self.authorization),
            ("X-Original-URI", &self.uri),
            ("X-Original-Method", &self.method),
            ("X-Deteco-Scope", &self.scope),
        ];
        for (name, lines) in headers {
            for line in lines {
                let known =
                    |word: &str| if word == "token" { Some(token.clone()) } else { common(word, keys) };
                let value = expand(line, known);
                if name == "X-Original-URI" {
                    self.check_length("URI", value.len(), self.uri_bytes);
                }
                request.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
            }
        }
        request.extend(b"\r\n");
        request
    }

    fn check_length(&self, what: &str, found: usize, stated: usize) {
        assert!(stated == 0 || found == stated, "{}: the {what} has {found} bytes, not {stated}", self.name);
    }
}

/// `h`, `s:flip-last`, `p|loose`.
fn segment(word: &str, segments: &[(&str, Vec<u8>)]) -> Option<Vec<u8>> {
    let (word, written) = word.split_once('|').map_or((word, None), |(word, how)| (word, Some(how)));
    let (name, spoilt) = word.split_once(':').map_or((word, None), |(name, how)| (name, Some(how)));
    let (_, bytes) = segments.iter().find(|(have, _)| *have == name)?;
    let bytes = spoilt.map_or_else(|| bytes.clone(), |how| spoil_bytes(bytes.clone(), how));
    let text = base64url(&bytes);
    Some(written.map_or_else(|| text.clone(), |how| spoil_text(&text, how)).into())
}

/// All rows, in the order of the files' names; the `[defaults]` of a file hold for its rows.
///
/// # Panics
/// When a file is no table of rows.
pub fn all() -> Vec<Row> {
    let files = fs::read_dir(data()).expect("the rows are there").map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    let rows = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("a file that is there can be read");
        let table: Table =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        table.rows(&file.display().to_string())
    });
    rows.collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    defaults: toml::Table,
    row: Vec<toml::Table>,
}

impl Table {
    fn rows(self, file: &str) -> Vec<Row> {
        let row = |fields: toml::Table| {
            let mut whole = self.defaults.clone();
            whole.extend(fields);
            whole.clone().try_into().unwrap_or_else(|error| panic!("{file}: {whole:?}: {error}"))
        };
        self.row.into_iter().map(row).collect()
    }
}
