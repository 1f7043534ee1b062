use proptest::prelude::*;

use super::*;
use crate::nginx_conf::tests::{LINES, conf};

fn rules(text: &str) -> Vec<Rule> {
    check(text, "f").unwrap().findings.into_iter().map(|finding| finding.rule).collect()
}

/// What `nginx-conf` prints, with a cache and a scope.
fn right() -> String {
    conf("--cache 1m --scope reports --location /api/").unwrap()
}

/// `right`, with `from` replaced; it must be there.
fn changed(from: &str, to: &str) -> String {
    let right = right();
    let changed = right.replacen(from, to, 1);
    assert_ne!(changed, right, "{from} is not in {right}");
    changed
}

#[test]
fn what_nginx_conf_prints_is_clean() {
    for line in LINES {
        let report = check(&conf(line).unwrap(), "f").unwrap();
        assert_eq!(report.to_string(), "0 errors, 0 warnings, 0 notices\n", "{line}");
        assert!(report.is_good());
    }
}

/// Each wrong way is found, and nothing else.
#[test]
fn wrong_questions() {
    let key = "\"$request_method $deteco_scope $request_uri $http_authorization\"";
    for (from, to, rule) in [
        ("        internal;\n", "", Rule::NotInternal),
        ("location = /_deteco {", "location = /other {", Rule::NoAuthLocation),
        ("internal;\n", "internal; return 200;\n", Rule::NoQuestion),
        ("proxy_pass http://deteco_backend/auth;", "root /srv;", Rule::NoQuestion),
        ("deteco_backend/auth;", "deteco_backend/;", Rule::NoQuestion),
        ("deteco_backend/auth;", "deteco_backend/live;", Rule::NoQuestion),
        ("deteco_backend/auth;", "deteco_backend/ready?x;", Rule::NoQuestion),
        ("deteco_backend/auth;", "deteco_backend//;", Rule::NoQuestion),
        ("http://deteco_backend/auth;", "http://$arg_to/auth;", Rule::NoQuestion),
        ("internal;\n", "internal; proxy_set_header Authorization \"Bearer e30\";\n", Rule::FixedToken),
        ("internal;\n", "internal; proxy_set_header Authorization \"Bearer $cookie_t\";\n", Rule::CacheKey),
        ("proxy_set_header X-Original-URI $request_uri;", "", Rule::UriNotSet),
        ("X-Original-URI $request_uri;", "X-Original-URI $uri;", Rule::UriNotRaw),
        ("X-Original-URI $request_uri;", "X-Original-URI $document_uri;", Rule::UriNotRaw),
        ("X-Original-URI $request_uri;", "X-Original-URI $scheme://$host$request_uri;", Rule::UriNotRaw),
        ("X-Original-URI $request_uri;", "X-Original-URI \"\";", Rule::UriNotRaw),
        ("proxy_set_header X-Original-Method $request_method;", "", Rule::MethodNotSet),
        ("X-Original-Method $request_method;", "X-Original-Method $http_x_method;", Rule::MethodNotSet),
        ("proxy_set_header X-Deteco-Scope $deteco_scope;", "", Rule::ScopeNotSet),
        ("server_name _;", "server_name _; set $deteco_scope \"\";", Rule::ScopeUndone),
        ("internal;\n", "internal; set $deteco_scope all;\n", Rule::ScopeUndone),
        ("set $deteco_scope \"reports\";", "set $deteco_scope $arg_scope;", Rule::ScopeFromClient),
        ("map \"\" $deteco_scope {", "map $http_x_scope $deteco_scope {", Rule::ScopeFromClient),
        ("default \"\";", "default $cookie_scope;", Rule::ScopeFromClient),
        ("proxy_cache_key", "# proxy_cache_key", Rule::CacheKey),
        (key, "\"$request_method $deteco_scope $request_uri\"", Rule::CacheKey),
        (key, "\"$deteco_scope $request_uri $http_authorization\"", Rule::CacheKey),
        (key, "\"$request_method $request_uri $http_authorization\"", Rule::CacheKey),
        (key, "\"$request_method $deteco_scope $http_authorization\"", Rule::CacheKey),
        (key, "\"$http_authorization $request_method $deteco_scope $request_uri\"", Rule::CacheKeyOrder),
        (key, "$request_method$deteco_scope$request_uri$http_authorization", Rule::CacheKeyOrder),
        ("proxy_cache_use_stale off;", "proxy_cache_use_stale error timeout;", Rule::CacheStale),
        ("internal;\n", "internal; proxy_ignore_headers cache-control;\n", Rule::CacheIgnores),
        ("    keepalive 32;", "", Rule::NoKeepAlive),
        ("keepalive 32;", "keepalive 0;", Rule::NoKeepAlive),
        ("http://deteco_backend/auth", "http://127.0.0.1:8080/auth", Rule::NoKeepAlive),
        ("proxy_http_version 1.1;", "", Rule::NoKeepAlive),
        ("proxy_set_header Connection \"\";", "", Rule::NoKeepAlive),
        ("proxy_pass_request_body off;", "", Rule::BodySent),
        ("proxy_set_header Content-Length \"\";", "", Rule::LengthSent),
        ("client_max_body_size 0;", "client_max_body_size 1k;", Rule::BodySize),
        ("proxy_intercept_errors off;", "proxy_intercept_errors on;", Rule::Intercepted),
        ("internal;\n", "internal; error_page 502 =200 /ok;\n", Rule::AuthErrorPage),
        ("internal;\n", "internal; error_page 500 502 504 = /ok;\n", Rule::AuthErrorPage),
        ("proxy_read_timeout 2s;", "", Rule::SlowTimeout),
        ("proxy_connect_timeout 1s;", "proxy_connect_timeout 10001ms;", Rule::SlowTimeout),
    ] {
        assert_eq!(rules(&changed(from, to)), [rule], "{from} -> {to}");
    }
    let cookie = "internal; proxy_set_header Authorization \"Bearer $cookie_t\";\n";
    for (last, expected) in [("-$cookie_t", vec![Rule::CacheKeyOrder]), (" $cookie_t", vec![])] {
        let text = changed("internal;\n", cookie).replace(" $http_authorization\"", &format!("{last}\""));
        assert_eq!(rules(&text), expected, "{last}");
    }
}

