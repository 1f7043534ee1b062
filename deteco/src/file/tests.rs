use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<File> {
    File::parse(text, Path::new("/etc/deteco/deteco.toml"))
}

/// Every table, as documented.
const SAMPLE: &str = r#"
[[services]]
id = "report_batch"                       # the token's sub: 1–255 bytes of visible ASCII (spaces inside), no control, quote or backslash
paths = ["/api/reports"]                  # or [[services.rule]] path=…, methods=["GET"]; the method comes in X-Original-Method
public_keys = ['''-----BEGIN PUBLIC KEY----- …''']
[[services.keys]]                         # instead of, or beside, public_keys
kid = "2026-a"
file = "keys/report.pem"
not_after = 2027-03-31T00:00:00Z
algorithms = ["RS256"]
[services.jwks]                           # a JWK set, file or https URL, refreshed, kept when the fetch fails
url = "https://issuer.example.com/jwks.json"   # or file; ca = "…", refresh = "10m", max_stale = "24h"; no request ever waits for a fetch
[services.headers]
X-Deteco-Email = "email"                  # claim → response header; strings of visible ASCII ≤ 256 bytes, else left out and logged
"#;

/// What the original's files look like.
const ORIGINAL: &str = r#"
[[services]]
id = "user 1"
public_keys = [
'''
-----BEGIN PUBLIC KEY-----
…
-----END PUBLIC KEY-----
''',
"""
-----BEGIN CERTIFICATE-----
…
-----END CERTIFICATE-----
"""
]
paths = [
  "path1",
  "/path2/",
  "/"
]

[[services]]
id = "b"
public_keys = ["…"]
paths = ["/b"]
"#;

/// A key may end up anywhere; no error repeats it, with its first line or without.
#[test]
fn a_key_in_a_wrong_place_is_not_repeated() {
    let line = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg39qDs6uPpZX1iKPk";
    let block = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n");
    let one_line = block.replace('\n', "");
    let service = "[[services]]\nid = 'a'\npaths = ['/a']\npublic_keys = ['…']\n";
    let mut texts = vec![format!("{service}{line} = 1\n")];
    for key in [line, &block, &one_line] {
        texts.push(format!("uri_policy = '''{key}'''\n{service}"));
        texts.push(format!("leeway = '''{key}'''\n{service}"));
        texts.push(format!("{service}[[services.keys]]\nfile = 'k'\nalgorithms = ['''{key}''']\n"));
    }
    for key in [&block, &one_line] {
        texts.push(format!("deny_file = '''{key}'''\n{service}"));
        texts.push(format!("{service}[[services.keys]]\nfile = '''{key}'''\n"));
        texts.push(format!("{service}[services.jwks]\nfile = '''{key}'''\n"));
        texts.push(format!("{service}[services.jwks]\nurl = 'https://a/'\nca = '''{key}'''\n"));
        texts.push(format!("{service}[services.headers]\nX-A = '''{key}'''\n"));
    }
    for text in texts {
        let error = format!("{:#}", parse(&text).unwrap_err());
        assert!((error.contains("a key stands there") || error.contains('…')), "{error}");
        assert!(!error.contains(&line[20..40]), "{error}");
    }
}

#[test]
fn the_sample_is_read() {
    let file = parse(SAMPLE).unwrap();
    let service = file.services[0].get_ref();
    assert_eq!((service.id(), service.name(0)), ("report_batch", "services[0] \"report_batch\"".to_owned()));
    assert_eq!(service.paths[0].get_ref().0.prefix.as_str(), "/api/reports");
    assert_eq!(service.public_keys.len(), 1);
    let expected = [Path::new("/etc/deteco/keys/report.pem").to_owned()];
    assert_eq!(file.paths(), expected, "relative to the file");
    let JwksPlace::Url(published) = service.jwks.as_ref().unwrap().get_ref().place().unwrap() else {
        panic!()
    };
    assert_eq!(published.url.to_string(), "https://issuer.example.com/jwks.json");
    assert_eq!((published.refresh, published.max_stale), (None, None));
    assert_eq!(service.headers.0, [(http::HeaderName::from_static("x-deteco-email"), "email".to_owned())]);
    assert_eq!(file.policy(None), Policy::default());
    assert_eq!((file.uri_policy(), file.accel_expires(), file.max_tried()), (UriPolicy::Canonical, None, 8));
}

