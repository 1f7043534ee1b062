//! `deteco nginx-conf`: prints the configuration with which nginx asks deteco and nobody gets past it.
//!
//! Some things in it are easily done in another way that does not hold; each was tried with nginx 1.22:
//!
//! - nginx forwards a client's own `X-Original-Method` and `X-Deteco-Scope` unless the auth location sets them;
//! - a `set` at server level runs again in the subrequest and undoes that of the location, so the scope of
//!   locations that declare none comes from a `map`;
//! - the auth location's own `client_max_body_size` holds for the request that is asked about;
//! - a client writes what it wants into `Authorization`, so this comes last in the key of a cache, after a
//!   space: no two different requests then have the same key.

mod value;

use anyhow::{Result, bail};
use clap::Args;
use daemon::GoDuration;
use daemon::listen::{Host, ListenAddr};

pub use value::{InvalidWord, Word};

/// What the configuration is for.
#[derive(Clone, Debug, Args)]
pub struct NginxConfArgs {
    /// Where deteco listens, as its own --listen says: host:port or unix:/path
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: ListenAddr,

    /// deteco's --auth-endpoint
    #[arg(long, value_name = "PATH", default_value = "auth", value_parser = Word::endpoint)]
    pub auth_endpoint: Word,

    /// What to guard: the path of the location
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = Word::location)]
    pub location: Word,

    /// The application behind it: http://host:port, https://host or http://unix:/path
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000", value_parser = Word::app)]
    pub app: Word,

    /// The scope that the location declares: only services that list it get in
    #[arg(long, value_name = "NAME", value_parser = Word::scope)]
    pub scope: Option<Word>,

    /// Let nginx keep answers of 200, as long as the X-Accel-Expires of deteco allows; one that nobody asks
    /// for during this time is dropped
    #[arg(long, value_name = "TIME")]
    pub cache: Option<GoDuration>,
}

/// The configuration, for a file that is included at http level.
///
/// # Errors
/// If a value of `args` does not go into a configuration of nginx.
pub fn nginx_conf(args: &NginxConfArgs) -> Result<String> {
    let cache = args.cache.map(Cache::new).transpose()?;
    let (zone, cached) =
        cache.map_or((String::new(), NO_CACHE.to_owned()), |cache| (cache.zone, cache.cached));
    let server = server(&args.listen)?;
    let scope =
        args.scope.as_ref().map_or(NO_SCOPE.to_owned(), |scope| format!("set $deteco_scope \"{scope}\";"));
    let NginxConfArgs { auth_endpoint, location, app, .. } = args;
    Ok(format!(
        r#"# deteco guards {location} here. This belongs at http level: save it as /etc/nginx/conf.d/deteco.conf, then
#     nginx -t && nginx -T | deteco nginx-check - && nginx -s reload

upstream deteco_backend {{
    server {server};
    keepalive 32; # with HTTP/1.1 below: a question costs no new connection
}}
{zone}
# The scope of locations that declare none. It is no "set" at server level: that would run again in the
# subrequest, and undo what the location has set.
map "" $deteco_scope {{
    default "";
}}

server {{
    listen 80; # yours; with TLS, if not before it: whoever has the token is its bearer
    server_name _;

    location = /_deteco {{
        internal;
        proxy_pass http://deteco_backend/{auth_endpoint};

        # nginx forwards the client's own headers, so each that deteco believes is set here, every time.
        proxy_set_header X-Original-URI $request_uri; # raw, as it came: $uri is not what the client asked for
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Deteco-Scope $deteco_scope;
        proxy_set_header X-Real-IP $remote_addr;

        # The question has no body, however long that of the request is.
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        client_max_body_size 0; # else uploads above 1m end in a 500, whatever the guarded location allows

        proxy_http_version 1.1;
        proxy_set_header Connection "";

        # No answer in time is a 500: closed.
        proxy_connect_timeout 1s;
        proxy_send_timeout 2s;
        proxy_read_timeout 2s;
        proxy_intercept_errors off;

{cached}
    }}

    location {location} {{
        auth_request /_deteco;
        {scope}

        # The bearer's name for the application. This line also drops what a client sends under this name. For
        # each header of [services.headers] two lines like these are needed.
        auth_request_set $deteco_user $upstream_http_x_deteco_user;
        proxy_set_header X-Deteco-User $deteco_user;

        proxy_pass {app};
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }}
}}
"#
    ))
}

const NO_SCOPE: &str = "# set $deteco_scope \"reports\"; lets in only services whose scopes have it.";

const NO_CACHE: &str = "        proxy_cache off;";

/// What a cache adds at http level, and in the auth location.
struct Cache {
    zone: String,
    cached: String,
}

impl Cache {
    fn new(time: GoDuration) -> Result<Self> {
        let seconds = time.0.as_secs();
        if seconds == 0 {
            bail!("--cache {time}: nginx counts in seconds here; write 10s, or leave --cache out");
        }
        let zone = format!(
            r#"
# Answers of deteco. The files have tokens in them: the directory is for nginx alone, best in memory (tmpfs).
proxy_cache_path /var/cache/nginx/deteco keys_zone=deteco_answers:10m max_size=64m inactive={seconds}s
                 use_temp_path=off;
"#
        );
        let cached = r#"        # Only what deteco allows with X-Accel-Expires is kept; so long a token that is revoked still opens. The
        # key has all that deteco decides by. Authorization stands last: a client writes into it what it likes.
        proxy_cache deteco_answers;
        proxy_cache_key "$request_method $deteco_scope $request_uri $http_authorization";
        proxy_cache_use_stale off;
        # The key stands before the answer: a URI and a token as long as nginx takes them.
        proxy_buffer_size 24k;
        proxy_buffers 4 24k;"#;
        Ok(Self { zone, cached: cached.to_owned() })
    }
}

/// The address as an upstream's `server` has it. Every address of a host is reached over loopback.
fn server(listen: &ListenAddr) -> Result<String> {
    let server = match listen {
        ListenAddr::Unix(path) => format!("unix:{}", path.display()),
        ListenAddr::Tcp { port: 0, .. } => bail!("--listen {listen}: nginx needs to know the port"),
        ListenAddr::Tcp { host: Host::Any, port } => format!("127.0.0.1:{port}"),
        ListenAddr::Tcp { host: Host::Ip(ip), port } if ip.is_unspecified() => format!("127.0.0.1:{port}"),
        ListenAddr::Tcp { .. } => listen.to_string(),
    };
    match server.parse::<Word>() {
        Ok(_) => Ok(server),
        Err(why) => bail!("--listen {listen}: {why}"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
