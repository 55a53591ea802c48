//! The `cosell` command: looks into a deployed stack, one file a verb.
#![expect(clippy::print_stderr, reason = "this is a command: its messages are for people")]

mod commands;
mod editor;
mod input;
mod output;
mod progress;
mod stack;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cosell_sync::{
    ports::{PortError, Rejection},
    run::{self, Run},
};

use output::Format;

/// The exit code of a comparison that found differences.
const DRIFT: u8 = 3;

/// Looks into a cosell stack and changes its settings.
///
/// Region and credentials come from where the AWS CLI takes them (`AWS_PROFILE`, `AWS_REGION`, …).
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    /// The CloudFormation stack.
    #[arg(long, global = true, env = "COSELL_STACK", default_value = "cosell")]
    stack: String,
    /// How to print: a table for people, JSON for machines, CSV for spreadsheets.
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// ACE's fields: the names that mappings use, their spellings and rules. Needs no stack.
    Fields(commands::fields::Args),
    /// The values of AWS's lists. Needs no stack.
    Picklist(commands::picklist::Args),
    /// Checks files of opportunities or leads and says everything that AWS would refuse. Needs no stack.
    Validate(commands::validate::Args),
    /// Turns a file into API form and back. Needs no stack.
    Convert(commands::convert::Args),
    /// Tools around the mapping file: check it, propose one, see what it does to a record. Needs no stack, but for asking its CRM.
    #[command(subcommand)]
    Mapping(commands::mapping::Command),
    /// Settings of the stack.
    #[command(subcommand)]
    Config(commands::config::Command),
    Init(Box<commands::init::Args>),
    Doctor(commands::doctor::Args),
    /// Links a pipeline that is on both sides already: first a plan for a person to read, then what it says.
    #[command(subcommand)]
    Backfill(commands::backfill::Command),
    /// Changes the way on which records go to AWS.
    #[command(subcommand)]
    Migrate(commands::migrate::Command),
    /// What an operator does with opportunities in the reps' place: in the CRM and at AWS, by the functions' own work.
    ///
    /// Each command takes an opportunity (`O1234567`), an invitation (`engi-…`), an engagement (`eng-…`) or the identifier of a
    /// CRM record; most take several, or a condition that the CRM's records meet.
    #[command(subcommand)]
    Opportunity(commands::opportunity::Command),
    Solutions(commands::solutions::Args),
    Status(commands::status::Args),
    /// What is on its way to AWS in files: what waits, what was sent, and what AWS does not answer.
    #[command(subcommand)]
    Files(commands::files::Command),
    Drift(commands::drift::Args),
    /// Brings AWS's present state of some or all records into the CRM.
    Refresh(commands::refresh::Args),
    /// Brings AWS in step with some records of the CRM, at once.
    Push(commands::push::Args),
    Log(commands::log::Args),
    Report(commands::report::Args),
    /// Dead letters: messages that could not be worked off, with their cause.
    #[command(subcommand)]
    Dlq(commands::dlq::Command),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // What a command writes into the sync log is a run's, as a function's is.
    run::within(Run::begun("cosell"), Box::pin(dispatch(Cli::parse()))).await
}

async fn dispatch(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Fields(args) => commands::fields::run(cli.output, &args),
        Command::Picklist(args) => commands::picklist::run(cli.output, &args),
        Command::Validate(args) => commands::validate::run(cli.output, &args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Mapping(command) => commands::mapping::run(&cli.stack, cli.output, command).await,
        Command::Config(command) => commands::config::run(&cli.stack, cli.output, command).await,
        Command::Init(args) => commands::init::run(cli.output, *args).await,
        Command::Doctor(args) => match commands::doctor::run(&cli.stack, cli.output, args).await {
            Ok(false) => return ExitCode::FAILURE,
            examined => examined.map(drop),
        },
        Command::Backfill(command) => commands::backfill::run(&cli.stack, cli.output, command).await,
        Command::Migrate(command) => commands::migrate::run(&cli.stack, cli.output, command).await,
        Command::Opportunity(command) => commands::opportunity::run(&cli.stack, cli.output, command).await,
        Command::Solutions(args) => commands::solutions::run(&cli.stack, cli.output, args).await,
        Command::Status(args) => commands::status::run(&cli.stack, cli.output, args).await,
        Command::Files(command) => commands::files::run(&cli.stack, cli.output, command).await,
        Command::Drift(args) => match commands::drift::run(&cli.stack, cli.output, args).await {
            Ok(true) => return ExitCode::from(DRIFT),
            compared => compared.map(drop),
        },
        Command::Refresh(args) => commands::refresh::run(&cli.stack, cli.output, args).await,
        Command::Push(args) => commands::push::run(&cli.stack, cli.output, args).await,
        Command::Log(args) => commands::log::run(&cli.stack, cli.output, args).await,
        Command::Report(args) => commands::report::run(&cli.stack, cli.output, &args).await,
        Command::Dlq(command) => commands::dlq::run(&cli.stack, cli.output, command).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            if let Some(PortError::Rejected { problems, .. }) = error.downcast_ref() {
                for Rejection { field, code, message } in problems {
                    eprintln!(
                        "- {}{code}: {message}",
                        field.as_ref().map_or_else(String::new, |field| format!("{field}: "))
                    );
                }
            }
            ExitCode::FAILURE
        }
    }
}
