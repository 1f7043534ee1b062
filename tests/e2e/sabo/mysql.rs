//! The script that sabo was made for: dumps of a real MariaDB in the background, then `wait`.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use e2e::mariadb::{MariaDb, shared};
use e2e::programs::output_of;
use e2e::sabo::WorkDir;

/// A table, and how many rows of a mebibyte it has.
const TABLES: [(&str, usize); 4] = [("nothing", 0), ("little", 1), ("some", 4), ("much", 9)];
const RATE: u64 = 20_000_000;

/// What a user writes, one such line a table, then the `wait`s; a dump's own failure counts too.
const SCRIPT: &str = r#"
    set -o pipefail
    sabo=$1; rate=$2; dir=$3; out=$4; shift 4
    pids=()
    for table in nothing little some much; do
        "$@" "$table" | "$sabo" --max-bandwidth "$rate" --work-dir "$dir" > "$out/$table.sql" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; echo $?; done
"#;

#[test]
fn dumps_that_share_a_limit_are_restored_to_the_same_rows() {
    let server = shared();
    let (source, copy) = ("sabo_source", "sabo_copy");
    fill(server, source, copy);
    let dir = WorkDir::new();
    let statuses = output_of(&mut script(&dir, server, source));
    assert_eq!(statuses, "0\n".repeat(TABLES.len()), "every dump succeeded");
    for (table, _) in TABLES {
        let dumped = dir.beside().path().join(format!("{table}.sql"));
        let direct = server.dump(source).arg(table).output().unwrap();
        assert!(
            direct.status.success() && fs::read(&dumped).unwrap() == direct.stdout,
            "{table} is the dump"
        );
        output_of(server.restore(copy).stdin(File::open(dumped).unwrap()));
    }
    assert_eq!(checksums(server, copy), checksums(server, source));
    assert_eq!(dir.locks(), Vec::<String>::new(), "nobody is left");
}

fn fill(server: &MariaDb, source: &str, copy: &str) {
    let tables: Vec<String> = TABLES
        .iter()
        .map(|(table, rows)| {
            format!("CREATE TABLE {source}.{table} AS SELECT * FROM e2e.big WHERE id <= {rows};")
        })
        .collect();
    let sql = format!("CREATE DATABASE {source}; CREATE DATABASE {copy}; {}", tables.join(" "));
    output_of(&mut server.direct(&sql));
}

/// The script with its arguments: `mariadb-dump … DATABASE`, to which it adds the table.
fn script(dir: &WorkDir, server: &MariaDb, database: &str) -> Command {
    let dump = server.dump(database);
    let sabo = dir.sabo(RATE);
    let mut command = Command::new("bash");
    command.args(["-c", SCRIPT, "dump"]).arg(sabo.get_program()).arg(RATE.to_string()).arg(dir.path());
    command.arg(dir.beside().path()).arg(dump.get_program());
    command.args(dump.get_args()).stdin(Stdio::null());
    command
}

/// Each table's checksum as the server computes it from the rows.
fn checksums(server: &MariaDb, database: &str) -> Vec<String> {
    let of = |(table, _): &(&str, usize)| {
        let line = output_of(&mut server.direct(&format!("CHECKSUM TABLE {database}.{table}")));
        let checksum = line.trim().split('\t').next_back().map(str::to_owned);
        checksum.filter(|checksum| checksum.parse::<u64>().is_ok()).unwrap_or_else(|| panic!("{line}"))
    };
    TABLES.iter().map(of).collect()
}
