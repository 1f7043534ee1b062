//! The patterns of `include`: glob(7) without character classes by name.

/// Whether `name` is one of those that `pattern` means: `*` and `?` stand for no slash, `[a-z]` and `[!a]` for
/// one character.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match step(&pattern[p..], name[n]) {
            Some(length) => (p, n) = (p + length, n + 1),
            None if pattern.get(p) == Some(&'*') => {
                star = Some((p, n));
                p += 1;
            }
            // The last star takes one character more; an earlier one need not.
            None => match star {
                Some((at, taken)) if name[taken] != '/' => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How much of the pattern the character `c` uses up; none if it does not fit.
fn step(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '*' => None,
        '?' => (c != '/').then_some(1),
        '[' => class(&pattern[1..], c).map(|length| length + 1),
        '\\' => (pattern.get(1) == Some(&c)).then_some(2),
        literal => (*literal == c).then_some(1),
    }
}

fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = matches!(pattern.first(), Some('!' | '^'));
    let start = usize::from(negated);
    // A ] that comes first stands for itself.
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|c| *c == ']')?;
    let set = &pattern[start..end];
    let in_range = |w: &[char]| w[1] == '-' && (w[0]..=w[2]).contains(&c);
    let found = set.contains(&c) || set.windows(3).any(in_range);
    (found != negated && c != '/').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_as_the_shell_does() {
        for (pattern, name, expected) in [
            ("/e/*.conf", "/e/a.conf", true),
            ("/e/*.conf", "/e/a.conf.off", false),
            ("/e/*.conf", "/e/d/a.conf", false),
            ("/e/*/a*b", "/e/d/axbyb", true),
            ("/e/?.conf", "/e/a.conf", true),
            ("/e/?", "/e//", false),
            ("/e/[a-c]x", "/e/bx", true),
            ("/e/[!a-c]x", "/e/bx", false),
            ("/e/[]]x", "/e/]x", true),
            ("/e/[", "/e/[", false),
            ("/e/\\*", "/e/*", true),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        assert!(!matches(&"a*".repeat(2_000), &"a".repeat(1_900)));
    }
}
