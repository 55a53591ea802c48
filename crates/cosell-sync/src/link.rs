use std::{collections::BTreeMap, fmt};

use cosell_mapping::{CrmFields, ObjectMapping, Plan, Side};
use cosell_model::{
    EngagementId, InvitationId, Kind, LeadId, OpportunityId, Record, api,
    life_cycle::{Acceptance, Standing},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::correct::Correction;

/// A name under which a link is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKey {
    /// An opportunity at AWS.
    Opportunity(OpportunityId),
    /// A lead at AWS.
    Lead(LeadId),
    /// An invitation from AWS.
    Invitation(InvitationId),
    /// An engagement by which AWS shares a lead.
    Engagement(EngagementId),
    /// An engagement by which AWS refers an opportunity.
    Project(EngagementId),
    /// A record of the CRM.
    Crm(CrmRef),
    /// A record of the CRM that is being made, by a digest of what it will be found by.
    Making(CrmRef),
}

impl fmt::Display for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opportunity(id) => write!(f, "opportunity#{id}"),
            Self::Lead(id) => write!(f, "lead#{id}"),
            Self::Invitation(id) => write!(f, "invitation#{id}"),
            Self::Engagement(id) => write!(f, "engagement#{id}"),
            Self::Project(id) => write!(f, "project#{id}"),
            Self::Crm(CrmRef { object, id }) => write!(f, "crm#{object}#{id}"),
            Self::Making(CrmRef { object, id }) => write!(f, "making#{object}#{id}"),
        }
    }
}

/// A record of the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CrmRef {
    /// The object.
    pub object: String,
    /// The identifier.
    pub id: String,
}

impl CrmRef {
    /// A record of a mapped object.
    pub fn of(object: &ObjectMapping, id: &str) -> Self {
        Self { object: object.object.clone(), id: id.to_owned() }
    }
}

impl fmt::Display for CrmRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.id)
    }
}

/// How far sharing a CRM record with AWS is. Each step is stored before the next begins, and the token and body of a
/// creation before it is sent, so that a repetition is the same call again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The body of `CreateOpportunity`, its token included.
    pub body: Json,
    /// The token of the submission.
    pub submit_token: String,
    /// How AWS is to be involved.
    pub involvement: String,
    /// How much its sellers are to see.
    #[serde(default = "full")]
    pub visibility: String,
    /// What is associated: (entity type, identifier).
    #[serde(default)]
    pub associated: Vec<(String, String)>,
    /// Whether it is submitted.
    #[serde(default)]
    pub submitted: bool,
}

impl Share {
    /// The share of an opportunity that AWS has already: it need not be created.
    pub fn of_existing(ours: &Record) -> Self {
        Self {
            body: Json::Null,
            submit_token: uuid::Uuid::new_v4().to_string(),
            involvement: api::involvement(ours).to_owned(),
            visibility: api::visibility(ours).to_owned(),
            associated: Vec::new(),
            submitted: false,
        }
    }
}

fn full() -> String {
    "Full".to_owned()
}

/// What reps did to the check box by which they share a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tick {
    /// Nobody was seen to tick it: the record came from AWS, was linked otherwise, or went by itself.
    #[default]
    Never,
    /// It is ticked.
    Given,
    /// It was ticked and is not any more, and that was said: nothing is sent to AWS.
    TakenBack,
}

/// Where a referral stands with us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// How it was answered.
    pub status: Acceptance,
    /// The token of the acceptance.
    pub accept_token: String,
    /// Until when it can be answered.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Whether somebody was warned that this is soon.
    #[serde(default)]
    pub warned: bool,
    /// The rule that answered it in the rep's place.
    #[serde(default)]
    pub rule: Option<String>,
}

/// How far turning a lead into an opportunity is. It is stored before it begins, so that a repetition is the same call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// The token of the task.
    pub token: String,
    /// The opportunity that AWS made of it.
    #[serde(default)]
    pub opportunity: Option<OpportunityId>,
}

/// Where a record is on its way to AWS in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It waits for the next file.
    Waiting,
    /// It is in this file, of which AWS has not said yet what it made.
    InFile(String),
    /// AWS has answered.
    Answered,
    /// AWS has refused it, and will again unless somebody edits it.
    Refused,
}

/// A record on its way to AWS in a file. At most one at a time: what changes meanwhile goes after AWS's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// What the file says of it, as [`Record::to_json`] writes it.
    pub record: Map<String, Json>,
    /// Where it is.
    pub stage: Stage,
    /// When it was first to go.
    pub since: Timestamp,
    /// How often it went again because of an error that may pass by itself.
    #[serde(default)]
    pub retries: u32,
    /// Whether it goes in a file of its own: AWS refused the whole of one that it was in.
    #[serde(default)]
    pub alone: bool,
}