#[test]
fn the_files_of_the_original_are_read() {
    let file = parse(ORIGINAL).unwrap();
    let service = file.services[0].get_ref();
    let paths: Vec<_> = service.paths.iter().map(|path| path.get_ref().0.prefix.as_str()).collect();
    assert_eq!(paths, ["/path1", "/path2", "/"]);
    assert_eq!((file.services.len(), service.public_keys.len()), (2, 2));
    assert_eq!(file.services[1].get_ref().id(), "b");
}

/// A good service after these lines.
fn global(lines: &str) -> String {
    format!("{lines}\n[[services]]\nid = 'a'\npaths = ['/a']\npublic_keys = ['…']\n")
}

/// A good service of four lines, and more.
fn service(lines: &str) -> String {
    format!("[[services]]\nid = 'a'\npaths = ['/a']\npublic_keys = ['…']\n{lines}\n")
}

#[test]
fn the_whole_of_a_file_is_read() {
    let file = parse(&global(
        "audience = 'https://a.example'\nissuer = ['x', 'y']\nleeway = '5s'\nmax_lifetime = '24h'\n\
         uri_policy = 'nginx'\ndeny_file = 'denied.txt'\nmax_keys_tried = 16\naccel_expires = '10s'\n",
    ));
    let file = file.unwrap();
    let seconds = Duration::from_secs;
    let expected = Policy {
        freshness: Some(seconds(60)),
        leeway: seconds(5),
        audience: vec!["https://a.example".to_owned()],
        issuer: vec!["x".to_owned(), "y".to_owned()],
        max_lifetime: Some(seconds(86_400)),
        ..Policy::default()
    };
    assert_eq!(file.policy(Some(seconds(60))), expected);
    let rest = (file.uri_policy(), file.accel_expires(), file.max_tried());
    assert_eq!(rest, (UriPolicy::Nginx, Some(seconds(10)), 16));
    assert_eq!(file.paths(), [Path::new("/etc/deteco/denied.txt")]);

    let file = parse(&service(
        "scopes = ['b', 'a:read']\n[[services.rule]]\npath = '/r/'\nmethods = ['GET', 'PATCH']\n\
         [[services.keys]]\nfile = '/k.pem'\n[[services.keys]]\npem = 'x'\n[services.jwks]\n\
         url = 'http://127.0.0.1:1/'\nca = 'ca.pem'\nmax_stale = '24h'",
    ));
    let file = file.unwrap();
    let service = file.services[0].get_ref();
    let rule = service.rules[0].get_ref();
    assert_eq!(rule.path.get_ref().0.prefix.as_str(), "/r");
    assert_eq!(rule.methods.iter().map(|method| method.0.0.as_str()).collect::<Vec<_>>(), ["GET", "PATCH"]);
    assert_eq!(service.scopes.iter().map(|scope| scope.0.0.as_str()).collect::<Vec<_>>(), ["b", "a:read"]);
    assert_eq!(file.paths(), ["/k.pem", "/etc/deteco/ca.pem"].map(PathBuf::from));
    let JwksPlace::Url(published) = service.jwks.as_ref().unwrap().get_ref().place().unwrap() else {
        panic!()
    };
    assert_eq!((published.refresh, published.max_stale), (Some(seconds(600)), Some(seconds(86_400))));
}

fn jwks(lines: &str) -> String {
    service(&format!("[services.jwks]\n{lines}"))
}

