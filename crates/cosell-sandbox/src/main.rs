//! The other side of the wire, for laptops and tests: AWS Partner Central, a Salesforce org and AWS's half of the file
//! exchange, in one process that knows nothing of the connector.

mod bus;
mod calls;
mod control;
mod files;
mod partner_central;
mod s3;
mod salesforce;
#[cfg(test)]
mod sdk_tests;
mod weather;
mod wire;
mod world;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use clap::Parser;
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use files::bucket::Bucket;
use world::{Settings, State, World};

/// The other side of the wire: Partner Central, a Salesforce org, AWS's half of the files.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port of the Partner Central API; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    partner_central_port: u16,
    /// Port of the Salesforce org; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    salesforce_port: u16,
    /// Port of the control API; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    /// Port of the emulator's S3, passed through with weather; 0 lets the system choose, without it there is none.
    #[arg(long)]
    s3_port: Option<u16>,
    /// Seconds between two exports to files.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    export_seconds: u64,
    /// Where to write the ports as JSON once all of them listen.
    #[arg(long)]
    ports_file: Option<PathBuf>,
    /// Source of the events put on the bus.
    #[arg(long, default_value = "sandbox.partnercentral-selling")]
    event_source: String,
    /// The bucket AWS owns.
    #[arg(long, default_value = "ace-apn-0000000-beta-us-west-2")]
    ace_bucket: String,
    /// The partner's SPMS id.
    #[arg(long, default_value = "0000000")]
    spms_id: String,
    /// The partner's AWS account.
    #[arg(long, default_value = "000000000000")]
    account: String,
    /// The catalog that exists here.
    #[arg(long, default_value = "Sandbox", value_parser = ["AWS", "Sandbox"])]
    catalog: String,
    /// Run without an AWS endpoint: events stay in `GET /events` and there is no bucket.
    #[arg(long)]
    no_bus: bool,
}

/// What the process holds of AWS.
struct Aws {
    eventbridge: aws_sdk_eventbridge::Client,
    s3: aws_sdk_s3::Client,
    endpoint: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log(&message);
            ExitCode::FAILURE
        }
    }
}

/// Says something on stderr.
pub fn log(message: &str) {
    // A closed stderr is no reason to stop serving.
    let _ = writeln!(std::io::stderr(), "cosell-sandbox: {message}");
}

async fn run(arguments: Arguments) -> Result<(), String> {
    // Before anything else, so that an early signal ends the process in order too.
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| format!("no signal handler: {error}"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| format!("no signal handler: {error}"))?;
    let aws = if arguments.no_bus { None } else { Some(connect().await?) };
    let bucket = match &aws {
        Some(aws) => Some(Bucket::ensure(aws.s3.clone(), &arguments.ace_bucket).await?),
        None => None,
    };
    let partner_central = listen(arguments.partner_central_port).await?;
    let salesforce = listen(arguments.salesforce_port).await?;
    let control = listen(arguments.control_port).await?;
    let s3 = match arguments.s3_port {
        Some(port) => Some(listen(port).await?),
        None => None,
    };
    let mut ports = json!({
        "partner_central": port(&partner_central)?,
        "salesforce": port(&salesforce)?,
        "control": port(&control)?,
        "pid": std::process::id(),
    });
    if let Some(s3) = &s3 {
        ports["s3"] = json!(port(s3)?);
    }
    let settings = Settings {
        catalog: arguments.catalog,
        account: arguments.account,
        event_source: arguments.event_source,
        ace_bucket: aws.as_ref().map(|_| arguments.ace_bucket),
        spms_id: arguments.spms_id,
        salesforce_url: format!("http://127.0.0.1:{}", ports["salesforce"]),
    };
    let seed = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let (sender, receiver) = mpsc::unbounded_channel();
    let world = Arc::new(World::new(State::new(settings, seed), Box::new(Timestamp::now), sender));
    let (eventbridge, endpoint) = aws.map(|aws| (aws.eventbridge, aws.endpoint)).unzip();
    tokio::spawn(bus::run(Arc::clone(&world), eventbridge, receiver));
    tokio::spawn(tick(Arc::clone(&world)));
    if let Some(bucket) = &bucket {
        let every = Duration::from_secs(arguments.export_seconds);
        tokio::spawn(files::inbound::run(Arc::clone(&world), bucket.clone()));
        tokio::spawn(files::outbound::run(Arc::clone(&world), bucket.clone(), every));
    }
    if let Some(listener) = s3 {
        let endpoint = endpoint.ok_or("--s3-port needs an AWS endpoint: not with --no-bus")?;
        tokio::spawn(wire::serve(listener, s3::router(Arc::clone(&world), &endpoint)?));
    }
    for (listener, router) in [
        (partner_central, partner_central::router(Arc::clone(&world))),
        (salesforce, salesforce::router(Arc::clone(&world))),
        (control, control::router(Arc::clone(&world), bucket)),
    ] {
        tokio::spawn(wire::serve(listener, router));
    }
    if let Some(path) = &arguments.ports_file {
        write_whole(path, &ports.to_string())?;
    }
    log(&format!("listening: {ports}"));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// A reader must never see half a file.
fn write_whole(path: &PathBuf, text: &str) -> Result<(), String> {
    let mut partial = path.clone().into_os_string();
    partial.push(".part");
    std::fs::write(&partial, text)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

async fn connect() -> Result<Aws, String> {
    let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let Some(endpoint) = config.endpoint_url().map(str::to_owned) else {
        return Err("AWS_ENDPOINT_URL is not set: the sandbox never talks to AWS itself (or use --no-bus)".to_owned());
    };
    let bus = aws_sdk_eventbridge::config::Builder::from(&config)
        .region(config.region().cloned().unwrap_or_else(|| Region::from_static("us-east-1")))
        .build();
    let files = aws_sdk_s3::config::Builder::from(&config)
        .region(Region::from_static("us-west-2"))
        .force_path_style(true)
        .build();
    Ok(Aws {
        eventbridge: aws_sdk_eventbridge::Client::from_conf(bus),
        s3: aws_sdk_s3::Client::from_conf(files),
        endpoint,
    })
}

async fn listen(port: u16) -> Result<TcpListener, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))
}

fn port(listener: &TcpListener) -> Result<u16, String> {
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("a listener has no port: {error}"))
}

/// Invitations expire even while nobody calls.
async fn tick(world: Arc<World>) {
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    loop {
        interval.tick().await;
        world.with(|_, _| ());
    }
}
