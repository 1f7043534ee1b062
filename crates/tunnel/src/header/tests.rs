use super::*;

const ID: &str = "AAECAwQFBgcICQoLDA0ODw";

fn of(lines: &[&str]) -> Result<Option<Header>, BadHeader> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(TUNNEL, HeaderValue::from_str(line).unwrap());
    }
    Header::of(&headers)
}

#[test]
fn headers_are_read_or_refused() {
    let window = |window| Ok(Some(Header { window: Some(window), ..Header::default() }));
    let empty = || Ok(Some(Header::default()));
    type Row = (&'static [&'static str], Result<Option<Header>, BadHeader>);
    let table: &[Row] = &[
        (&[], Ok(None)),
        (&["2"], empty()),
        (&["2; new=thing; another="], empty()),
        (&["2;window=65536"], window(65536)),
        (&["2 ;\tWindow=65536 "], window(65536)),
        (&["2; window=99999999999"], window(MAX_WINDOW)),
        (&["1"], Ok(None)),
        (&["3; window=1, 2"], Ok(None)),
        (&["22"], Ok(None)),
        (&["2", "2"], Err(BadHeader::Twice)),
        (&["3", "2"], Err(BadHeader::Twice)),
        (&["2; window=65536, 2; window=65536"], Err(BadHeader::Twice)),
        (&["2; window=65536; window=65536"], Err(BadHeader::Twice)),
        (&["2; attempt=1; ATTEMPT=1"], Err(BadHeader::Twice)),
        (&[""], Err(BadHeader::Malformed)),
        (&["two"], Err(BadHeader::Malformed)),
        (&["2;"], Err(BadHeader::Malformed)),
        (&["2; window"], Err(BadHeader::Malformed)),
        (&["2; window=65535"], Err(BadHeader::Malformed)),
        (&["2; window="], Err(BadHeader::Malformed)),
        (&["2; window=+65536"], Err(BadHeader::Malformed)),
        (&["2; received=18446744073709551616"], Err(BadHeader::Malformed)),
        (&["2; attempt=4294967296"], Err(BadHeader::Malformed)),
        (&["2; resume=maybe"], Err(BadHeader::Malformed)),
        (&["2; session=short"], Err(BadHeader::Malformed)),
        (&["2; instance=short"], Err(BadHeader::Malformed)),
        (&["2; grace=-1"], Err(BadHeader::Malformed)),
        (&["2; lifetime=1.5"], Err(BadHeader::Malformed)),
    ];
    for (lines, header) in table {
        assert_eq!(of(lines), *header, "{lines:?}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let full = Header {
        window: Some(DEFAULT_WINDOW),
        resume: Some(false),
        session: Some(ID.parse().unwrap()),
        received: Some(u64::MAX),
        attempt: Some(7),
        instance: Some(Instance(0xc0ffee)),
        grace: Some(Duration::from_secs(120)),
        lifetime: Some(Duration::from_secs(3600)),
    };
    for header in [Header::default(), full.clone()] {
        let headers = HeaderMap::from_iter([(TUNNEL, header.to_value())]);
        assert_eq!(Header::of(&headers), Ok(Some(header)));
    }
    let value = full.to_value();
    assert!(value.to_str().unwrap().contains(ID));
    assert!(!format!("{value:?} {full:?}").contains(ID), "the secret is not shown");
}

#[test]
fn a_request_is_new_or_a_whole_resume() {
    let request = |line: &str| of(&[line]).unwrap().unwrap().request();
    let new = |window, resume| Ok(Request::New { window, resume });
    let resume = Request::Resume { session: ID.parse().unwrap(), received: 5, attempt: 2 };
    for (line, asked) in [
        ("2", new(DEFAULT_WINDOW, true)),
        ("2; window=65536; resume=no", new(65536, false)),
        (&format!("2; session={ID}; received=5; attempt=2"), Ok(resume.clone())),
        (&format!("2; session={ID}; received=5"), Err(BadHeader::Malformed)),
        (&format!("2; session={ID}"), Err(BadHeader::Malformed)),
        ("2; attempt=2", Err(BadHeader::Malformed)),
        ("2; received=2", Err(BadHeader::Malformed)),
    ] {
        assert_eq!(request(line), asked, "{line}");
    }
    for asked in [Request::New { window: 65536, resume: false }, resume] {
        assert_eq!(asked.header().request(), Ok(asked));
    }
}
