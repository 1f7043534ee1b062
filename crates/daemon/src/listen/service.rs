//! Service names: /etc/services (services(5)), and a few of our own for a container that has none.

use std::fs;

const BUILT_IN: [(&str, u16); 5] =
    [("ssh", 22), ("domain", 53), ("http", 80), ("https", 443), ("mysql", 3306)];

/// The TCP port of `name`.
pub(super) fn port(name: &str) -> Option<u16> {
    let listed = fs::read_to_string("/etc/services").ok().and_then(|services| find(&services, name));
    listed.or_else(|| BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, port)| *port))
}

/// Lines are `name port/protocol alias… # comment`.
fn find(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let first = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?.parse().ok()?;
        (first == name || words.any(|alias| alias == name)).then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_services() {
        let services = "# x\nmysql 3306/udp\nmysql\t3307/tcp\n\nsmtp 25/tcp mail # post\nbad x/tcp\n";
        let table = [("mysql", Some(3307)), ("mail", Some(25)), ("post", None), ("bad", None), ("tcp", None)];
        for (name, port) in table {
            assert_eq!(find(services, name), port, "{name}");
        }
    }

    #[test]
    fn knows_a_few_without_the_file() {
        for (name, number) in BUILT_IN {
            assert_eq!(port(name), Some(number));
        }
        assert_eq!(port("no-such-service"), None);
    }
}