#[test]
fn wrong_guards() {
    let api = "location /api/ {\n";
    let set = "proxy_set_header X-Deteco-User $deteco_user;";
    let app = "proxy_pass http://127.0.0.1:8000;";
    let host = "proxy_set_header Host $host;";
    for (from, to, rule) in [
        (set, "", Rule::Identity),
        (set, "proxy_set_header X-Deteco-User $http_x_deteco_user;", Rule::Identity),
        (host, "if ($arg_x) { proxy_pass http://127.0.0.1:1; proxy_set_header A b; }", Rule::Identity),
        (host, "auth_request_set $mail $upstream_http_x_deteco_email;", Rule::Identity),
        (app, "fastcgi_pass 127.0.0.1:9000; fastcgi_param REMOTE_USER $deteco_user;", Rule::Identity),
        (app, "uwsgi_pass 127.0.0.1:9000;", Rule::Identity),
        (app, "grpc_pass grpc://127.0.0.1:9000;", Rule::Identity),
        ("server_name _;", "server_name _; underscores_in_headers on;", Rule::Underscores),
        (app, "return 200 secret;", Rule::ReturnContent),
        (app, "return 301 https://$host$request_uri;", Rule::ReturnEarly),
        (app, "return https://example.com/;", Rule::ReturnEarly),
        (app, "if ($request_method = OPTIONS) { return 204; }", Rule::ReturnEarly),
        (app, "rewrite ^/old /new permanent;", Rule::ReturnEarly),
        (app, "rewrite ^/old https://example.com/;", Rule::ReturnEarly),
        (host, "error_page 401 403 =200 /sorry.html;", Rule::RefusalAsSuccess),
        (host, "satisfy any;", Rule::SatisfyAny),
        (api, "location /api { location /api/open/ { auth_request off; }\n", Rule::GuardOff),
        ("server_name _;", "server_name _; location ~ \\.php$ { root /srv; }", Rule::RegexWins),
        (
            api,
            "location /img { auth_request /_deteco; alias /srv/img/; }\nlocation /api/ {\n",
            Rule::AliasSlash,
        ),
        (
            api,
            "location /img { auth_request /_deteco; proxy_set_header X-Deteco-User ''; proxy_pass http://a/v1/; }\n\
             location /api/ {\n",
            Rule::AliasSlash,
        ),
        ("server_name _;", "rewrite ^/pub/(.*)$ /api/$1 last;", Rule::Rewritten),
        ("server_name _;", "if ($http_x) { rewrite ^ /api/x; }", Rule::Rewritten),
        ("server_name _;", "location /pub/ { rewrite ^/pub/(.*)$ /api/$1; }", Rule::Rewritten),
        ("server_name _;", "location /api/admin/ { proxy_pass http://127.0.0.1:1; }", Rule::OpenBelow),
        ("server_name _;", "location = /api/admin { fastcgi_pass 127.0.0.1:1; }", Rule::OpenBelow),
        ("server_name _;", "location ^~ /api/ad { root /srv; }", Rule::OpenBelow),
        ("location = /_deteco {", "location ~ ^/_d { return 200; }\nlocation /_deteco {", Rule::AuthRegex),
        ("server_name _;", "error_page 403 = @files; location @files { root /srv; }", Rule::RefusalUnguarded),
        ("server_name _;", "server_name _; include other.conf;", Rule::NotIncluded),
    ] {
        assert_eq!(rules(&changed(from, to)), [rule], "{from} -> {to}");
    }
}

