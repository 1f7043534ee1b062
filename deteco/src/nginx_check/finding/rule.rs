//! The rules: what each is called, how bad it is, why it matters, and what to write instead.

use super::Severity;

/// A line of the table becomes a variant, whose documentation is the reason, and an arm of each `match`.
macro_rules! rules {
    ($($rule:ident: $severity:ident, $why:literal, $fix:literal;)*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $why] $rule,)*
        }

        impl Rule {
            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self {
                    $(Rule::$rule => Severity::$severity,)*
                }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self {
                    $(Rule::$rule => $why,)*
                }
            }

            /// What to write instead.
            pub fn fix(self) -> &'static str {
                match self {
                    $(Rule::$rule => $fix,)*
                }
            }
        }
    };
}

rules! {
    NotInternal: Error,
        "anybody can ask deteco about any token, and see the answer",
        "internal; in this location";
    NoAuthLocation: Error,
        "what answers there decides who gets in, and it is not deteco",
        "location = URI { internal; proxy_pass …; }, as deteco nginx-conf prints it";
    NoQuestion: Error,
        "deteco is not asked about the token: a 2xx from this location lets everybody in",
        "proxy_pass http://deteco_backend/auth; and no return in this location";
    FixedToken: Error,
        "deteco is asked about this token, whoever the client is: everybody is its bearer",
        "no proxy_set_header Authorization in this location, or one with the client's token";
    UriNotSet: Error,
        "the client's own X-Original-URI is forwarded: it says which path deteco decides on",
        "proxy_set_header X-Original-URI $request_uri; in this location";
    UriNotRaw: Error,
        "deteco decides on another path than the one that nginx serves and forwards",
        "proxy_set_header X-Original-URI $request_uri;";
    MethodNotSet: Error,
        "the client's own X-Original-Method is forwarded: it says which method deteco decides on",
        "proxy_set_header X-Original-Method $request_method; in this location";
    ScopeNotSet: Error,
        "the client's own X-Deteco-Scope is forwarded: it says which scope deteco decides on",
        "proxy_set_header X-Deteco-Scope $deteco_scope; (or \"\" if there are no scopes) in this location";
    ScopeFromClient: Error,
        "the client chooses the scope that deteco decides on",
        "a variable that is set in the guarded locations: set $deteco_scope \"…\";";
    ScopeUndone: Error,
        "this set runs again in the subrequest, so deteco never sees the scope that a location sets",
        "at http level: map \"\" $deteco_scope { default \"\"; } instead of this set";
    CacheKey: Error,
        "one good answer is given to other tokens, methods, paths or scopes",
        "proxy_cache_key \"$request_method $deteco_scope $request_uri $http_authorization\";";
    CacheKeyOrder: Error,
        "a client writes what it likes into Authorization, and so makes its key another request's",
        "$http_authorization last in proxy_cache_key, after a space";
    CacheStale: Error,
        "an answer is used though its token has expired, when deteco cannot be reached",
        "proxy_cache_use_stale off; in this location";
    CacheIgnores: Error,
        "deteco says how long an answer may be kept, and is not heard",
        "no proxy_ignore_headers in this location";
    NoKeepAlive: Warning,
        "every request opens a connection to deteco; that is a third of the speed",
        "upstream deteco_backend { …; keepalive 32; }, proxy_http_version 1.1; proxy_set_header \
         Connection \"\";";
    BodySent: Warning,
        "every body is sent twice, first to deteco, which does not read it",
        "proxy_pass_request_body off; proxy_set_header Content-Length \"\";";
    LengthSent: Warning,
        "deteco waits for a body that is not sent",
        "proxy_set_header Content-Length \"\"; in this location";
    BodySize: Warning,
        "larger requests end in a 500: the auth location's limit holds for them too",
        "client_max_body_size 0; in the auth location";
    Intercepted: Warning,
        "error_page, here or further out, can turn deteco's 401 and 403 into something else",
        "proxy_intercept_errors off; in this location";
    AuthErrorPage: Error,
        "an error of deteco, or of the way to it, becomes a 2xx: everybody gets in",
        "no = in this error_page, or an error_page of its own in the auth location";
    SlowTimeout: Warning,
        "requests wait that long when deteco does not answer",
        "proxy_connect_timeout 1s; proxy_send_timeout 2s; proxy_read_timeout 2s;";
    Identity: Error,
        "the client's own header is forwarded: it can pass for anybody (lines of an outer block do not \
         hold where a block has lines of its own)",
        "auth_request_set $deteco_user $upstream_http_x_deteco_user; and proxy_set_header \
         X-Deteco-User $deteco_user; in this location (fastcgi, uwsgi, scgi: fastcgi_param \
         HTTP_X_DETECO_USER $deteco_user;)";
    Underscores: Warning,
        "a client's X_Deteco_User is forwarded, and to many applications it is X-Deteco-User",
        "underscores_in_headers off;";
    ReturnContent: Error,
        "return runs before auth_request: everybody gets this",
        "no return in guarded locations; or move it to one that is meant for everybody";
    ReturnEarly: Warning,
        "return and rewrite run before auth_request: everybody gets this",
        "move it to a location that is meant for everybody";
    RefusalAsSuccess: Error,
        "who is refused gets a 2xx: clients, caches and the auth_request of others take it for a yes",
        "error_page without =2xx";
    RefusalUnguarded: Warning,
        "who is refused is served by a location that does not ask deteco",
        "auth_request there; or see that it serves nothing but what everybody may see";
    SatisfyAny: Warning,
        "an address that is allowed, or a password, is enough; deteco's no is not heard",
        "satisfy all;";
    RegexWins: Warning,
        "a regular expression wins over a location that is a prefix: what matches is served unasked",
        "auth_request in this location, or ^~ before the guarded prefix";
    OpenBelow: Warning,
        "the longer path wins: this part of what is guarded is served unasked",
        "auth_request in this location; or auth_request off, to say that it is meant";
    Rewritten: Warning,
        "deteco decides on the path that the client asked for, and nginx serves another",
        "a location with auth_request for the path before the rewrite, and break instead of last";
    AuthRegex: Warning,
        "a regular expression wins over a location that is a prefix: it may answer instead of deteco",
        "location = URI, or location ^~ URI, for the questions";
    AliasSlash: Warning,
        "PREFIX../ leads to what is beside it, and to deteco it is another name",
        "a slash at the end of the location, or none at the end of the alias or proxy_pass";
    GuardOff: Notice,
        "this part of what is guarded around it is open to everybody",
        "nothing, if it is meant so";
    NoGuard: Warning,
        "nothing in this configuration asks deteco",
        "auth_request, as deteco nginx-conf prints it; and check the whole of nginx -T";
    NotIncluded: Notice,
        "what is in it was not checked",
        "nginx -T | deteco nginx-check -";
}
