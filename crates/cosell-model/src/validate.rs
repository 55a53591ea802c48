//! What AWS would refuse, all of it at once, in words for the person who can mend it.

use std::fmt;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use crate::{
    Field, Kind, OpportunityId, PayloadVersion, Record, Value, Wire,
    catalog::{
        Entity, OTHER_SOLUTION, Picklist, Required, Type, picklist,
        postal_code::{self, PostalCodes},
    },
    life_cycle::{Access, ReviewStatus, Stage, Standing, State},
    phone,
};

/// What the record is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `CreateOpportunity` alone, or a new record in a file, which AWS takes for submitted too.
    Create,
    /// Creation and submission.
    Submit,
    /// `UpdateOpportunity`, where the record is what results, or an update in a file, where it is what changes.
    Update,
}

/// What a record is validated for.
#[derive(Debug, Clone, Copy)]
pub struct Case<'r> {
    /// What is to be done with it.
    pub operation: Operation,
    /// The interface that it goes through.
    pub wire: Wire,
    /// Where the record stands at AWS now.
    pub standing: Standing,
    /// What an update changes: held against the windows that are open. `None` says nothing about windows.
    pub changes: Option<&'r Record>,
    /// The day, for dates that may not be past.
    pub today: Date,
}

/// The rules, by what they are about. [`Rule::as_str`] is stable, [`Rule::source`] says where AWS states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A value is missing, always or because of another one.
    Required,
    /// Too long or too short.
    Length,
    /// Not in AWS's list.
    Listed,
    /// Not so many digits.
    Digits,
    /// Not an amount that AWS takes.
    Amount,
    /// Not an e-mail address that AWS takes.
    Email,
    /// Not a phone number in E.164.
    Phone,
    /// Not a web address.
    Url,
    /// A date that AWS does not take, or two in the wrong order.
    Date,
    /// Not an identifier of its kind.
    Identifier,
    /// Too many, or two that exclude each other.
    Count,
    /// Not a postal code of the country.
    PostalCode,
    /// Not a state of the country.
    State,
    /// National security and what it forbids.
    NationalSecurity,
    /// Marketing details without marketing, or the other way round.
    Marketing,
    /// Needs that exclude each other.
    Needs,
    /// No solution where one must be.
    Solution,
    /// A contract's value, duration and estimate that do not go together.
    Contract,
    /// A renewal without its parent, or a parent without a renewal.
    Renewal,
    /// Not possible for a submission.
    Submission,
    /// Not possible in files of this payload version.
    Version,
    /// Closed to the partner as the record stands.
    Window,
    /// Could not be read at all.
    Unreadable,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 23] = [
        Self::Required,
        Self::Length,
        Self::Listed,
        Self::Digits,
        Self::Amount,
        Self::Email,
        Self::Phone,
        Self::Url,
        Self::Date,
        Self::Identifier,
        Self::Count,
        Self::PostalCode,
        Self::State,
        Self::NationalSecurity,
        Self::Marketing,
        Self::Needs,
        Self::Solution,
        Self::Contract,
        Self::Renewal,
        Self::Submission,
        Self::Version,
        Self::Window,
        Self::Unreadable,
    ];

    /// The rule's stable name, for machines.
    pub fn as_str(self) -> &'static str {
        self.text().0
    }

    /// Whether it looks at one field's own value and at nothing else.
    pub fn is_of_one_field(self) -> bool {
        matches!(
            self,
            Self::Length
                | Self::Listed
                | Self::Digits
                | Self::Amount
                | Self::Email
                | Self::Phone
                | Self::Url
                | Self::Identifier
                | Self::Count
        )
    }

    /// Where AWS states it.
    pub fn source(self) -> &'static str {
        self.text().1
    }

    fn text(self) -> (&'static str, &'static str) {
        const SHEET: &str = "ACE data model, fields";
        const API: &str = "Partner Central API reference";
        const FILES: &str = "ACE field definitions v14.3";
        match self {
            Self::Required => ("required", SHEET),
            Self::Length => ("length", API),
            Self::Listed => ("listed", "ACE data model, values; standard values v14.3"),
            Self::Digits => ("digits", API),
            Self::Amount => ("amount", FILES),
            Self::Email => ("email", API),
            Self::Phone => ("phone", API),
            Self::Url => ("url", API),
            Self::Date => ("date", SHEET),
            Self::Identifier => ("identifier", API),
            Self::Count => ("count", "Partner Central developer guide, associations"),
            Self::PostalCode => ("postal-code", "ACE postal code validations; countries without postal codes"),
            Self::State => ("state", "ACE data model, values"),
            Self::NationalSecurity => ("national-security", SHEET),
            Self::Marketing => ("marketing", SHEET),
            Self::Needs => ("needs", SHEET),
            Self::Solution => ("solution", SHEET),
            Self::Contract => ("contract", "Partner Central developer guide, deal sizing"),
            Self::Renewal => ("renewal", FILES),
            Self::Submission => ("submission", API),
            Self::Version => ("version", FILES),
            Self::Window => ("window", "ACE data model, fields (updates by status)"),
            Self::Unreadable => ("unreadable", API),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that is wrong with a record. It names the field and the rule, never the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The catalog key.
    pub field: &'static str,
    /// The API's path.
    pub api: Option<&'static str>,
    /// The spelling in files.
    pub file: Option<&'static str>,
    /// The CRM's own field, once a mapping has said which.
    pub crm: Option<String>,
    /// The rule.
    pub rule: Rule,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub mend: String,
}

impl Problem {
    /// A problem with `field`.
    pub fn new(field: &'static Field, rule: Rule, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            field: field.key,
            api: field.api,
            file: field.newest_file(),
            crm: None,
            rule,
            message: message.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.crm.as_deref().unwrap_or(self.field), self.message, self.mend)
    }
}

