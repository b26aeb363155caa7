//! `waxwing-verify FILE --policy FILE [--body FILE]`: prints a verdict on a receipt or evidence and exits with its code.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use waxwing_core::evidence_file::EVIDENCE_FILE_MAGIC;
use waxwing_core::policy::Policy;

const USAGE: &str = "\
Check offline, without trusting anybody: a Waxwing receipt, that an entry is final and where it
stands; or evidence, that validators signed what excludes each other.

Usage: waxwing-verify RECEIPT --policy FILE [--body FILE]
       waxwing-verify EVIDENCE --policy FILE

  RECEIPT          receipt file, `-` for standard input
  EVIDENCE         evidence file (see `waxwing audit compare`), `-` for standard input
  --policy FILE    what you trust: pins the network (see `waxwing audit policy new`)
  --body FILE      also check that this is the sealed body that was ordered
  -h, --help       this text
  -V, --version    version

Exit codes: 0 VERIFIED (evidence: it holds), 20 UNANCHORED, 30 DIVERGED, 40 TAMPERED, 50 MALFORMED,
2 wrong use or unreadable file. Treat any other code as a failure.
";

/// A receipt of 100 validators takes 8 kB, evidence with all the changes of the committee that one can hold 11 MB.
const FILE_MAX: u64 = 16 << 20;

struct Arguments {
    file: PathBuf,
    policy: Option<PathBuf>,
    body: Option<PathBuf>,
}

enum Asked {
    Check(Arguments),
    Text(String),
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's edge: verdicts go to stdout, faults to stderr"
)]
fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok((text, code)) => {
            print!("{text}");
            ExitCode::from(code)
        }
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<(String, u8), String> {
    let arguments = match parse(arguments).map_err(|error| format!("{error}; try `waxwing-verify --help`"))? {
        Asked::Text(text) => return Ok((text, 0)),
        Asked::Check(arguments) => arguments,
    };
    let policy = arguments.policy.as_deref().map(read_policy).transpose()?;
    let file = read(&arguments.file)?;
    let body = arguments.body.as_deref().map(read).transpose()?;
    if !file.starts_with(&EVIDENCE_FILE_MAGIC) {
        let outcome = waxwing_verify::verify(&file, policy.as_ref(), body.as_deref());
        return Ok((outcome.to_string(), outcome.verdict.exit_code()));
    }
    if body.is_some() {
        return Err(format!(
            "{} is evidence, and evidence has no body: leave --body out",
            arguments.file.display()
        ));
    }
    let outcome = waxwing_verify::verify_evidence(&file, policy.as_ref());
    Ok((outcome.to_string(), outcome.verdict.exit_code()))
}

fn parse(arguments: Vec<OsString>) -> Result<Asked, lexopt::Error> {
    use lexopt::prelude::{Long, Short, Value, ValueExt};
    let (mut file, mut policy, mut body) = (None, None, None);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Asked::Text(USAGE.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Asked::Text(format!("waxwing-verify {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("policy") => policy = Some(parser.value()?.parse()?),
            Long("body") => body = Some(parser.value()?.parse()?),
            Value(path) if file.is_none() => file = Some(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    let file = file.ok_or("name the receipt or evidence file")?;
    Ok(Asked::Check(Arguments { file, policy, body }))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let result = if path == Path::new("-") {
        std::io::stdin().take(FILE_MAX).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes))
    };
    result
        .map(|_| bytes)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn read_policy(path: &Path) -> Result<Policy, String> {
    let bytes = read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not a text file", path.display()))?;
    Policy::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}
