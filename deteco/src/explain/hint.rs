//! What to do about a refusal.

use token::Refused;

use crate::Reason;

/// One sentence or two, for whom the reason alone tells nothing.
pub(super) fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::Token(refused) => of_token(refused),
        Reason::NoService => {
            "Add [[services]] with that id to the file, or have the token made for another subject (jwtgen --private-key-user)."
        }
        Reason::Denied => "Remove the entry from deny_file, or have a new token made.",
        Reason::NoUri => "Give --uri; in nginx: proxy_set_header X-Original-URI $request_uri;",
        Reason::UriTooLong => {
            "Nobody needs so long a URI; nginx refuses it too unless large_client_header_buffers was raised."
        }
        Reason::UriMalformed => {
            "Write what is no letter as %XX, and no more `..` than there are directories."
        }
        Reason::UriNotCanonical => {
            "Ask for the path as nginx serves it: without `//`, `/./`, `/../`, an encoded slash or a backslash. uri_policy = \"nginx\" takes other spellings, if the application behind it reads paths as nginx does."
        }
        Reason::Path => {
            "Add the path, or one above it, to `paths` of the service. `/a` covers `/a` and `/a/b`, not `/ab`."
        }
        Reason::Method => "Add the method to `methods` of the rule.",
        Reason::NoMethod => "In nginx: proxy_set_header X-Original-Method $request_method;",
        Reason::NoScope => {
            "Give --scope as the location sets it; in nginx: set $deteco_scope NAME; in the location."
        }
        Reason::Scope => "Add the scope to `scopes` of the service, or let the location declare another.",
        Reason::SeveralUris | Reason::SeveralMethods | Reason::SeveralScopes => {
            "Let nginx set each of its headers once; `deteco nginx-check` looks."
        }
    }
}

fn of_token(refused: Refused) -> &'static str {
    use Refused::*;
    match refused {
        NoAuthorization | SeveralAuthorizations | Scheme => {
            "A request carries one line `Authorization: Bearer TOKEN`, as jwtgen prints it."
        }
        TooLong | Alphabet | Segments | Base64 => {
            "A token is three words of letters, digits, - and _ with dots between; this one was cut, quoted or padded on its way."
        }
        Expired | TooOld => {
            "Have a new token made. `exp` is when it ends; --jwt-freshness how long ago `iat` may be."
        }
        Future | NotYet => "Look at the clocks of both machines. 30 s between them are allowed, or `leeway`.",
        Lifetime => "Have a token made that ends sooner (jwtgen --max-age), or raise max_lifetime.",
        Audience => "The file names an `audience`, and the token's `aud` is not it (jwtgen --aud).",
        Issuer => "The file names an `issuer`, and the token's `iss` is not it.",
        NoKeys => "The service has no key now: its JWK set was not fetched yet, or is empty.",
        NoKey => {
            "The token names a key (kid) that the service does not have: was it removed, or is it too new?"
        }
        KidMissing => {
            "The service has too many keys to try them all: have the token name its key (jwtgen --kid)."
        }
        Algorithm => {
            "The service's keys are of another kind than the token's `alg`, or `algorithms` leaves it out."
        }
        Signature => {
            "The token was signed with another private key, or changed since. Compare the keys: jwtgen inspect, deteco check."
        }
        KeyExpired => {
            "Its not_before and not_after, or its certificate, say that the key does not count now. Put a newer key into the file."
        }
        KeyRemoved => "The key was taken out of the file; sign with one that is in it.",
        _ => "Its maker writes tokens in a way that is not taken; `jwtgen inspect` shows what is in it.",
    }
}