#[test]
fn errors_name_file_line_and_fix() {
    let long = format!("[[services]]\nid = '{}'", "x".repeat(256));
    let key = |lines: &str| service(&format!("[[services.keys]]\n{lines}"));
    let rule = |lines: &str| service(&format!("[[services.rule]]\n{lines}"));
    let header = |line: &str| service(&format!("[services.headers]\n{line}"));
    let no_methods = "services[0] \"a\": rule[0]: it has no methods; for any method add its path to paths";
    for (text, line, says) in [
        ("", 1, "no [[services]]: every token would be refused; add one"),
        ("# to come\n", 1, "no [[services]]"),
        ("services = []", 1, "the list is empty"),
        ("[services]\nid = 'a'", 1, "invalid type: map, expected a sequence"),
        ("\n[[service]]\nid = 'a'", 2, "unknown field `service`"),
        ("[[services]]\npaths = ['/a']", 1, "missing field `id`"),
        (&long, 2, "an id has at most 255 bytes"),
        ("[[services]]\nid = ''", 2, "not empty"),
        ("[[services]]\nid = ' a'", 2, "no space at its beginning or end"),
        ("[[services]]\nid = \"a\\\"b\"", 2, "without quotes and backslashes"),
        ("[[services]]\nid = 'é'", 2, "visible ASCII"),
        ("[[services]]\nid = \"a\\u0000\"", 2, "visible ASCII"),
        (
            "[[services]]\nid = 'a'\npublic_keys = ['…']",
            1,
            "services[0] \"a\": it could see nothing; add paths",
        ),
        ("[[services]]\nid = 'a'\npaths = ['/']", 1, "services[0] \"a\": it has no keys; add public_keys"),
        ("[[services]]\nid = 'a'\npaths = []", 3, "the list is empty"),
        ("[[services]]\nid = 'a'\npublic_keys = []", 3, "the list is empty"),
        ("[[services]]\nid = 'a'\npaths = [\n'/a',\n'']", 5, "the path is empty; write / for everything"),
        ("[[services]]\nid = 'a'\npaths = [\n'/a',\n'/b/../c']", 5, "/b/../c"),
        ("[[services]]\nid = 'a'\npaths = ['/a//']", 3, "/a//"),
        ("[[services]]\nid = 'a'\npaths = '/a'", 3, "expected a sequence"),
        (&service(&service("")), 6, "the id \"a\" is already in line 2; give each service its own"),
        (&service("pathes = ['/b']"), 5, "unknown field `pathes`"),
        (&service("scopes = []"), 5, "the list is empty"),
        (&service("scopes = ['a b']"), 5, "a scope has 1 to 255 bytes"),
        (&service("scopes = [\n'a',\n'']"), 7, "a scope has"),
        (&rule("path = '/b'"), 5, no_methods),
        (&rule("path = '/b'\nmethods = []"), 7, "the list is empty"),
        (&rule("path = '/b'\nmethods = ['get']"), 7, "such as GET"),
        (&rule("methods = ['GET']"), 5, "missing field `path`"),
        (&rule("path = '/%62'\nmethods = ['GET']"), 6, "/%62"),
        (&key("kid = 'a'"), 5, "services[0] \"a\": keys[0]: it has neither file nor pem"),
        (&key("file = 'a'\npem = 'b'"), 5, "services[0] \"a\": keys[0]: it has both file and pem"),
        (&key("file = 'a'\nkid = ''"), 7, "a kid has 1 to 256 bytes"),
        (&key("file = 'a'\nalgorithms = []"), 7, "the list is empty"),
        (
            &key("file = 'a'\nalgorithms = [\n'RS256',\n'HS256']"),
            9,
            "\"HS256\": unknown algorithm; one of RS256",
        ),
        (&key("file = 'a'\nnot_after = 2027-03-31"), 7, "write 2027-03-31T00:00:00Z"),
        (&key("file = 'a'\nnot_after = '2027-03-31T00:00:00Z'"), 7, "invalid type: string"),
        (&key("flie = 'a'"), 6, "unknown field `flie`"),
        (&jwks(""), 5, "services[0] \"a\": jwks: it has neither url nor file"),
        (&jwks("url = 'https://a/'\nfile = 'b'"), 5, "jwks: it has both url and file"),
        (&jwks("url = 'http://a.example/'"), 6, "in the clear; write https://"),
        (&jwks("url = 'wss://a.example/'"), 6, "begins with https://"),
        (&jwks("url = 'https://u:p@a.example/'"), 6, "user name or password in it; remove it"),
        (&jwks("url = 'jwks.json'"), 6, "this is no URL"),
        (&jwks("url = 'https://a/'\nrefresh = '10s'"), 7, "refresh is from 1m to 24h"),
        (&jwks("url = 'https://a/'\nrefresh = '10'"), 7, "missing unit, write 10s"),
        (&jwks("url = 'https://a/'\nmax_stale = '10m'"), 7, "max_stale is longer than refresh, which is 10m"),
        (&jwks("file = 'a'\nrefresh = '10m'"), 7, "a file is read when it changes; remove"),
        (&jwks("file = 'a'\nca = 'c'"), 7, "a file is read when it changes; remove"),
        (&header("X-Deteco-User = 'email'"), 6, "has another meaning; take one such as X-Deteco-Email"),
        (&header("connection = 'email'"), 6, "has another meaning"),
        (&header("Content-Length = 'n'"), 6, "has another meaning"),
        (&header("X-Accel-Redirect = 'n'"), 6, "has another meaning"),
        (&header("X-A = 'a'\n'X B' = 'b'"), 7, "no name of a header"),
        (&header("X-A = ''"), 6, "no claim of a token"),
        (&header("X-A = 'a'\nx-a = 'b'"), 5, "the header x-a is there twice"),
        (&global("audience = []"), 1, "the list is empty"),
        (&global("audience = ''"), 1, "the string is empty"),
        (&global("\nissuer = ['a', '']"), 2, "the string is empty"),
        (&global("issuer = 7"), 1, "expected a string or a list of strings"),
        (&global("leeway = '2h'"), 1, "leeway is at most 1h"),
        (&global("leeway = 30"), 1, "expected a string"),
        (&global("max_lifetime = '0'"), 1, "max_lifetime is at least 1s; leave it out for none"),
        (&global("accel_expires = '10ms'"), 1, "accel_expires is at least 1s"),
        (&global("max_keys_tried = 0"), 1, "max_keys_tried is from 1 to 16"),
        (&global("max_keys_tried = 17"), 1, "max_keys_tried is from 1 to 16"),
        (&global("max_keys_tried = -1"), 1, "max_keys_tried is from 1 to 16"),
        (&global("uri_policy = 'none'"), 1, "unknown variant `none`, expected `canonical` or `nginx`"),
        (&global("\ndeny_flie = 'a'"), 2, "unknown field `deny_flie`"),
    ] {
        let error = format!("{:#}", parse(text).expect_err(text));
        let place = format!("/etc/deteco/deteco.toml:{line}: ");
        assert!(error.starts_with(&place) && error.contains(says), "{text}: {error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    let error = format!("{:#}", File::load(Path::new("/nonexistent/deteco.toml")).unwrap_err());
    assert!(error.starts_with("--conf /nonexistent/deteco.toml: "), "{error}");
}

#[test]
fn no_error_repeats_a_key_or_a_query() {
    let pem = "'''\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'''";
    for text in [
        format!("[[services]]\nid = 'a'\npublic_keys = {pem}\n"),
        format!("[[services]]\nid = {pem}\n"),
        service(&format!("keys = {pem}")),
        service(&format!("[[services.keys]]\nkid = {pem}")),
        jwks("url = 'http://a.example/?c2VjcmV0'"),
    ] {
        let error = format!("{:#}", parse(&text).expect_err(&text));
        assert!(!error.contains("c2VjcmV0") && error.starts_with("/etc/deteco/deteco.toml:"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        cut in 0..SAMPLE.len(),
        length in 0..20usize,
        noise in "[a-z\\[\\]{}='\"\n#.0-9é]{0,6}",
    ) {
        let bytes = SAMPLE.as_bytes();
        let end = (cut + length).min(bytes.len());
        let text = [&bytes[..cut], noise.as_bytes(), &bytes[end..]].concat();
        let text = String::from_utf8_lossy(&text);
        if let Err(error) = parse(&text) {
            prop_assert!(error.to_string().starts_with("/etc/deteco/deteco.toml:"));
        }
    }
}