#[test]
fn right_ways_are_left_alone() {
    let app = "proxy_pass http://127.0.0.1:8000;";
    let set = "proxy_set_header X-Deteco-User $deteco_user;";
    for (from, to) in [
        ("$request_uri;", "\"${request_uri}\";"),
        ("proxy_set_header X-Original-URI", "proxy_set_header x-original-uri"),
        ("proxy_set_header X-Deteco-Scope $deteco_scope;", "proxy_set_header X-Deteco-Scope fixed;"),
        (set, "proxy_set_header X-Deteco-User \"\";"),
        (app, "fastcgi_pass 127.0.0.1:9000; fastcgi_param HTTP_X_DETECO_USER $deteco_user;"),
        (app, "fastcgi_pass 127.0.0.1:9000; fastcgi_pass_request_headers off;"),
        (app, "return 403;"),
        (app, "rewrite ^/api/(.*) /$1 break; proxy_pass http://127.0.0.1:8000;"),
        (app, "error_page 401 /login.html; proxy_pass http://127.0.0.1:8000;"),
        ("server_name _;", "error_page 500 502 503 504 /50x.html; location = /50x.html { root /srv; }"),
        ("server_name _;", "error_page 401 = @login; location @login { return 302 /login; }"),
        ("server_name _;", "auth_request /_deteco; if ($https = '') { return 301 https://a/; }"),
        ("server_name _;", "location ~ ^/static/ { root /srv; }"),
        ("location = /_deteco {", "location ~ ^/static/ { root /srv; }\nlocation /_deteco {"),
        ("location = /_deteco {", "location ~ ^/_d { return 200; }\nlocation ^~ /_deteco {"),
        ("server_name _;", "location /api/open/ { auth_request off; proxy_pass http://127.0.0.1:1; }"),
        ("server_name _;", "location /api/in/ { internal; proxy_pass http://127.0.0.1:1; }"),
        ("server_name _;", "location = /api/old { return 301 /api/new; }"),
        ("map \"\" $deteco_scope {", "map $host $deteco_scope {"),
        ("server_name _;", "location /pub/ { rewrite ^/pub/(.*)$ /other/$1; }"),
        ("server_name _;", "auth_request /_deteco; rewrite ^ /api/index.php last;"),
        (app, "rewrite ^/api/v1/(.*)$ /api/v2/$1 last; proxy_pass http://127.0.0.1:8000;"),
        ("server_name _;", "location /apix/ { proxy_pass http://127.0.0.1:1; }"),
        ("server_name _;", "location ~ /\\. { deny all; }"),
        ("server_name _;", "location ~ \\.php$ { auth_request /_deteco; root /srv; }"),
        ("location /api/ {", "location ^~ /api/ {"),
        ("server_name _;", "location / { return 301 https://example.com/; }"),
        ("location = /_deteco {", "location =/_deteco {"),
        ("listen 80;", "listen 80; include mime.types*;"),
        ("listen 80;", "listen 80; location = /open { proxy_pass http://127.0.0.1:1; }"),
        ("location = /_deteco {", "location = /_deteco { access_by_lua_block { return '}' }"),
        ("proxy_read_timeout 2s;", "proxy_read_timeout 10s;"),
    ] {
        assert_eq!(rules(&changed(from, to)), [], "{from} -> {to}");
    }
}

