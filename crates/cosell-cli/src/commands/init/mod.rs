mod answers;

use std::{
    fs::{self, File},
    io::{ErrorKind, IsTerminal, Write, stdin},
    path::{Path, PathBuf},
};

use clap::Parser;
use console::Term;
use cosell_aws::{Aws, AwsClock};
use cosell_crm::{Salesforce, salesforce::Credentials};
use cosell_mapping::{CrmField, CrmKind, Description, Finding, Mapping, Severity, WantedField, begin, check, meant};
use cosell_model::Catalog;
use cosell_sync::ports::{AceBucket, Crm, PortError};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;

use crate::{
    commands::doctor::judge::{self, Verdict, refusal},
    output::{self, Format},
    stack::Error,
};
use answers::{Answers, Given, NONE, Question};

/// Sets cosell up: asks what cannot be guessed, tests each answer at once, and writes the mapping file and the parameters to
/// deploy with.
///
/// Nothing is deployed, and nothing in the CRM is changed. In AWS only one thing is made, and only if you say so: the secret
/// with the CRM's credentials, which are typed without being shown. The schedules begin paused (ScheduleState=DISABLED).
///
/// Without a terminal, or with `--answers`, nothing is asked: what is not given and cannot be guessed is an error that names
/// everything at once, and so is an answer that does not stand its test.
///
/// Example: `cosell init`, or
/// `cosell init --crm-endpoint https://my-domain.my.salesforce.com --crm-secret arn:aws:secretsmanager:… --lead-object none`
#[derive(Parser)]
pub struct Args {
    #[command(flatten)]
    given: Answers,
    /// A file of answers, TOML or JSON, with the options' names (`crm_endpoint = "https://…"`). Options win over it.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Where the mapping goes.
    #[arg(long, value_name = "FILE", default_value = "mapping.toml")]
    mapping: PathBuf,
    /// Where the parameters go.
    #[arg(long, value_name = "FILE", default_value = "cosell.parameters")]
    parameters: PathBuf,
    /// Overwrites these two files.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{} is there already: --force overwrites it, --mapping and --parameters name others", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", .0.display())]
    Unwritable(PathBuf, #[source] std::io::Error),
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("{} holds no answers", .0.display())]
    NoAnswers(PathBuf, #[source] Error),
    #[error("there is no terminal to ask, and these answers are missing or unusable:\n- {}", .0.join("\n- "))]
    Lacking(Vec<String>),
    #[error("--{option}: {found}; {mend}")]
    Unusable { option: String, found: String, mend: String },
}

/// A field of the CRM that the mapping needs, and that is not there.
#[derive(Serialize)]
struct Missing {
    object: String,
    field: String,
    kind: CrmKind,
    length: Option<u32>,
    unique: bool,
}

/// What was made.
#[derive(Serialize)]
struct Made {
    mapping: PathBuf,
    parameters: PathBuf,
    missing_fields: Vec<Missing>,
    /// What else does not fit between mapping and CRM.
    findings: Vec<Finding>,
    next: Vec<String>,
}

pub async fn run(format: Format, args: Args) -> Result<(), Error> {
    let Args { given, answers, mapping, parameters, force } = args;
    if let Some(there) = [&mapping, &parameters].into_iter().find(|path| !force && path.exists()) {
        return Err(InitError::Exists(there.clone()).into());
    }
    let term = (answers.is_none() && stdin().is_terminal() && Term::stderr().is_term()).then(Term::stderr);
    let file = answers.as_deref().map(read).transpose()?.unwrap_or_default();
    let given = answers::given(file, given)?;
    if term.is_none() {
        let lacking = answers::lacking(&given);
        if !lacking.is_empty() {
            return Err(InitError::Lacking(lacking).into());
        }
    }
    let mut guide = Guide { aws: Aws::connect().await, term, given, answers: Given::new() };
    let descriptions = guide.through().await?;

    let text = begin(&descriptions[0], descriptions.get(1));
    let (missing_fields, findings) = unfit(&text, descriptions);
    write(&mapping, &text, force)?;
    write(&parameters, &format!("{}\n", answers::parameters(&guide.answers)), force)?;
    let next = next(&mapping, &parameters, !missing_fields.is_empty());
    told(format, &Made { mapping, parameters, missing_fields, findings, next })
}

fn read(path: &Path) -> Result<Answers, InitError> {
    let text = fs::read_to_string(path).map_err(|cause| InitError::Unreadable(path.to_owned(), cause))?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let answers = if is_json {
        serde_json::from_str(&text).map_err(Error::from)
    } else {
        toml::from_str(&text).map_err(Error::from)
    };
    answers.map_err(|cause| InitError::NoAnswers(path.to_owned(), cause))
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), InitError> {
    let file = if force { File::create(path) } else { File::create_new(path) };
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
        _ => InitError::Unwritable(path.to_owned(), cause),
    })
}