/// Every problem that `record` has in this case. A record without any may still be refused: what exists at AWS, only AWS
/// knows.
pub fn validate(record: &Record, case: &Case<'_>) -> Vec<Problem> {
    let mut check = Check { record, case, problems: Vec::new() };
    for field in record.kind().fields() {
        match record.get(field) {
            None | Some(Value::Null) => check.missing(field),
            Some(value) if field.is_writable_on(case.wire) => check.shape(field, value),
            Some(_) => check.version(field),
        }
    }
    check.windows();
    match record.kind() {
        Kind::Opportunity => check.opportunity(),
        Kind::Lead => {}
    }
    check.problems
}

const FILL: &str = "fill it in";
const CORRECT: &str = "correct it";

struct Check<'c> {
    record: &'c Record,
    case: &'c Case<'c>,
    problems: Vec<Problem>,
}

impl<'c> Check<'c> {
    fn text(&self, key: &str) -> Option<&'c str> {
        self.record.text(key)
    }

    fn filled(&self, key: &str) -> bool {
        !matches!(self.record.value(key), None | Some(Value::Null))
    }

    fn items(&self, key: &str) -> &'c [String] {
        self.record.value(key).map_or(&[], Value::items)
    }

    fn secret(&self) -> bool {
        self.text("doesOppBelongToNatSec") == Some("Yes")
    }

    fn in_files(&self) -> bool {
        matches!(self.case.wire, Wire::File(_))
    }

    fn v1(&self) -> bool {
        self.case.wire == Wire::File(PayloadVersion::V1)
    }

    /// Whether AWS reviews what is sent: a new record in a file is submitted with its creation.
    fn submits(&self) -> bool {
        match self.case.operation {
            Operation::Submit => true,
            Operation::Create => self.in_files(),
            Operation::Update => false,
        }
    }

    /// Whether it is a whole record that AWS has reviewed, or is about to.
    fn is_under_way(&self) -> bool {
        let Case { operation, standing, .. } = *self.case;
        let sent = standing.status.is_some_and(|status| status != ReviewStatus::PendingSubmission);
        operation == Operation::Update && sent && !self.sparse()
    }

    /// Whether the record is no whole one: an update in a file names what changes, and nothing else.
    fn sparse(&self) -> bool {
        self.in_files() && self.case.operation == Operation::Update
    }

    fn add(&mut self, key: &str, rule: Rule, message: impl Into<String>, mend: impl Into<String>) {
        if let Some(field) = self.record.kind().field(key) {
            self.problems.push(Problem::new(field, rule, message, mend));
        }
    }

    fn missing(&mut self, field: &'static Field) {
        let Case { operation, wire, .. } = *self.case;
        if self.sparse() && self.record.get(field).is_none() {
            return;
        }
        if let Wire::File(version) = wire
            && (field.file(version).is_none() || (self.v1() && field.default_in_v1.is_some()))
        {
            return;
        }
        if wire == Wire::Api && field.default.is_some() && operation < Operation::Update {
            return;
        }
        let why = match field.required {
            Required::Create => "AWS needs a value here".to_owned(),
            Required::Submit if self.submits() => "AWS needs a value here before it reviews the opportunity".to_owned(),
            Required::Update if operation == Operation::Update => "AWS needs a value here".to_owned(),
            Required::When(other, wanted) if self.text(other) == Some(wanted) => {
                format!("AWS needs a value here because {other} is `{wanted}`")
            }
            _ => return,
        };
        if !self.relaxed(field) {
            self.problems.push(Problem::new(field, Rule::Required, why, FILL));
        }
    }

    /// What AWS does without in special cases.
    fn relaxed(&self, field: &Field) -> bool {
        match field.key {
            "customerWebsite" | "state" => self.secret(),
            "customerCompanyName" => self.secret() && self.in_files(),
            // A lead that came from AWS has AWS's identifier.
            "partnerCrmLeadId" => self.filled("apnCrmUniqueIdentifier"),
            "expectedMonthlyAwsRevenue" => self.filled("expectedContractValue") || self.filled("estimationUrl"),
            _ => false,
        }
    }

    fn version(&mut self, field: &'static Field) {
        if let Wire::File(version) = self.case.wire
            && field.file(version).is_none()
            && field.newest_file().is_some()
            && field.flow.sends()
        {
            let message = format!("files of payload {version} do not have this field");
            self.problems.push(Problem::new(field, Rule::Version, message, "empty it, or send the other version"));
        }
    }

    fn shape(&mut self, field: &'static Field, value: &Value) {
        let wire = self.case.wire;
        let older = self.v1() && field.older_in_v1;
        let problem = match (field.ty, value) {
            (Type::Text { max }, Value::Text(text)) => too_long(text, max.into()),
            (Type::Digits(count), Value::Text(text)) => {
                let sound = text.len() == usize::from(count) && text.bytes().all(|b| b.is_ascii_digit());
                unless(sound, Rule::Digits, || {
                    (format!("not {count} digits"), "correct it, leading zeros included".into())
                })
            }
            (Type::Picklist(_) | Type::Picklists(_), _) if older => None,
            (Type::Picklist(list), Value::Text(text)) => unlisted(list, wire, std::slice::from_ref(text)),
            (Type::Picklists(list), Value::List(items)) => unlisted(list, wire, items),
            (Type::YesNo, Value::Text(text)) => unless(text == "Yes" || text == "No", Rule::Listed, || {
                ("only `Yes` and `No` are possible".into(), "choose one".into())
            }),
            (Type::Number { decimals, in_files }, Value::Number(number)) => {
                let most = if wire == Wire::Api { decimals } else { in_files };
                let sound = number.scale() <= most.into() && !number.is_sign_negative();
                unless(sound, Rule::Amount, || match most {
                    0 => ("AWS takes whole numbers from 0 up".into(), "round it".into()),
                    _ => (format!("AWS takes amounts from 0 up with at most {most} decimals"), "round it".into()),
                })
            }
            (Type::Email, Value::Text(text)) => unless(is_email(text), Rule::Email, || {
                ("not an e-mail address of at most 80 characters".into(), CORRECT.into())
            }),
            (Type::Phone, Value::Text(text)) if self.in_files() => too_long(text, 40),
            (Type::Phone, Value::Text(text)) => unless(phone::is_e164(text), Rule::Phone, || {
                ("not in the form +4930123456 that AWS takes".into(), CORRECT.into())
            }),
            (Type::Url, Value::Text(text)) => {
                unless(is_url(text), Rule::Url, || ("not a web address of 4 to 255 characters".into(), CORRECT.into()))
            }
            (Type::Identifiers(entity), Value::List(items)) => self.identifiers(entity, items),
            _ => None,
        };
        if let Some((rule, message, mend)) = problem {
            self.problems.push(Problem::new(field, rule, message, mend));
        }
        if self.v1() && field.single_in_v1 && value.items().len() > 1 {
            let message = "files of payload 1.0 take one value";
            self.problems.push(Problem::new(field, Rule::Version, message, "choose one, or send 2.0"));
        }
    }

    fn identifiers(&self, entity: Entity, items: &[String]) -> Option<(Rule, String, String)> {
        let wire = self.case.wire;
        let fits = |id: &String| entity.fits(id, wire) || (entity == Entity::Solution && id == OTHER_SOLUTION);
        let wrong: Vec<_> = items.iter().filter(|id| !fits(id)).collect();
        if items.len() > entity.limit() {
            let message = format!("{} {}, AWS takes at most {}", items.len(), entity.as_str(), entity.limit());
            return Some((Rule::Count, message, "remove some".to_owned()));
        }
        let first = wrong.first()?;
        let meant = if entity == Entity::AwsProduct { picklist::AWS_PRODUCT.nearest(first) } else { None };
        let message = format!("{} of {} identifiers are not {}", wrong.len(), items.len(), entity.expects(wire));
        Some((Rule::Identifier, message, meant.map_or_else(|| CORRECT.to_owned(), |code| format!("use `{code}`"))))
    }

    /// What an update changes although it is closed.
    fn windows(&mut self) {
        let Case { operation, standing, changes: Some(changes), .. } = *self.case else { return };
        if operation != Operation::Update {
            return;
        }
        for (field, _) in changes.iter() {
            let (message, mend) = match standing.access(self.record.kind(), field) {
                Access::Open => continue,
                Access::Later => ("AWS takes no change of it now", "nothing: it is sent when AWS does"),
                Access::Never => ("AWS takes no change of it any more", "undo the change"),
            };
            self.problems.push(Problem::new(field, Rule::Window, message, mend));
        }
    }

    /// Rules of opportunities that look at more than one field, or at more than a shape.
    fn opportunity(&mut self) {
        if self.text("projectDescription").is_some_and(|text| text.chars().count() < 20) {
            self.add("projectDescription", Rule::Length, "AWS wants at least 20 characters", "say more");
        }
        if matches!(self.record.value("expectedMonthlyAwsRevenue"), Some(Value::Number(amount)) if *amount <= Decimal::ZERO)
        {
            self.add("expectedMonthlyAwsRevenue", Rule::Amount, "AWS wants an amount greater than 0", CORRECT);
        }
        if self.text("parentOppId").is_some_and(|id| id.parse::<OpportunityId>().is_err()) {
            self.add("parentOppId", Rule::Identifier, "not an opportunity identifier (`O` and digits)", CORRECT);
        } else if self.filled("parentOppId") && self.text("opportunityType") == Some("Net New Business") {
            let message = "AWS does not keep it for `Net New Business`";
            self.add("parentOppId", Rule::Renewal, message, "empty it, or change opportunityType");
        }
        if self.case.operation == Operation::Submit && self.stage() == Some(Stage::ClosedLost) {
            let message = "a lost opportunity cannot be submitted";
            self.add("stage", Rule::Submission, message, "change the stage or do not share it");
        }
        if self.sparse() && !self.filled("apnCrmUniqueIdentifier") && !self.filled("partnerCrmUniqueIdentifier") {
            let message = "an update needs this or partnerCrmUniqueIdentifier: without, AWS makes a new opportunity";
            self.add("apnCrmUniqueIdentifier", Rule::Required, message, FILL);
        }
        if self.in_files()
            && self.text("partnerAcceptanceStatus") == Some("Rejected")
            && !self.v1()
            && !self.filled("rejectionReason")
        {
            let message = "AWS needs a value here because partnerAcceptanceStatus is `Rejected`";
            self.add("rejectionReason", Rule::Required, message, FILL);
        }
        if self.v1() && self.case.operation != Operation::Update && self.filled("nextStep") {
            let message = "files of payload 1.0 take it in updates only";
            self.add("nextStep", Rule::Version, message, "send it with the next update, or send 2.0");
        }
        self.address();
        self.national_security();
        self.needs();
        self.dates();
        self.marketing();
        self.solution();
        self.spending();
    }

    fn stage(&self) -> Option<Stage> {
        self.text("stage").and_then(Stage::from_name)
    }

    fn address(&mut self) {
        let Some(country) = self.text("country") else { return };
        let hidden = self.secret() && country == "US";
        let unchanged = self.sparse() && self.record.value("postalCode").is_none();
        match (postal_code::of(country), self.text("postalCode")) {
            (PostalCodes::None, Some(_)) => {
                self.add("postalCode", Rule::PostalCode, format!("{country} has no postal codes"), "empty it");
            }
            (PostalCodes::Forms(_) | PostalCodes::Unchecked, None) if !hidden && !unchanged => {
                self.add("postalCode", Rule::Required, format!("AWS needs a value here for {country}"), FILL);
            }
            (codes @ PostalCodes::Forms(forms), Some(code)) if !codes.fit(code) => {
                let forms = forms.replace('|', " or ");
                let message = format!("not a postal code of {country} ({forms}; # a digit, @ a letter)");
                self.add("postalCode", Rule::PostalCode, message, CORRECT);
            }
            _ => {}
        }
        let states = &picklist::US_STATE;
        if country == "US"
            && !self.v1()
            && let Some(state) = self.text("state")
            && !states.has(state)
        {
            let mend = states.nearest(state).map_or_else(|| choose(states), |name| format!("use `{name}`"));
            self.add("state", Rule::State, "not a name in AWS's list of US states", mend);
        }
    }

    fn national_security(&mut self) {
        if !self.secret() {
            return;
        }
        if self.text("industry") != Some("Government") && !(self.sparse() && self.text("industry").is_none()) {
            let message = "`Yes` is possible for industry `Government` only";
            self.add("doesOppBelongToNatSec", Rule::NationalSecurity, message, "change one of them");
        }
        if self.items("partnerPrimaryNeedFromAws").iter().any(|need| picklist::PRIMARY_NEED.none == Some(need)) {
            let message = "AWS wants to be involved where doesOppBelongToNatSec is `Yes`";
            self.add("partnerPrimaryNeedFromAws", Rule::NationalSecurity, message, "choose what AWS is to help with");
        }
    }

    fn needs(&mut self) {
        let needs = self.items("partnerPrimaryNeedFromAws");
        let none = needs.iter().any(|need| picklist::PRIMARY_NEED.none == Some(need));
        if none && needs.len() > 1 {
            let message = "needs and no need exclude each other";
            self.add("partnerPrimaryNeedFromAws", Rule::Needs, message, "remove one");
        }
        // Through the API no need is said by naming none.
        if needs.is_empty() && self.in_files() && self.submits() {
            self.add("partnerPrimaryNeedFromAws", Rule::Required, "AWS needs a value here", FILL);
        }
    }

    fn dates(&mut self) {
        let today = self.case.today;
        match self.record.value("targetCloseDate") {
            Some(Value::Date(date)) if *date < today => {
                self.add("targetCloseDate", Rule::Date, "the date is in the past", "choose a later one");
            }
            Some(Value::Date(date)) if date.year() > today.year() + 60 => {
                let message = "the date is more than 60 years ahead";
                self.add("targetCloseDate", Rule::Date, message, "choose an earlier one");
            }
            _ => {}
        }
        if let (Some(Value::Date(start)), Some(Value::Date(end))) =
            (self.record.value("contractStartDate"), self.record.value("contractEndDate"))
            && start > end
        {
            let message = "the contract ends before it starts";
            self.add("contractEndDate", Rule::Date, message, "correct one of the dates");
        }
    }

    fn marketing(&mut self) {
        const DETAILS: [&str; 4] = [
            "awsSFCampaignName",
            "marketingActivityChannel",
            "marketingActivityUsecase",
            "isMarketingDevelopmentFunded",
        ];
        let source = self.text("isOppFromMarketingActivity");
        let marketed = source == Some("Marketing Activity");
        if marketed
            && self.text("isMarketingDevelopmentFunded") == Some("No")
            && self.filled("marketingActivityUsecase")
        {
            let message = "AWS takes no topics of a campaign that it did not fund";
            self.add("marketingActivityUsecase", Rule::Marketing, message, "empty it");
        }
        if marketed || (source.is_none() && self.sparse()) {
            return;
        }
        for key in DETAILS.into_iter().filter(|key| self.filled(key)).collect::<Vec<_>>() {
            let message = "only possible when isOppFromMarketingActivity is `Marketing Activity`";
            self.add(key, Rule::Marketing, message, "empty it, or set that");
        }
    }

    fn solution(&mut self) {
        let named = self.items("solutionOffered").iter().any(|id| id != OTHER_SOLUTION);
        let named = named || self.filled("awsMarketplaceSolutions") || self.filled("awsMarketplaceProducts");
        let described = self.filled("otherSolutionOffered");
        if let Some(stage) = self.stage()
            && stage.needs_solution()
            && !named
            && !self.sparse()
        {
            let message = format!("AWS needs a solution or Marketplace product when the stage is `{}`", stage.as_str());
            self.add("solutionOffered", Rule::Solution, message, "choose one; words are not enough");
        } else if self.submits() && !named && !described && !self.v1() {
            let message = "AWS needs a solution or Marketplace product before it reviews the opportunity";
            self.add("solutionOffered", Rule::Solution, message, "choose one, or describe it in otherSolutionOffered");
        } else if self.is_under_way() && !named && !described {
            let message = "AWS keeps one solution or Marketplace product at least of what it was sent";
            self.add("solutionOffered", Rule::Solution, message, "choose another one first");
        }
        if self.stage() == Some(Stage::Launched) && !self.filled("awsAccountId") && !self.case.standing.isv {
            let message = "AWS needs the customer's account because stage is `Launched`";
            self.add("awsAccountId", Rule::Required, message, FILL);
        }
        if self.filled("offers") && self.filled("offerSets") {
            self.add("offerSets", Rule::Count, "an offer and a set of offers exclude each other", "remove one");
        }
        let offered = self
            .case
            .changes
            .is_some_and(|changes| changes.value("offers").is_some() || changes.value("offerSets").is_some());
        if offered && self.case.standing.stage == Some(Stage::ClosedLost) {
            self.add("offers", Rule::Window, "AWS takes no offers for a lost opportunity", "undo the change");
        }
    }

    fn spending(&mut self) {
        let (value, months) = (self.filled("expectedContractValue"), self.record.value("contractDuration"));
        if let Some(Value::Number(months)) = months
            && (*months < Decimal::ONE || *months > Decimal::from(144))
        {
            self.add("contractDuration", Rule::Contract, "AWS takes 1 to 144 months", CORRECT);
        }
        match (value, self.filled("contractDuration")) {
            (true, false) => {
                self.add("contractDuration", Rule::Contract, "a contract's value needs its duration", FILL);
            }
            (false, true) if self.case.operation < Operation::Update => {
                let message = "a contract's duration needs its value";
                self.add("expectedContractValue", Rule::Contract, message, FILL);
            }
            _ => {}
        }
        if value && self.filled("estimationUrl") {
            let message = "an estimate and a contract's value exclude each other";
            self.add("estimationUrl", Rule::Contract, message, "remove one");
        }
        if self.text("estimationUrl").is_some_and(|url| !is_estimate(url)) {
            let message = "not a link that AWS Pricing Calculator shares";
            self.add("estimationUrl", Rule::Url, message, "use the calculator's Share button");
        }
        let currencies = ["expectedMonthlyAwsRevenueCurrency", "expectedContractValueCurrency"];
        let sovereign = self.text("awsPartition") == Some("aws-eusc");
        for key in currencies {
            match self.text(key) {
                Some("EUR") | None => {}
                Some("USD") if !sovereign => {}
                Some(_) if sovereign => self.add(key, Rule::Contract, "awsPartition takes EUR only", "use EUR"),
                Some(_) => self.add(key, Rule::Listed, "AWS takes expected revenue in USD and EUR", "convert it"),
            }
        }
        if let (Some(a), Some(b)) = (self.text(currencies[0]), self.text(currencies[1]))
            && a != b
            && value
        {
            self.add(currencies[1], Rule::Contract, "both amounts must be in one currency", "convert one of them");
        }
    }
}

