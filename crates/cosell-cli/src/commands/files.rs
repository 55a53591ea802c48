use clap::Subcommand;
use cosell_model::Kind;
use cosell_sync::{
    Link,
    files::{Carried, Manifest, Passage, Refusal, Resent, Shown, Whereabouts},
    log::Entry,
};
use serde::Serialize;

use crate::{
    output::{self, Format},
    stack::{Error, Stack, steadily},
};

#[derive(Subcommand)]
pub enum Command {
    /// Shows what waits for the next file, by kind, and the files that AWS has not answered.
    ///
    /// A file is `made` until it is sent for certain, then `sent`; it is `late` when the mapping's `answer_hours` are over.
    ///
    /// Example: `cosell files list --records`
    List {
        /// A line for each record in place of each file.
        #[arg(long)]
        records: bool,
    },
    /// Shows what is in one file, where each of its records is now, and the last line of its sync log.
    ///
    /// A record is `here` while AWS has not said what it made of it. What AWS answered is remembered for 90 days.
    ///
    /// Example: `cosell files show opportunity-inbound/cosell-0f3c_03092026140506.json`
    Show {
        /// The file's key, as `cosell files list` has it, or its name alone.
        key: String,
    },
    /// Sends the records of files again that AWS does not answer: they go in the next file, and the old one is given up.
    ///
    /// AWS answers within minutes; ask AWS first, if you can. Nothing is made twice: to AWS a record whose identifier it knows,
    /// its own or the CRM's, is an update. What AWS has answered meanwhile stays as it is, and an answer to the old file that
    /// comes nevertheless changes nothing.
    ///
    /// A file that is not sent for certain is refused: the next run of fn-file-send sends it. One file that is refused does not
    /// stop the others; the exit code is then 1.
    ///
    /// Example: `cosell files resend cosell-0f3c_03092026140506.json --dry-run`
    Resend {
        /// Their keys, as `cosell files list` has them, or their names alone.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        /// Only says what would go again.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, thiserror::Error)]
enum FilesError {
    #[error("{key}: {why}")]
    Unknown { key: String, why: Refusal },
    #[error("{0} file(s) were refused")]
    Refused(usize),
}

pub async fn run(stack: &str, format: Format, command: Command) -> Result<(), Error> {
    let stack = Stack::find(stack).await?;
    match command {
        Command::List { records: false } => list(&stack, format).await,
        Command::List { records: true } => list_records(&stack, format).await,
        Command::Show { key } => show(&stack, format, key).await,
        Command::Resend { keys, dry_run } => resend(&stack, format, keys, dry_run).await,
    }
}

const KINDS: [Kind; 2] = [Kind::Opportunity, Kind::Lead];

/// Where something is on its way.
#[derive(Serialize)]
#[serde(untagged)]
enum State {
    Waiting(Waiting),
    File(Passage),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Waiting {
    Waiting,
}

const WAITING: State = State::Waiting(Waiting::Waiting);

/// What waits of a kind, or a file.
#[derive(Serialize)]
struct Row {
    state: State,
    kind: &'static str,
    records: usize,
    file: Option<String>,
    made_at: Option<String>,
    sent_at: Option<String>,
}

async fn list(stack: &Stack, format: Format) -> Result<(), Error> {
    let look = stack.look().await?;
    let mut rows = Vec::new();
    for kind in KINDS {
        let records = look.waiting(kind).await?;
        let row = Row { state: WAITING, kind: kind.as_str(), records, file: None, made_at: None, sent_at: None };
        rows.extend((records > 0).then_some(row));
    }
    let files = look.unanswered().await?;
    rows.extend(files.into_iter().map(|(Manifest { key, kind, made_at, sent_at, records, .. }, passage)| Row {
        state: State::File(passage),
        kind: kind.as_str(),
        records: records.len(),
        file: Some(key),
        made_at: Some(made_at.to_string()),
        sent_at: sent_at.map(|at| at.to_string()),
    }));
    output::rows(format, &["state", "kind", "records", "made at", "sent at", "file"], &rows, |row| {
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let (made, sent) = (dash(&row.made_at), dash(&row.sent_at));
        vec![output::word(&row.state), row.kind.to_owned(), row.records.to_string(), made, sent, dash(&row.file)]
    })
}

/// A record that waits or is in a file.
#[derive(Serialize)]
struct Record {
    state: State,
    kind: &'static str,
    crm_id: Option<String>,
    ace_id: Option<String>,
    /// Since when it waits, or its file is made.
    since: Option<String>,
    retries: Option<u32>,
    file: Option<String>,
}

async fn list_records(stack: &Stack, format: Format) -> Result<(), Error> {
    let look = stack.look().await?;
    let mut rows = Vec::new();
    for kind in KINDS {
        let waiting = look.waiting_records(kind).await?;
        rows.extend(waiting.into_iter().map(|link: Link| Record {
            state: WAITING,
            kind: kind.as_str(),
            crm_id: link.crm().map(|record| record.id.clone()),
            ace_id: link.ace_id().map(str::to_owned),
            since: link.shipment.as_ref().map(|shipment| shipment.since.to_string()),
            retries: link.shipment.map(|shipment| shipment.retries),
            file: None,
        }));
    }
    for (Manifest { key, kind, made_at, records, .. }, passage) in look.unanswered().await? {
        rows.extend(records.into_iter().map(|shipped| Record {
            state: State::File(passage),
            kind: kind.as_str(),
            crm_id: shipped.crm_id,
            ace_id: shipped.ace_id,
            since: Some(made_at.to_string()),
            retries: None,
            file: Some(key.clone()),
        }));
    }
    output::rows(format, &["state", "kind", "crm id", "ace id", "since", "file"], &rows, |row| {
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let [crm_id, ace_id, since, file] = [&row.crm_id, &row.ace_id, &row.since, &row.file].map(dash);
        vec![output::word(&row.state), row.kind.to_owned(), crm_id, ace_id, since, file]
    })
}

/// A file as it is printed.
#[derive(Serialize)]
struct File {
    key: String,
    state: Passage,
    kind: &'static str,
    payload: &'static str,
    made_at: String,
    sent_at: Option<String>,
    answered_at: Option<String>,
}

/// A record of a file as it is printed.
#[derive(Serialize)]
struct Part {
    link: String,
    crm_id: Option<String>,
    ace_id: Option<String>,
    now: Option<Whereabouts>,
    last: Option<Entry>,
}

impl From<Carried> for Part {
    fn from(Carried { link, crm_id, ace_id, whereabouts, last }: Carried) -> Self {
        Self { link: link.to_string(), crm_id, ace_id, now: whereabouts, last }
    }
}

impl Part {
    fn cells(&self) -> Vec<String> {
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let now = self.now.as_ref().map(|now| match now {
            Whereabouts::In(file) => format!("in {file}"),
            other => output::word(other),
        });
        let last = self.last.as_ref().map(|entry| {
            let at = entry.at.strftime("%Y-%m-%d %H:%M:%S");
            format!("{at} {}: {}", output::word(&entry.status), entry.message)
        });
        vec![self.link.clone(), dash(self.crm_id.clone()), dash(self.ace_id.clone()), dash(now), dash(last)]
    }
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    file: File,
    records: Vec<Part>,
}

async fn show(stack: &Stack, format: Format, key: String) -> Result<(), Error> {
    let Some(Shown { manifest, passage, records }) = stack.look().await?.file(&key).await? else {
        return Err(FilesError::Unknown { key, why: Refusal::Unknown }.into());
    };
    let file = File {
        key: manifest.key,
        state: passage,
        kind: manifest.kind.as_str(),
        payload: manifest.version.as_str(),
        made_at: manifest.made_at.to_string(),
        sent_at: manifest.sent_at.map(|at| at.to_string()),
        answered_at: manifest.answered_at.map(|at| at.to_string()),
    };
    let records: Vec<Part> = records.into_iter().map(Part::from).collect();
    if format == Format::Json {
        return output::line(&serde_json::to_string_pretty(&Told { file, records })?);
    }
    if format == Format::Table {
        output::one(&file)?;
        output::line("")?;
    }
    output::rows(format, &["link", "crm id", "ace id", "now", "last in the sync log"], &records, Part::cells)
}

#[derive(Serialize)]
struct Done {
    file: String,
    resent: bool,
    /// Records that go again.
    records: Vec<String>,
    /// Records of the file that are answered, or elsewhere.
    others: usize,
    why: Option<String>,
}

async fn resend(stack: &Stack, format: Format, keys: Vec<String>, dry_run: bool) -> Result<(), Error> {
    let resend = stack.resend()?;
    let mut rows = Vec::new();
    for key in keys {
        // A function may be at work on a record of it.
        rows.push(match steadily(async || resend.file(&key, dry_run).await).await? {
            Ok(Resent { key, records, others }) => {
                let records = records.into_iter().map(|shipped| shipped.crm_id.unwrap_or(shipped.link.to_string()));
                Done { file: key, resent: !dry_run, records: records.collect(), others, why: None }
            }
            Err(why) => Done { file: key, resent: false, records: Vec::new(), others: 0, why: Some(why.to_string()) },
        });
    }
    output::rows(format, &["file", "resent", "records", "others", "why not"], &rows, |row| {
        let goes = if row.resent { "yes" } else { "no" };
        let why = row.why.clone().unwrap_or_else(|| if dry_run { "dry run" } else { "" }.to_owned());
        vec![row.file.clone(), goes.to_owned(), row.records.len().to_string(), row.others.to_string(), why]
    })?;
    match rows.iter().filter(|row| row.why.is_some()).count() {
        0 => Ok(()),
        refused => Err(FilesError::Refused(refused).into()),
    }
}
