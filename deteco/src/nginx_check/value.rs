//! Values of directives: times, sizes, variables.

use std::time::Duration;

/// nginx's time: `60`, `1m30s`, `500ms`. None for what is no constant.
pub(super) fn time(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let milliseconds = match unit.trim() {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.saturating_add(number.saturating_mul(milliseconds));
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// nginx's size in bytes: `0`, `8k`, `1m`, `2g`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number(text)?;
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    Some(number.saturating_mul(scale))
}

fn number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    Some((digits.parse().ok()?, rest))
}

/// The names of the variables in a value: `$name` and `${name}`.
pub(super) fn variables(text: &str) -> Vec<&str> {
    let name = |after: &'_ str| -> usize {
        after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())
    };
    let parts = text.split('$').skip(1).map(|part| part.strip_prefix('{').unwrap_or(part));
    parts.map(|part| &part[..name(part)]).filter(|name| !name.is_empty()).collect()
}

/// Whether a value is this variable and nothing else.
pub(super) fn is_variable(text: &str, name: &str) -> bool {
    variables(text) == [name] && [name.len() + 1, name.len() + 3].contains(&text.len())
}

/// Whether the client chooses the variable's value as it likes.
pub(super) fn is_clients(name: &str) -> bool {
    let whole =
        ["args", "query_string", "request_uri", "uri", "document_uri", "request", "request_body", "host"];
    is_told(name) || whole.contains(&name)
}

/// Whether it is something that the client adds to a request, and that leads it nowhere else.
pub(super) fn is_told(name: &str) -> bool {
    ["http_", "arg_", "cookie_", "sent_http_"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        for (text, milliseconds) in [
            ("60", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("", None),
            ("$t", None),
            ("1y", None),
        ] {
            assert_eq!(time(text), milliseconds.map(Duration::from_millis), "{text}");
        }
        for (text, bytes) in
            [("0", Some(0)), ("8k", Some(8192)), ("1M", Some(1 << 20)), ("x", None), ("1t", None)]
        {
            assert_eq!(size(text), bytes, "{text}");
        }
        assert_eq!(size("99999999999999999g"), Some(u64::MAX));
        assert_eq!(variables("a $b_1.${c}d$$e$"), ["b_1", "c", "e"]);
        for (text, expected) in [("$a", true), ("${a}", true), ("$a/", false), ("x$a", false), ("$ab", false)]
        {
            assert_eq!(is_variable(text, "a"), expected, "{text}");
        }
    }
}
