//! Why a token is refused.

/// The one reason for which a caller's token is refused. Neither the text nor the code contains
/// anything that the caller sent, so both may be logged as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// No `Authorization` line
    #[error("there is no Authorization header")]
    NoAuthorization,
    /// More than one `Authorization` line: a proxy and we might each believe another one
    #[error("there is more than one Authorization header")]
    SeveralAuthorizations,
    /// The scheme is not Bearer, or what follows it is not one token (RFC 6750 §2.1)
    #[error("the Authorization header is not `Bearer` and one token")]
    Scheme,
    /// Longer than [`crate::MAX_TOKEN`]
    #[error("the token is longer than 8 KiB")]
    TooLong,
    /// A byte outside of base64url and the dots
    #[error("the token has a byte outside the base64url alphabet")]
    Alphabet,
    /// Not three non-empty segments
    #[error("the token does not have three non-empty segments")]
    Segments,
    /// Padding, loose bits or an impossible length: another spelling of the same bytes
    #[error("a segment is not canonical base64url")]
    Base64,
    /// JOSE header above 1 KiB
    #[error("the JOSE header is longer than 1 KiB")]
    HeaderTooLong,
    /// JOSE header or payload is not UTF-8
    #[error("the JOSE header or the payload is not UTF-8")]
    Utf8,
    /// JOSE header or payload is not JSON, or something follows it
    #[error("the JOSE header or the payload is not JSON")]
    Json,
    /// JOSE header or payload is JSON, but no object
    #[error("the JOSE header or the payload is not a JSON object")]
    NotObject,
    /// A name twice in one object: two readers might each take another one (RFC 7519 §4)
    #[error("a JSON object has the same name twice")]
    DuplicateName,
    /// Nested deeper than 16 (JOSE header) or 32 (payload)
    #[error("the JSON is nested too deeply")]
    TooDeep,
    /// A header parameter we understand has the wrong JSON type, or `alg` is missing
    #[error("the JOSE header parameter `{0}` is missing or of the wrong type")]
    HeaderType(&'static str),
    /// `crit`: an extension that must be understood (RFC 7515 §4.1.11); we have none
    #[error("the token has critical extensions")]
    Critical,
    /// `b64` (RFC 7797)
    #[error("the token has the header parameter `b64`")]
    UnencodedPayload,
    /// `zip` (RFC 7516 §4.1.3)
    #[error("the token is compressed")]
    Compressed,
    /// `enc` (RFC 7516 §4.1.2)
    #[error("the token is encrypted")]
    Encrypted,
    /// `cty` says that the payload is a token again (RFC 7519 §5.2)
    #[error("the token holds another token")]
    Nested,
    /// `typ` is neither `JWT` nor `at+jwt`
    #[error("the token's `typ` is neither JWT nor at+jwt")]
    Type,
    /// A required claim is missing
    #[error("the claim `{0}` is missing")]
    MissingClaim(&'static str),
    /// A claim has the wrong JSON type
    #[error("the claim `{0}` is of the wrong type")]
    ClaimType(&'static str),
    /// A NumericDate before 1970 or after the year 9999
    #[error("the claim `{0}` is no time between 1970 and 9999")]
    DateRange(&'static str),
    /// `sub` is empty or longer than [`crate::Policy::max_subject`]
    #[error("the claim `sub` is empty or too long")]
    SubjectLength,
    /// `exp` has passed
    #[error("the token has expired")]
    Expired,
    /// `iat` is older than [`crate::Policy::freshness`]
    #[error("the token was issued too long ago")]
    TooOld,
    /// `iat` lies in the future
    #[error("the token was issued in the future")]
    Future,
    /// `nbf` lies in the future
    #[error("the token is not valid yet")]
    NotYet,
    /// `exp` − `iat` is above [`crate::Policy::max_lifetime`]
    #[error("the token is valid for too long a time")]
    Lifetime,
    /// `aud` is missing or names nobody in [`crate::Policy::audience`]
    #[error("the token is for another audience")]
    Audience,
    /// `iss` is missing or is not in [`crate::Policy::issuer`]
    #[error("the token is from another issuer")]
    Issuer,
    /// The key set is empty
    #[error("there are no keys")]
    NoKeys,
    /// The token has a `kid`, and no key is for it
    #[error("no key has the token's `kid`")]
    NoKey,
    /// The token has no `kid`, and more keys might be meant than are tried
    #[error("the token has no `kid`, and there are too many keys to try them all")]
    KidMissing,
    /// `alg` is unknown, or no key that might be meant allows it
    #[error("no key allows the token's algorithm")]
    Algorithm,
    /// No key verifies the signature
    #[error("no key verifies the signature")]
    Signature,
    /// The key that verifies the signature is not valid now
    #[error("the key that signed the token is outside its validity")]
    KeyExpired,
    /// [`crate::Verified::recheck`]: the key is no longer in the set
    #[error("the key that signed the token was removed")]
    KeyRemoved,
}

impl Refused {
    /// A short stable word for logs and metrics; the set of them is closed.
    pub fn code(&self) -> &'static str {
        use Refused::*;
        match self {
            NoAuthorization => "no_authorization",
            SeveralAuthorizations => "several_authorizations",
            Scheme => "scheme",
            TooLong => "too_long",
            Alphabet => "alphabet",
            Segments => "segments",
            Base64 => "base64",
            HeaderTooLong => "header_too_long",
            Utf8 => "utf8",
            Json => "malformed",
            NotObject => "not_object",
            DuplicateName => "duplicate_name",
            TooDeep => "too_deep",
            HeaderType(_) => "header_type",
            Critical => "crit",
            UnencodedPayload => "b64",
            Compressed => "zip",
            Encrypted => "enc",
            Nested => "nested",
            Type => "typ",
            MissingClaim(_) => "missing_claim",
            ClaimType(_) => "claim_type",
            DateRange(_) => "date_range",
            SubjectLength => "subject_length",
            Expired => "expired",
            TooOld => "too_old",
            Future => "future",
            NotYet => "not_yet",
            Lifetime => "lifetime",
            Audience => "audience",
            Issuer => "issuer",
            NoKeys => "no_keys",
            NoKey => "no_key",
            KidMissing => "kid_missing",
            Algorithm => "algorithm",
            Signature => "signature",
            KeyExpired => "key_expired",
            KeyRemoved => "key_removed",
        }
    }
}
