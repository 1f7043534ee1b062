//! What nginx asks: the headers of an auth request that count, as they came.

/// The lines of one header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines<'a> {
    /// The header is not there.
    #[default]
    None,
    /// It is there once. The value may be empty.
    One(&'a [u8]),
    /// It is there more than once: a proxy and we might each believe another line.
    Several,
}

impl<'a> FromIterator<&'a [u8]> for Lines<'a> {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(lines: I) -> Self {
        let mut lines = lines.into_iter();
        match (lines.next(), lines.next()) {
            (None, _) => Lines::None,
            (Some(line), None) => Lines::One(line),
            (Some(_), Some(_)) => Lines::Several,
        }
    }
}

/// For who counts them: of several lines nobody shall see one.
impl<'a> IntoIterator for Lines<'a> {
    type Item = &'a [u8];
    type IntoIter = std::iter::RepeatN<&'a [u8]>;

    fn into_iter(self) -> Self::IntoIter {
        let (line, count) = match self {
            Lines::None => (&b""[..], 0),
            Lines::One(line) => (line, 1),
            Lines::Several => (&b""[..], 2),
        };
        std::iter::repeat_n(line, count)
    }
}

/// One auth request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// `Authorization`
    pub authorization: Lines<'a>,
    /// `X-Original-URI`: `$request_uri` of nginx, raw
    pub uri: Lines<'a>,
    /// `X-Original-Method`: `$request_method` of nginx
    pub method: Lines<'a>,
    /// `X-Deteco-Scope`: what the location declares
    pub scope: Lines<'a>,
}