/// What belongs together: a record at AWS, a record in the CRM, and what both said when they last agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The key that it was first stored under; it never changes.
    pub born_as: LinkKey,
    /// Counts every store; 0 is not stored yet.
    pub version: u64,
    /// Every key that leads here.
    pub keys: Vec<LinkKey>,
    /// The last common snapshot, as [`Record::to_json`] writes it.
    #[serde(default)]
    pub base: Map<String, Json>,
    /// Values that were sent to AWS, of which nobody knows yet whether they arrived.
    #[serde(default)]
    pub to_aws: Map<String, Json>,
    /// Values that were sent to the CRM, of which nobody knows yet whether they arrived.
    #[serde(default)]
    pub to_crm: Map<String, Json>,
    /// AWS's `LastModifiedDate` of the last read or write, verbatim.
    #[serde(default)]
    pub last_modified: Option<String>,
    /// A share under way or done.
    #[serde(default)]
    pub share: Option<Share>,
    /// The referral behind it.
    #[serde(default)]
    pub referral: Option<Referral>,
    /// What becomes of a lead.
    #[serde(default)]
    pub conversion: Option<Conversion>,
    /// The review's last known status.
    #[serde(default)]
    pub review: Option<String>,
    /// When AWS was asked for what was last brought into the CRM: what rang well before that is in it.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// Whether somebody deleted the CRM's record, and that was said.
    #[serde(default)]
    pub unlinked: bool,
    /// What reps did to the CRM's check box of sharing.
    #[serde(default)]
    pub tick: Tick,
    /// Its way to AWS in a file.
    #[serde(default)]
    pub shipment: Option<Shipment>,
    /// What AWS's last file said of how it stands ([`Standing::FIELDS`]): what goes by files is not read before it is written.
    #[serde(default)]
    pub stands: Map<String, Json>,
    /// What people have corrected, by field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<String, Correction>,
    /// Until when a function that writes it to the CRM keeps others from doing the same.
    #[serde(default)]
    pub claimed_until: Option<Timestamp>,
}

impl Link {
    /// A link that nobody stored yet.
    pub fn new(key: LinkKey) -> Self {
        Self {
            born_as: key.clone(),
            version: 0,
            keys: vec![key],
            base: Map::new(),
            to_aws: Map::new(),
            to_crm: Map::new(),
            last_modified: None,
            share: None,
            referral: None,
            conversion: None,
            review: None,
            read_at: None,
            unlinked: false,
            tick: Tick::Never,
            shipment: None,
            stands: Map::new(),
            corrections: BTreeMap::new(),
            claimed_until: None,
        }
    }

    /// Adds a key under which it is found from the next store on.
    pub fn also(&mut self, key: LinkKey) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// Forgets the CRM's record and what both agreed on: the next arrival makes a new one.
    pub fn without_crm(&mut self) {
        self.keys.retain(|key| !matches!(key, LinkKey::Crm(_)));
        self.without_base();
        self.unlinked = false;
    }

    /// Forgets what both agreed on, and what is on its way.
    pub(crate) fn without_base(&mut self) {
        self.base = Map::new();
        self.to_aws = Map::new();
        self.to_crm = Map::new();
    }

    /// What reps did to the check box by now. Who never ticked it has nothing to take back: referrals, and what was linked
    /// otherwise.
    pub(crate) fn ticked(&self, object: &ObjectMapping, crm: &CrmFields) -> Tick {
        match self.tick {
            known if self.referral.is_some() => known,
            Tick::Never if !object.is_ticked(crm) => Tick::Never,
            Tick::Given | Tick::TakenBack if object.stops(crm) => Tick::TakenBack,
            _ => Tick::Given,
        }
    }

    /// Notes that the CRM's record is there, which may have been in the recycle bin, and whether a rep shares it.
    pub(crate) fn seen(&mut self, ticked: bool) {
        self.unlinked = false;
        if ticked && self.tick == Tick::Never {
            self.tick = Tick::Given;
        }
    }

    /// The opportunity at AWS.
    pub fn opportunity(&self) -> Option<&OpportunityId> {
        self.keys.iter().find_map(|key| if let LinkKey::Opportunity(id) = key { Some(id) } else { None })
    }

    /// The invitation at AWS.
    pub fn invitation(&self) -> Option<&InvitationId> {
        self.keys.iter().find_map(|key| if let LinkKey::Invitation(id) = key { Some(id) } else { None })
    }

    /// The engagement at AWS.
    pub fn engagement(&self) -> Option<&EngagementId> {
        self.keys.iter().find_map(|key| if let LinkKey::Engagement(id) = key { Some(id) } else { None })
    }

    /// The lead at AWS, of which files tell.
    pub fn lead(&self) -> Option<&LeadId> {
        self.keys.iter().find_map(|key| if let LinkKey::Lead(id) = key { Some(id) } else { None })
    }

