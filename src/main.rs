//! Parses arguments and calls one function.

use std::process::ExitCode;

use chancery::config::{Config, Flags};
use chancery::log_verification;
use chancery::recompute::{self, Recompute};
use chancery::replay::{Fault, Replay};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// What was to be proven is not so.
const FAULTY: u8 = 8;

/// A command allocates some hundred times, on several threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A back end for organizations whose event log is the audit log.
#[derive(Parser)]
#[command(name = "chancery", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve the API; with no configuration, on embedded SQLite in ./chancery-data
    Serve {
        #[command(flatten)]
        flags: Flags,
        /// Only check the configuration, and tell every mistake at once
        #[arg(long)]
        check_config: bool,
    },
    /// Look at the read models, or build them anew from the log
    Projections {
        #[command(subcommand)]
        verb: ProjectionsVerb,
    },
    /// Verify a compliance packet, without a server: exit code 8 with the first fault
    Verify {
        #[command(flatten)]
        flags: chancery::verify::command::Flags,
    },
    /// Verify the event log
    Log {
        #[command(subcommand)]
        verb: LogVerb,
    },
    /// Check what was charged
    Billing {
        #[command(subcommand)]
        verb: BillingVerb,
    },
    /// Ask the log itself
    Audit {
        #[command(subcommand)]
        verb: AuditVerb,
    },
}

#[derive(Subcommand)]
enum LogVerb {
    /// Compare every line with the lines before it, the trees over the logs, what was signed, the seals
    /// over all logs and the stored packets, also beside the server; stops with exit code 8 at the
    /// first fault, and names its place
    Verify {
        #[command(flatten)]
        flags: Box<Flags>,
    },
}

#[derive(Subcommand)]
enum BillingVerb {
    /// Compute every invoice of an organization again, from its events and its usage; stops with exit
    /// code 8 at the first that does not follow from them
    Recompute {
        #[command(flatten)]
        flags: Box<Flags>,
        #[command(flatten)]
        recompute: Recompute,
    },
}

#[derive(Subcommand)]
enum AuditVerb {
    /// Fold the events of an organization, and print as JSON what it was; stops with exit code 8 where
    /// the chain of events breaks
    Replay {
        #[command(flatten)]
        flags: Box<Flags>,
        #[command(flatten)]
        replay: Replay,
    },
}

#[derive(Subcommand)]
enum ProjectionsVerb {
    /// How far each read model has come
    Status {
        #[command(flatten)]
        flags: Flags,
    },
    /// Build every read model anew from the first event
    Rebuild {
        #[command(flatten)]
        flags: Flags,
    },
    /// Fold the log from the first event and compare with the stored rows
    Diff {
        #[command(flatten)]
        flags: Flags,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_tracing();
    match run(arguments.verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            let is_fault = error.is::<Fault>()
                || error.is::<log_verification::Fault>()
                || error.is::<recompute::Fault>();
            if is_fault { ExitCode::from(FAULTY) } else { ExitCode::FAILURE }
        }
    }
}

fn start_tracing() {
    let filter = EnvFilter::try_from_env("CHANCERY_LOG").unwrap_or_else(|_| "info".into());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("CHANCERY_LOG_FORMAT").is_ok_and(|format| format == "json") {
        subscriber.json().init();
    } else {
        subscriber.init();
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match verb {
        Verb::Serve { flags, check_config } => {
            let config = Config::read(&flags)?;
            if check_config {
                eprintln!("the configuration is sound");
                return Ok(ExitCode::SUCCESS);
            }
            runtime()?.block_on(chancery::serve::serve(config))?;
        }
        Verb::Verify { flags } => return Ok(chancery::verify::command::run(&flags)?),
        Verb::Projections { verb } => return projections(&runtime()?, verb),
        Verb::Log { verb: LogVerb::Verify { flags } } => {
            runtime()?.block_on(log_verification::verify(&flags))?;
        }
        Verb::Billing { verb: BillingVerb::Recompute { flags, recompute } } => {
            runtime()?.block_on(recompute::recompute(&flags, &recompute))?;
        }
        Verb::Audit { verb: AuditVerb::Replay { flags, replay } } => {
            runtime()?.block_on(chancery::replay::replay(&flags, &replay))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn projections(
    runtime: &tokio::runtime::Runtime,
    verb: ProjectionsVerb,
) -> anyhow::Result<ExitCode> {
    match verb {
        ProjectionsVerb::Status { flags } => {
            runtime.block_on(chancery::rebuild::status(&Config::read(&flags)?))?;
        }
        ProjectionsVerb::Rebuild { flags } => {
            runtime.block_on(chancery::rebuild::rebuild(&Config::read(&flags)?))?;
        }
        ProjectionsVerb::Diff { flags } => {
            let differences = runtime.block_on(chancery::rebuild::diff(&Config::read(&flags)?))?;
            if differences > 0 {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