type Finding = Option<(Rule, String, String)>;

fn unless(sound: bool, rule: Rule, texts: impl FnOnce() -> (String, String)) -> Finding {
    (!sound).then(|| {
        let (message, mend) = texts();
        (rule, message, mend)
    })
}

fn too_long(text: &str, max: usize) -> Finding {
    let length = text.chars().count();
    unless(length <= max, Rule::Length, || {
        (format!("{length} characters, at most {max} are possible"), "shorten it".to_owned())
    })
}

fn choose(list: &Picklist) -> String {
    const FEW: usize = 12;
    let values: Vec<_> = list.values().chain(list.none).take(FEW + 1).collect();
    if values.len() > FEW {
        format!("choose one of `cosell picklist \"{}\"`", list.name)
    } else {
        format!("choose from {}", values.join(", "))
    }
}

fn unlisted(list: &Picklist, wire: Wire, items: &[String]) -> Finding {
    let known = |item: &String| if wire == Wire::Api { list.has(item) } else { list.has_in_files(item) };
    let strangers: Vec<_> = items.iter().filter(|item| !known(item)).collect();
    let first = strangers.first()?;
    let message = match items.len() {
        1 => format!("not in AWS's list of {}", list.name),
        all => format!("{} of {all} values are not in AWS's list of {}", strangers.len(), list.name),
    };
    let mend = list.nearest(first).map_or_else(|| choose(list), |value| format!("use `{value}`"));
    Some((Rule::Listed, message, mend))
}

