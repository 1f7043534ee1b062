//! A network that fails on demand, for `scripts/demo`: leads to the gateway at ADDRESS, says where it listens, and
//! resets every connection for each line on stdin, answering how many there were. Ends with its stdin.

#![expect(clippy::print_stdout, reason = "this is what it says to the script")]

use std::io::{self, BufRead};
use std::process::ExitCode;

use e2e::cutter::{Cutter, How};

fn main() -> ExitCode {
    let Some(Ok(gateway)) = std::env::args().nth(1).map(|address| address.parse()) else {
        println!("usage: cutter ADDRESS");
        return ExitCode::from(2);
    };
    let cutter = Cutter::to(gateway);
    println!("{}", cutter.address);
    for _ in io::stdin().lock().lines().map_while(Result::ok) {
        println!("{}", cutter.cut(How::Reset));
    }
    ExitCode::SUCCESS
}