/// Who asks, or takes what is given.
struct Guide {
    aws: Aws,
    term: Option<Term>,
    given: Given,
    /// What stood its test.
    answers: Given,
}

impl Guide {
    /// Every question. Answers the descriptions of the CRM's objects: that of opportunities, and that of leads if there is one.
    async fn through(&mut self) -> Result<Vec<Description>, Error> {
        let aws = self.aws.clone();
        let caller = aws.caller(&AwsClock::default()).await?;
        eprintln!("as {} in account {}", caller.arn, caller.account);
        self.answer(&answers::CATALOG, async |answer| {
            // It was looked at before: what it cannot be, it is not.
            let catalog = answer.parse().unwrap_or(Catalog::Sandbox);
            let mend = "link the account to Partner Central, and give yourself partnercentral:ListOpportunities";
            match aws.catalog_answers(catalog).await {
                Ok(()) => Ok(((), "it answers".to_owned())),
                Err(error) => Err(refusal(&error, mend)),
            }
        })
        .await?;
        self.answer(&answers::CRM_ENDPOINT, async |endpoint| {
            // Nobody is called so: an org says so, and whoever else is there does not get the real credentials.
            let nobody = json!({ "client_id": "cosell-init", "client_secret": "none" }).to_string().into();
            let salesforce = connect(endpoint, &nobody)?;
            match salesforce.login().await {
                Err(error @ PortError::Unavailable { .. }) => Err(refusal(&error, "")),
                _ => Ok(((), "it answers".to_owned())),
            }
        })
        .await?;
        let salesforce = self.secret().await?;
        let names = salesforce.objects().await?;
        let look = async |name: &str| {
            let Some(name) = names.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
                let hint = meant(name, names.iter().map(String::as_str));
                return Err(Verdict::failed(
                    format!("the integration user sees no object `{name}`{hint}"),
                    "name another, or give the user the right to it",
                ));
            };
            match salesforce.describe(name).await {
                Ok(description) => {
                    let found = format!("{} with {} fields", description.object, description.fields.len());
                    Ok((description, found))
                }
                Err(error) => Err(refusal(&error, "give the integration user the right to the object")),
            }
        };
        let mut descriptions = vec![self.answer(&answers::OPPORTUNITY_OBJECT, async |name| look(name).await).await?];
        let lead = self.answer(&answers::LEAD_OBJECT, async |name| {
            if name == NONE {
                Ok((None, "without leads".to_owned()))
            } else {
                look(name).await.map(|(it, found)| (Some(it), found))
            }
        });
        descriptions.extend(lead.await?);
        self.files().await?;
        for question in [&answers::PUSH_RATE, &answers::LEAD_PUSH_RATE, &answers::ALARM_EMAIL] {
            if question.name != answers::LEAD_PUSH_RATE.name || descriptions.len() > 1 {
                self.answer(question, async |answer| Ok(((), answer.to_owned()))).await?;
            }
        }
        Ok(descriptions)
    }

    async fn files(&mut self) -> Result<(), Error> {
        let aws = self.aws.clone();
        self.answer(&answers::ACE_BUCKET, async |answer| Ok(((), answer.to_owned()))).await?;
        let Some(bucket) = self.answers.get(answers::ACE_BUCKET.name).filter(|bucket| *bucket != NONE).cloned() else {
            return Ok(());
        };
        self.answer(&answers::ACE_ROLE, async |role| {
            let ace = aws.ace_bucket(&bucket, Some(role).filter(|role| *role != NONE), None).await;
            let mend =
                "see whether the bucket's name is right, and let the role trust this account and AWS's policy the role";
            match ace.list("opportunity-outbound/").await {
                Ok(files) => Ok(((), format!("{} file(s) from AWS are in {bucket}", files.len()))),
                Err(PortError::Unauthorized { .. }) if role == NONE && ace.exists().await.unwrap_or(true) => {
                    Ok(((), "AWS may allow it to the functions: you are not allowed to look".to_owned()))
                }
                Err(error) => Err(refusal(&error, mend)),
            }
        })
        .await
    }

    /// The CRM, as the integration user whose credentials are in the secret.
    async fn secret(&mut self) -> Result<Salesforce, Error> {
        let aws = self.aws.clone();
        let endpoint = self.answers[answers::CRM_ENDPOINT.name].clone();
        if let Some(term) = self.term.clone().filter(|_| !self.given.contains_key(answers::CRM_SECRET.name)) {
            let made = make_secret(&term, &aws, &endpoint).await?;
            self.given.extend(made.map(|arn| (answers::CRM_SECRET.name.to_owned(), arn)));
        }
        self.answer(&answers::CRM_SECRET, async |arn| match aws.secret(arn).await {
            Ok(secret) => match login(&endpoint, &secret).await {
                Ok(salesforce) => Ok((salesforce, format!("the login at {endpoint} works"))),
                Err(refused) => Err(refused),
            },
            Err(error) => Err(refusal(&error, "give yourself secretsmanager:GetSecretValue, or name another secret")),
        })
        .await
    }

    /// An answer that stands its test: the one that is given, or the one of whoever sits there, as often as it takes.
    async fn answer<T>(
        &mut self,
        question: &Question,
        test: impl AsyncFn(&str) -> Result<(T, String), Verdict>,
    ) -> Result<T, Error> {
        let option = question.name.replace('_', "-");
        let mut given = self.given.remove(question.name);
        loop {
            let answer = match (given.take(), &self.term) {
                (Some(answer), _) => answer,
                (None, Some(term)) => ask(term, question)?,
                (None, None) => question.default.unwrap_or_default().to_owned(),
            };
            let tested = match question.wrong(&answer) {
                Some(wrong) => Err(Verdict::failed(format!("`{answer}`: {wrong}"), "say it again")),
                None => test(&answer).await,
            };
            match tested {
                Ok((value, found)) => {
                    eprintln!("ok      {option}: {found}");
                    self.answers.insert(question.name.to_owned(), answer);
                    return Ok(value);
                }
                Err(Verdict { found, mend, .. }) if self.term.is_some() => {
                    eprintln!("failed  {option}: {found}\n        -> {}", mend.unwrap_or_default());
                }
                Err(Verdict { found, mend, .. }) => {
                    return Err(InitError::Unusable { option, found, mend: mend.unwrap_or_default() }.into());
                }
            }
        }
    }
}