    /// The identifier of the opportunity or of the lead of a file, whichever is asked for.
    pub(crate) fn of_kind(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Opportunity => self.opportunity().map(OpportunityId::as_str),
            Kind::Lead => self.lead().map(LeadId::as_str),
        }
    }

    /// What kind of record it is, as far as files are concerned.
    pub fn kind(&self) -> Kind {
        if self.lead().is_some() { Kind::Lead } else { Kind::Opportunity }
    }

    /// The file that it is in, while AWS has not answered it.
    pub fn in_file(&self) -> Option<&str> {
        match &self.shipment.as_ref()?.stage {
            Stage::InFile(name) => Some(name),
            Stage::Waiting | Stage::Answered | Stage::Refused => None,
        }
    }

    /// Whether it waits for a file or is in one that AWS has not answered.
    pub fn is_shipping(&self) -> bool {
        self.shipment.as_ref().is_some_and(|shipment| matches!(shipment.stage, Stage::Waiting | Stage::InFile(_)))
    }

    /// Whether somebody is writing it to the CRM: a store in between would take the holder's own last one away.
    pub(crate) fn is_claimed(&self, now: Timestamp) -> bool {
        self.claimed_until.is_some_and(|until| until > now)
    }

    /// What AWS is known to have, of a record that goes by files.
    pub fn at_aws(&self, kind: Kind) -> Record {
        let mut aws = self.base(kind);
        for (field, value) in Record::from_json(kind, &self.stands).iter().flat_map(Record::iter) {
            aws.set(field, value.clone());
        }
        aws
    }

    /// What the CRM says that AWS has not heard, as far as is known without asking AWS: what it has is [`Self::at_aws`].
    pub(crate) fn edits<'m>(&self, object: &'m ObjectMapping, aws: &Record, ours: &Record) -> Plan<'m> {
        object.plan(&self.base(object.kind), aws, ours, Side::Crm)
    }

    /// Remembers how a record stands that AWS has sent in a file.
    pub(crate) fn shown(&mut self, aws: &Record) {
        let mut stands = Record::new(aws.kind());
        for field in Standing::FIELDS.iter().filter_map(|key| aws.kind().field(key)) {
            if let Some(value) = aws.get(field) {
                stands.set(field, value.clone());
            }
        }
        self.stands = members(&stands);
    }

    /// Whether it is a referral that nobody has answered.
    pub fn is_pending(&self) -> bool {
        self.referral.as_ref().is_some_and(|referral| referral.status == Acceptance::Pending)
    }

    /// The invitation, if it waits for an answer, or for the opportunity that its acceptance makes.
    pub fn open_invitation(&self) -> Option<&InvitationId> {
        let referral = self.referral.as_ref()?;
        let led_nowhere = self.opportunity().is_none() && self.engagement().is_none();
        self.invitation().filter(|_| match referral.status {
            Acceptance::Pending => true,
            Acceptance::Accepted => led_nowhere,
            Acceptance::Rejected | Acceptance::Expired => false,
        })
    }

    /// The record in the CRM.
    pub fn crm(&self) -> Option<&CrmRef> {
        self.keys.iter().find_map(|key| if let LinkKey::Crm(record) = key { Some(record) } else { None })
    }

    /// Whether this record of the CRM is missed when it is gone: another one may have taken its place, or it was said.
    pub fn misses(&self, record: &CrmRef) -> bool {
        !self.unlinked && self.crm() == Some(record)
    }

    /// The identifier that AWS's users know it by.
    pub fn ace_id(&self) -> Option<&str> {
        let lead = || self.lead().map(LeadId::as_str);
        let opportunity = self.opportunity().map(OpportunityId::as_str).or_else(lead);
        opportunity
            .or_else(|| self.engagement().map(EngagementId::as_str))
            .or_else(|| self.invitation().map(InvitationId::as_str))
    }

    /// The last common snapshot.
    pub fn base(&self, kind: Kind) -> Record {
        // What an older release stored and this one cannot read counts as never agreed on.
        Record::from_json(kind, &self.base).unwrap_or_else(|_| Record::new(kind))
    }

    /// The last common snapshot as both sides show it: a value that was sent before a write was cut, and that the other side
    /// says now, is no edit of that side's.
    pub fn agreed(&self, aws: &Record, crm: &Record) -> Record {
        let mut base = self.base(aws.kind());
        for (sent, receiver) in [(&self.to_aws, aws), (&self.to_crm, crm)] {
            for (field, value) in Record::from_json(aws.kind(), sent).iter().flat_map(Record::iter) {
                if receiver.get(field).is_some_and(|said| said.same(value)) {
                    base.set(field, value.clone());
                }
            }
        }
        base
    }

    /// Notes what is about to be sent to a side, before it is; what was sent earlier is in the plan's base if it arrived.
    pub fn sends(&mut self, plan: &Plan<'_>, receiver: Side, values: &Record) {
        self.set_base(&plan.base_after(values.kind(), |_| None));
        let sent = match receiver {
            Side::Aws => &mut self.to_aws,
            Side::Crm => &mut self.to_crm,
        };
        *sent = members(values);
    }

    /// Stores a snapshot. What it has is not on its way any more.
    pub fn set_base(&mut self, base: &Record) {
        self.base = members(base);
        for sent in [&mut self.to_aws, &mut self.to_crm] {
            sent.retain(|key, value| self.base.get(key).unwrap_or(&Json::Null) != value);
        }
    }
}

pub(crate) fn members(record: &Record) -> Map<String, Json> {
    match record.to_json() {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}