/// The guard, the cache and the headers may come from blocks around.
#[test]
fn what_is_inherited_counts() {
    let ask = "internal; proxy_pass http://d/auth; proxy_pass_request_body off; proxy_http_version 1.1; \
               proxy_connect_timeout 1; proxy_send_timeout 1; proxy_read_timeout 1; client_max_body_size 0;";
    let headers = "proxy_set_header Content-Length ''; proxy_set_header Connection ''; proxy_set_header \
                   X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method;";
    let scope = "proxy_set_header X-Deteco-Scope '';";
    let site = |http: &str, server: &str, auth: &str, app: &str| {
        format!(
            "http {{ upstream d {{ server x; keepalive 2; }} {http} server {{ auth_request /a; {server} location = /a \
             {{ {ask} {auth} }} location / {{ proxy_pass http://app; {app} }} }} }}"
        )
    };
    let user = "proxy_set_header X-Deteco-User $u;";
    let all = format!("{headers} {scope}");
    for (text, expected) in [
        (site("", "", &all, user), vec![]),
        (site("", user, &all, ""), vec![]),
        (site("", user, &all, "proxy_set_header A b;"), vec![Rule::Identity]),
        (site(&all, user, headers, ""), vec![Rule::ScopeNotSet]),
        (site(&all, "", "", user), vec![]),
        (site(&all, "proxy_cache z;", "", user), vec![Rule::CacheKey]),
        (site(&all, "proxy_cache z;", "proxy_cache off;", user), vec![]),
        (site("satisfy any;", "", &all, user), vec![Rule::SatisfyAny]),
        (site(&all, "", "", "auth_request off;"), vec![Rule::GuardOff, Rule::NoGuard]),
    ] {
        assert_eq!(rules(&text), expected, "{text}");
    }
    assert_eq!(rules("server { listen 80; }"), [Rule::NoGuard]);
    let client = site("", user, &format!("{headers} proxy_set_header X-Deteco-Scope $arg_scope;"), "");
    assert_eq!(rules(&client), [Rule::ScopeFromClient]);
    let mail = "auth_request_set $m $upstream_http_x_mail;";
    assert_eq!(rules(&site(mail, "", &all, user)), [Rule::Identity]);
    let login = "error_page 401 = @login; location @login { auth_request off; proxy_pass http://app; }";
    assert_eq!(rules(&site("", login, &all, user)), [Rule::RefusalUnguarded, Rule::GuardOff]);
}

/// Files of a dump have their own names and lines, and stand where they are included.
#[test]
fn a_dump_is_put_together() {
    let site = changed("        internal;\n", "");
    let (upstream, server) = site.split_at(site.find("server {\n    listen").unwrap());
    let dump = format!(
        "nginx: the configuration file is ok\n# configuration file /e/nginx.conf:\nhttp {{\ninclude conf.d/*.conf;\n\
         include /e/mime.types;\n}}\n\n# configuration file /e/mime.types:\ntypes {{}}\n\
         # configuration file /e/conf.d/a.conf:\n{upstream}\n# configuration file /e/conf.d/b.conf:\n\n{server}\n\
         # configuration file /e/off/c.conf:\nserver {{ location / {{ auth_request /x; }} }}\n"
    );
    let report = check(&dump, "stdin").unwrap();
    assert_eq!(report.findings.len(), 1, "{report}");
    assert!(
        report.to_string().starts_with("/e/conf.d/b.conf:6: error: location = /_deteco is not internal\n"),
        "{report}"
    );
    assert!(report.to_string().ends_with("1 error, 0 warnings, 0 notices\n") && !report.is_good());
}

#[test]
fn what_is_no_configuration_is_an_error() {
    let round = "# configuration file /e/a:\ninclude /e/b;\n# configuration file /e/b:\ninclude /e/a; x;\n";
    let double: String = "# configuration file /e/a:\ninclude /e/b; include /e/b;\n".to_owned()
        + &(b'b'..b'y')
            .map(|c| char::from(c).to_string())
            .map(|c| {
                let next = char::from(c.as_bytes()[0] + 1);
                format!("# configuration file /e/{c}:\ninclude /e/{next}; include /e/{next};\n")
            })
            .collect::<String>();
    for (text, says) in [
        ("server {", "f:1: the file ends inside of a block; a } is missing"),
        (round, "files include each other more than 32 deep"),
        (&double, "more than 500000 directives"),
    ] {
        let error = check(text, "f").unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let args = NginxCheckArgs { file: "none.conf".into() };
    assert!(format!("{:#}", nginx_check(&args).unwrap_err()).starts_with("none.conf: No such file"));
}

#[test]
fn the_report_moves_no_cursor() {
    let text = changed("location = /_deteco {", "location = /_deteco { return 200 \"\u{1b}[2J\";");
    let text = text.replace("location /api/", "location /a\u{9b}");
    let report = check(&text.replace(";\n        set", ";\n return 200;\n        set"), "f\u{1b}")
        .unwrap()
        .to_string();
    assert!(
        report.contains("\\u{9b}") && report.contains("f\\u{1b}:") && !report.contains(['\u{1b}', '\u{9b}'])
    );
}

proptest! {
    /// Whatever is changed in it.
    #[test]
    fn no_configuration_panics(at in 0_usize..4000, length in 0_usize..60, with in "[a-z$ ;{}\"'=~^@/0-9]{0,12}") {
        let mut text = right();
        let end = (at + length).min(text.len());
        text.replace_range(at.min(end)..end, &with);
        if let Ok(report) = check(&text, "f") {
            prop_assert!(report.to_string().contains("errors") || report.to_string().contains("1 error"));
        }
    }
}