/// The fields that the CRM lacks for a mapping, and what would not fit even with them.
fn unfit(text: &str, mut descriptions: Vec<Description>) -> (Vec<Missing>, Vec<Finding>) {
    let (mapping, mut findings) = Mapping::read(text);
    let mut missing = Vec::new();
    if let Some(mapping) = &mapping {
        for object in mapping.objects() {
            let Some(own) = descriptions.iter_mut().find(|known| known.object == object.object) else { continue };
            for WantedField { name, kind, length, unique, .. } in object.wanted_fields() {
                if own.field(&name).is_none() {
                    own.fields.push(CrmField { length, unique, ..CrmField::new(&name, &name, kind) });
                    missing.push(Missing { object: own.object.clone(), field: name, kind, length, unique });
                }
            }
        }
        findings.extend(check(mapping, &descriptions));
    }
    // Warnings are for `cosell mapping check --live`, which also sees the objects that paths lead to.
    findings.retain(|finding| finding.severity == Severity::Error);
    (missing, findings)
}

fn connect(endpoint: &str, secret: &SecretString) -> Result<Salesforce, Verdict> {
    let mend = "give the org's own address, with https";
    Salesforce::connect(endpoint, secret).map_err(|invalid| Verdict::failed(judge::told(&invalid), mend))
}