/// AWS's pattern: lower case, at most 80 characters, a dot in the domain.
fn is_email(text: &str) -> bool {
    let local = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    text.len() <= 80
        && text.split_once('@').is_some_and(|(name, host)| {
            name.split('.').all(|part| !part.is_empty() && part.chars().all(local))
                && host.contains('.')
                && host.split('.').all(label)
        })
}

fn is_url(text: &str) -> bool {
    (4..=255).contains(&text.chars().count()) && text.contains('.') && !text.contains(char::is_whitespace)
}

fn is_estimate(text: &str) -> bool {
    let id = ["https://calculator.aws/#/estimate?id=", "https://pricing.calculator.aws.eu/#/estimate?id="]
        .iter()
        .find_map(|start| text.strip_prefix(start));
    id.is_some_and(|id| {
        (32..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::{
        Acceptance,
        ReviewStatus::{Approved, InReview},
    };

    const TODAY: Date = jiff::civil::date(2026, 3, 9);

    fn record(values: &[(&str, &str)]) -> Record {
        let mut record = Record::new(Kind::Opportunity);
        for (key, text) in values {
            let field = Kind::Opportunity.field(key).unwrap();
            record.set(field, Value::parse(field.ty, &serde_json::json!(text)).unwrap().unwrap());
        }
        record
    }

    fn case(operation: Operation, wire: Wire) -> Case<'static> {
        Case { operation, wire, standing: Standing::default(), changes: None, today: TODAY }
    }

    #[test]
    fn all_problems_come_at_once() {
        let record = record(&[
            ("partnerProjectTitle", "Lake"),
            ("country", "US"),
            ("industry", "Baking"),
            ("customerEmail", "nobody"),
            ("customerPhone", "030 1234"),
            ("expectedMonthlyAwsRevenue", "10.123"),
            ("deliveryModel", "Resell;Carrier pigeon"),
            ("doesOppBelongToNatSec", "Maybe"),
            ("useCase", "security and compliance"),
        ]);
        let shown: Vec<String> =
            validate(&record, &case(Operation::Submit, Wire::Api)).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn a_problem_names_the_field_in_every_spelling() {
        let problems = validate(&record(&[("industry", "software & internet")]), &case(Operation::Create, Wire::Api));
        let mut problem = problems.into_iter().find(|problem| problem.field == "industry").unwrap();
        problem.crm = Some("Industry__c".into());
        insta::assert_json_snapshot!(problem);
    }

    const V1: Wire = Wire::File(PayloadVersion::V1);
    const V2: Wire = Wire::File(PayloadVersion::V2);

    /// Problems other than those of an incomplete record.
    fn rules(wire: Wire, operation: Operation, values: &[(&str, &str)]) -> Vec<String> {
        let always = validate(&Record::new(Kind::Opportunity), &case(operation, wire));
        validate(&record(values), &case(operation, wire))
            .into_iter()
            .filter(|problem| !always.contains(problem))
            .map(|problem| format!("{} {}", problem.field, problem.rule))
            .collect()
    }

    #[test]
    fn rules_of_the_api() {
        for (values, expected) in [
            (&[("country", "DE"), ("postalCode", "1234")][..], &["postalCode postal-code"][..]),
            (&[("country", "DE"), ("postalCode", "20457")], &[]),
            (&[("country", "DE")], &["postalCode required"]),
            (&[("country", "AE")], &[]),
            (&[("country", "AE"), ("postalCode", "1")], &["postalCode postal-code"]),
            (&[("country", "US"), ("postalCode", "98101")], &["state required"]),
            (&[("country", "US"), ("postalCode", "98101"), ("state", "Washington")], &[]),
            (&[("country", "US"), ("postalCode", "98101"), ("state", "WA")], &["state state"]),
            (&[("country", "DE"), ("postalCode", "20457"), ("state", "Hamburg")], &[]),
            (&[("country", "US"), ("doesOppBelongToNatSec", "Yes"), ("industry", "Government")], &[]),
            (&[("doesOppBelongToNatSec", "Yes"), ("industry", "Retail")], &["doesOppBelongToNatSec national-security"]),
            (
                &[
                    ("doesOppBelongToNatSec", "Yes"),
                    ("industry", "Government"),
                    ("partnerPrimaryNeedFromAws", "Do Not Need Support from AWS Sales Rep"),
                ],
                &["partnerPrimaryNeedFromAws national-security"],
            ),
            (&[("partnerPrimaryNeedFromAws", "Do Not Need Support from AWS Sales Rep")], &[]),
            (
                &[("partnerPrimaryNeedFromAws", "Do Not Need Support from AWS Sales Rep;Co-Sell - Deal Support")],
                &["partnerPrimaryNeedFromAws needs"],
            ),
            (&[("industry", "Other")], &["industryOther required"]),
            (&[("competitiveTracking", "*Other")], &["competitiveTrackingOther required"]),
            (&[("opportunityType", "Flat Renewal")], &["parentOppId required"]),
            (&[("opportunityType", "Net New Business"), ("parentOppId", "O1")], &["parentOppId renewal"]),
            (&[("projectDescription", "Too short")], &["projectDescription length"]),
            (&[("expectedMonthlyAwsRevenue", "0")], &["expectedMonthlyAwsRevenue amount"]),
            (&[("expectedMonthlyAwsRevenue", "1041.67")], &[]),
            (&[("expectedMonthlyAwsRevenue", "1041.667")], &["expectedMonthlyAwsRevenue amount"]),
            (&[("expectedMonthlyAwsRevenueCurrency", "GBP")], &["expectedMonthlyAwsRevenueCurrency listed"]),
            (
                &[("expectedMonthlyAwsRevenueCurrency", "USD"), ("awsPartition", "aws-eusc")],
                &["expectedMonthlyAwsRevenueCurrency contract"],
            ),
            (&[("expectedContractValue", "10")], &["contractDuration contract"]),
            (&[("contractDuration", "12")], &["expectedContractValue contract"]),
            (&[("expectedContractValue", "10"), ("contractDuration", "145")], &["contractDuration contract"]),
            (&[("estimationUrl", "https://calculator.aws/#/estimate?id=0123456789abcdef0123456789abcdef")], &[]),
            (&[("estimationUrl", "https://calculator.aws/#/estimate?id=1")], &["estimationUrl url"]),
            (&[("customerDuns", "12345678")], &["customerDuns digits"]),
            (&[("customerDuns", "012345678")], &[]),
            (&[("awsAccountId", "012345678901")], &[]),
            (&[("awsAccountId", "01234567890")], &["awsAccountId digits"]),
            (&[("customerEmail", "Ada@Example.com")], &[]),
            (&[("customerEmail", "ada@example")], &["customerEmail email"]),
            (&[("customerEmail", "ada.@example.com")], &["customerEmail email"]),
            (&[("customerPhone", "+4930123456")], &[]),
            (&[("customerWebsite", "no dots")], &["customerWebsite url"]),
            (&[("parentOppId", "006A")], &["parentOppId identifier"]),
            (&[("stage", "Closed Lost"), ("closedLostReason", "Price")], &["stage submission"]),
            (&[("stage", "Closed Lost")], &["closedLostReason required", "stage submission"]),
            (&[("targetCloseDate", "2026-03-08")], &["targetCloseDate date"]),
            (&[("targetCloseDate", "2026-03-09")], &[]),
            (&[("targetCloseDate", "2099-01-01")], &["targetCloseDate date"]),
            (&[("contractStartDate", "2026-05-01"), ("contractEndDate", "2026-04-01")], &["contractEndDate date"]),
            (&[("marketingActivityChannel", "Email")], &["marketingActivityChannel marketing"]),
            (
                &[("isOppFromMarketingActivity", "Marketing Activity")],
                &["marketingActivityChannel required", "isMarketingDevelopmentFunded required"],
            ),
            (
                &[
                    ("isOppFromMarketingActivity", "Marketing Activity"),
                    ("isMarketingDevelopmentFunded", "No"),
                    ("marketingActivityChannel", "Email"),
                    ("marketingActivityUsecase", "Compute"),
                ],
                &["marketingActivityUsecase marketing"],
            ),
            (&[("stage", "Launched"), ("solutionOffered", "S-1")], &["awsAccountId required"]),
            (&[("stage", "Committed"), ("otherSolutionOffered", "Words")], &["solutionOffered solution"]),
            (&[("solutionOffered", "Lake house")], &["solutionOffered identifier"]),
            (&[("awsProducts", "AWS Lambda")], &["awsProducts identifier"]),
            (&[("offers", "offer-abc")], &["offers identifier"]),
            (
                &[
                    ("offers", "arn:aws:aws-marketplace:us-east-1:123456789012:AWSMarketplace/Offer/offer-1"),
                    ("offerSets", "arn:aws:aws-marketplace:us-east-1:123456789012:AWSMarketplace/OfferSet/offerset-1"),
                ],
                &["offerSets count"],
            ),
            (&[("solutionOffered", "S-1;S-2;S-3;S-4;S-5;S-6;S-7;S-8;S-9;S-10;S-11")], &["solutionOffered count"]),
        ] {
            assert_eq!(rules(Wire::Api, Operation::Submit, values), expected, "{values:?}");
        }
    }

    #[test]
    fn rules_of_the_files() {
        for (wire, operation, values, expected) in [
            (
                V2,
                Operation::Create,
                &[("expectedMonthlyAwsRevenue", "1041.67")][..],
                &["expectedMonthlyAwsRevenue amount"][..],
            ),
            (V2, Operation::Create, &[("customerPhone", "(206) 555-0100")], &[]),
            (V2, Operation::Create, &[("offers", "offer-abc")], &[]),
            (V2, Operation::Create, &[("solutionOffered", "Other"), ("otherSolutionOffered", "Words")], &[]),
            (V2, Operation::Create, &[("rejectionReason", "Renewal opportunity")], &[]),
            (V2, Operation::Create, &[("subUseCase", "ETL")], &["subUseCase version"]),
            (V1, Operation::Create, &[("customerDuns", "012345678")], &["customerDuns version"]),
            (V1, Operation::Create, &[("useCase", "A use case of v13")], &[]),
            (V1, Operation::Create, &[("nextStep", "Call")], &["nextStep version"]),
            (V1, Operation::Update, &[("nextStep", "Call")], &[]),
            (V1, Operation::Create, &[("campaignName", "P3;Windows")], &["campaignName version"]),
            (V2, Operation::Update, &[("partnerAcceptanceStatus", "Rejected")], &["rejectionReason required"]),
            (V1, Operation::Update, &[("partnerAcceptanceStatus", "Rejected")], &[]),
            (V2, Operation::Update, &[("nextStep", "Call")], &[]),
        ] {
            assert_eq!(rules(wire, operation, values), expected, "{wire:?} {values:?}");
        }
        let problems = |wire, operation| -> Vec<_> {
            let found = validate(&Record::new(Kind::Opportunity), &case(operation, wire));
            found.into_iter().map(|problem| problem.field).collect()
        };
        assert_eq!(problems(V2, Operation::Update), ["apnCrmUniqueIdentifier"], "absent is unchanged");
        assert!(problems(V2, Operation::Create).contains(&"partnerPrimaryNeedFromAws"));
        assert!(problems(V2, Operation::Create).contains(&"salesActivities"), "a file submits what it creates");
        assert!(!problems(V1, Operation::Create).contains(&"salesActivities"), "AWS fills it in");
        let mut deleted = record(&[("apnCrmUniqueIdentifier", "O1")]);
        deleted.set(Kind::Opportunity.field("partnerProjectTitle").unwrap(), Value::Null);
        let found = validate(&deleted, &case(Operation::Update, V2));
        assert_eq!(found.iter().map(|problem| problem.field).collect::<Vec<_>>(), ["partnerProjectTitle"]);
    }

    #[test]
    fn an_update_is_held_against_its_window() {
        let record = record(&[("partnerProjectTitle", "New"), ("nextStep", "Call"), ("awsStage", "Engaged")]);
        let standing = |status| Standing { status: Some(status), stage: Some(Stage::Qualified), ..Standing::default() };
        let closed = |status| -> Vec<_> {
            let case =
                Case { standing: standing(status), changes: Some(&record), ..case(Operation::Update, Wire::Api) };
            let found = validate(&record, &case).into_iter().filter(|problem| problem.rule == Rule::Window);
            found.map(|problem| (problem.field, problem.mend)).collect()
        };
        let (never, later) = ("undo the change".to_owned(), "nothing: it is sent when AWS does".to_owned());
        assert_eq!(closed(Approved), [("awsStage", never.clone()), ("partnerProjectTitle", never.clone())]);
        assert_eq!(
            closed(InReview),
            [("awsStage", never.clone()), ("nextStep", later), ("partnerProjectTitle", never)]
        );
    }

    #[test]
    fn leads_are_checked_as_files_are() {
        let lead = |acceptance, values: &[(&str, &str)]| {
            let mut record = Record::new(Kind::Lead);
            for (key, text) in values {
                let field = Kind::Lead.field(key).unwrap();
                record.set(field, Value::parse(field.ty, &serde_json::json!(text)).unwrap().unwrap());
            }
            let standing = Standing { acceptance, ..Standing::default() };
            let found = validate(&record, &Case { standing, changes: Some(&record), ..case(Operation::Update, V1) });
            found.iter().map(|problem| format!("{} {}", problem.field, problem.rule)).collect::<Vec<_>>()
        };
        let (pending, accepted) = (Some(Acceptance::Pending), Some(Acceptance::Accepted));
        assert_eq!(lead(accepted, &[("status", "Sleeping"), ("leadOwnerEmail", "a@b.example")]), ["status listed"]);
        assert_eq!(
            lead(pending, &[("status", "Research"), ("industry", "Gaming")]),
            ["industry window", "status window"]
        );
        assert_eq!(lead(pending, &[("currentLeadStage", "Rejected")]), Vec::<String>::new());
        assert_eq!(lead(None, &[("status", "Research")]), Vec::<String>::new());
    }

    #[test]
    fn rules_have_names_and_sources() {
        let names: std::collections::HashSet<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
        assert!(Rule::ALL.iter().all(|rule| !rule.source().is_empty()));
    }

    #[test]
    fn submission_needs_more_than_creation() {
        let record = record(&[("partnerProjectTitle", "Lake")]);
        let fields = |operation| -> Vec<_> {
            validate(&record, &case(operation, Wire::Api)).iter().map(|problem| problem.field).collect()
        };
        assert!(!fields(Operation::Create).contains(&"useCase"));
        assert!(fields(Operation::Submit).contains(&"useCase"));
        assert!(!fields(Operation::Submit).contains(&"stage"), "a default is sent");
        assert!(fields(Operation::Update).contains(&"stage"));
    }
}