async fn login(endpoint: &str, secret: &SecretString) -> Result<Salesforce, Verdict> {
    let mend = "the secret must hold client_id and client_secret of an app with the client-credentials flow, which runs as the \
                integration user, and the address must be the org's own";
    Credentials::from_secret(secret).map_err(|invalid| Verdict::failed(invalid.to_string(), mend))?;
    let salesforce = connect(endpoint, secret)?;
    match salesforce.login().await {
        Ok(_) => Ok(salesforce),
        Err(error) => Err(refusal(&error, mend)),
    }
}

/// The ARN of a new secret, or none when there is one already. The credentials are tried before they are kept.
async fn make_secret(term: &Term, aws: &Aws, endpoint: &str) -> Result<Option<String>, Error> {
    const NAME: &str = "cosell/crm";
    loop {
        term.write_str("Make a new secret of a client id and a client secret? [y/N] ")?;
        if !term.read_line()?.trim().eq_ignore_ascii_case("y") {
            return Ok(None);
        }
        let hidden = |words: &str| -> Result<SecretString, Error> {
            term.write_str(words)?;
            Ok(term.read_secure_line()?.into())
        };
        let (id, secret) = (hidden("Client id (not shown): ")?, hidden("Client secret (not shown): ")?);
        let text = json!({ "client_id": id.expose_secret().trim(), "client_secret": secret.expose_secret().trim() });
        let text = SecretString::from(text.to_string());
        if let Err(Verdict { found, mend, .. }) = login(endpoint, &text).await {
            eprintln!("failed  {found}\n        -> {}", mend.unwrap_or_default());
            continue;
        }
        term.write_str(&format!("Name of the secret [{NAME}]: "))?;
        let name = term.read_line()?;
        let name = Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or(NAME);
        match aws.create_secret(name, "The CRM's integration user, for cosell", &text).await {
            Ok(arn) => return Ok(Some(arn)),
            Err(error) => eprintln!("failed  {}", refusal(&error, "").found),
        }
    }
}

fn ask(term: &Term, question: &Question) -> Result<String, Error> {
    let default = question.default.map_or_else(String::new, |default| format!(" [{default}]"));
    term.write_str(&format!("{}{default}: ", question.words))?;
    let answer = term.read_line()?;
    Ok(Some(answer.trim()).filter(|answer| !answer.is_empty()).or(question.default).unwrap_or_default().to_owned())
}

/// What to run now, in order.
fn next(mapping: &Path, parameters: &Path, lacks_fields: bool) -> Vec<String> {
    let (mapping, parameters) = (mapping.display(), parameters.display());
    let fields =
        lacks_fields.then(|| "make the missing fields in the CRM, or take their lines out of the mapping".to_owned());
    let commands = [
        format!("make deploy PARAMETERS=\"$(cat {parameters})\""),
        format!("cosell mapping check --live {mapping}"),
        format!("cosell config push {mapping}"),
        "cosell doctor".to_owned(),
        format!("ScheduleState=ENABLED in {parameters}, and `make deploy` again, when it is to begin"),
    ];
    fields.into_iter().chain(commands).collect()
}

fn told(format: Format, made: &Made) -> Result<(), Error> {
    if format != Format::Table {
        return output::rows(format, &[], std::slice::from_ref(made), |_| Vec::new());
    }
    if !made.missing_fields.is_empty() {
        output::line("\nThe CRM lacks these fields:")?;
        output::rows(format, &["object", "field", "kind", "length", "unique"], &made.missing_fields, |row| {
            vec![
                row.object.clone(),
                row.field.clone(),
                row.kind.to_string(),
                row.length.map_or_else(String::new, |length| length.to_string()),
                if row.unique { "yes".to_owned() } else { String::new() },
            ]
        })?;
    }
    for finding in &made.findings {
        output::line(&format!("the mapping does not fit yet: {finding}"))?;
    }
    output::line(&format!("\nwritten: {}, {}\nnext:", made.mapping.display(), made.parameters.display()))?;
    made.next.iter().enumerate().try_for_each(|(at, step)| output::line(&format!("{}. {step}", at + 1)))
}
