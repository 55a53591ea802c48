//! A first mapping file for an object whose fields carry ACE's names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::LazyLock,
};

use cosell_model::{
    Direction, Field, Kind, PayloadVersion,
    catalog::{Picklist, Required, Type},
};

use crate::{
    CrmField, CrmKind, Description, Mapping,
    fit::{self, Fit},
    hint::fold,
};

/// The shipped preset: its fields are documented, so an organization that followed it has them under these names.
const PRESET_TEXT: &str = include_str!("../presets/salesforce.toml");
static PRESET: LazyLock<Option<Mapping>> = LazyLock::new(|| Mapping::parse(PRESET_TEXT).ok());
/// Where the preset's part of leads begins.
const LEADS: &str = "\n[lead]\n";

/// Where else the customer of an opportunity usually is: ACE key, path.
const USUAL: [(&str, &str); 2] = [("customerWebsite", "Account.Website"), ("customerCompanyName", "Account.Name")];

/// The settings of an object beside its lines: key, simplified names by which a field for it is found.
const ACE_ID: [&str; 6] = ["apncrmuniqueidentifier", "opportunityid", "leadid", "id", "uniqueidentifier", "crmid"];
const SHARE: [&str; 4] = ["sharewithaws", "share", "sendtoaws", "submittoaws"];
const STATUS: [(&str, &[&str]); 4] = [
    ("sync_status", &["syncstatus"]),
    ("sync_message", &["syncmessage", "syncerror", "lasterror"]),
    ("last_sync", &["lastsync", "lastsynctime", "lastsyncdate"]),
    ("pending", &["pending", "pendingchanges", "pendingfields"]),
];

/// A whole mapping file to begin with, as text: the preset's part for the objects that the preset is for, a proposal for others.
pub fn begin(opportunity: &Description, lead: Option<&Description>) -> String {
    let (of_opportunities, of_leads) = PRESET_TEXT.split_once(LEADS).unwrap_or((PRESET_TEXT, ""));
    let part = |kind: Kind, own: &Description, preset: String| {
        let of_preset = PRESET.as_ref().and_then(|mapping| mapping.of(kind));
        if of_preset.is_some_and(|mapped| mapped.object == own.object) { preset } else { propose(kind, own) }
    };
    let mut text = part(Kind::Opportunity, opportunity, of_opportunities.to_owned());
    if let Some(lead) = lead {
        let lead = part(Kind::Lead, lead, format!("{}{of_leads}", LEADS.trim_start()));
        text = format!("{}\n\n{lead}", text.trim_end());
    }
    format!("{}\n", text.trim_end())
}

/// A proposed file, as text: lines for the fields whose names or labels are ACE's, and in comments what found no place. For
/// leads it is the part of a file that describes leads.
pub fn propose(kind: Kind, description: &Description) -> String {
    let taken = BTreeSet::new();
    let (lines, remarks, strange) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    Proposal { kind, description, taken, lines, remarks, strange }.written()
}

struct Proposal<'a> {
    kind: Kind,
    description: &'a Description,
    /// CRM fields that have a place.
    taken: BTreeSet<&'a str>,
    /// Lines by ACE key.
    lines: BTreeMap<&'static str, String>,
    /// Why a field that looked right has no line.
    remarks: BTreeMap<&'static str, String>,
    /// Values of the CRM's lists that AWS does not take, by ACE key.
    strange: BTreeMap<&'static str, String>,
}

impl<'a> Proposal<'a> {
    fn written(mut self) -> String {
        let own = self.settings();
        self.by(|field, crm| spellings(field).contains(&simple(&crm.name)));
        let preset = PRESET.as_ref().and_then(|preset| preset.of(self.kind));
        self.by(|field, crm| preset.and_then(|preset| preset.crm_name(field.key)) == Some(&crm.name));
        self.by(|field, crm| spellings(field).contains(&simple(&crm.label)));
        self.usual();
        format!("{own}{}{}", self.fields(), self.left())
    }

    /// The CRM field of one of these simplified names that suits, those that carry ACE in their name first.
    fn find(&self, names: &[&str], suits: impl Fn(&CrmField) -> bool) -> Option<&'a CrmField> {
        let called = |name: &str| {
            let alike = |field: &&CrmField| simple(&field.name) == name && is_free(field, &self.taken) && suits(field);
            let found = || self.description.fields.iter().filter(alike);
            found().find(|field| is_ours(field)).or_else(|| found().next())
        };
        names.iter().find_map(|name| called(name))
    }

    fn take(&mut self, names: &[&str], suits: impl Fn(&CrmField) -> bool) -> Option<&'a str> {
        let name = self.find(names, suits)?.name.as_str();
        self.taken.insert(name);
        Some(name)
    }

    fn settings(&mut self) -> String {
        let section = self.kind.as_str();
        let mut text = String::new();
        let mut line = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        line("# Proposed by `cosell mapping auto`: read every line, then run `cosell mapping check`.");
        match self.kind {
            Kind::Opportunity => line("version = 1"),
            Kind::Lead => line("# This part describes leads; it goes below the one of opportunities."),
        }
        line(&format!("\n[{section}]\nobject = {}", quoted(&self.description.object)));
        let is_key = |field: &CrmField| field.kind == CrmKind::Text && field.unique && field.updateable;
        match self.take(&ACE_ID, is_key) {
            Some(name) => line(&format!("ace_id = {}", quoted(name))),
            None => line(&format!(
                "ace_id = \"ACE_{}_Id__c\" # not found: make a text of 20 characters, external identifier, unique",
                if self.kind == Kind::Lead { "Lead" } else { "Opportunity" }
            )),
        }
        match self.take(&SHARE, |field| field.kind == CrmKind::Boolean) {
            Some(name) => line(&format!("share = {}", quoted(name))),
            None if self.kind == Kind::Opportunity => {
                line("# share = \"Share_With_AWS__c\" # not found: make a check box by which a rep shares a deal");
            }
            None => {}
        }
        let status: Vec<String> = STATUS
            .iter()
            .filter_map(|(key, names)| {
                let wanted = |field: &CrmField| match field.kind {
                    CrmKind::DateTime => *key == "last_sync",
                    CrmKind::Text | CrmKind::LongText => *key != "last_sync",
                    _ => false,
                };
                let name = self.take(names, |field| is_writable(field) && wanted(field))?;
                Some(format!("{key} = {}", quoted(name)))
            })
            .collect();
        if !status.is_empty() {
            line(&format!("\n[{section}.status]\n{}", status.join("\n")));
        }
        if let Some(referral) = self.referral() {
            line(&format!("\n[{section}.referral]\n{referral}"));
        }
        text
    }

    fn referral(&mut self) -> Option<String> {
        let text = |field: &CrmField| is_writable(field) && field.kind == CrmKind::Text;
        let invitation = self.find(&["invitationid"], |field| field.unique && text(field))?;
        let status = self.find(&["referralstatus", "invitationstatus"], text)?;
        let response = self.find(&["response", "referralresponse"], |field| field.kind == CrmKind::Picklist)?;
        let answer = |like: &str| response.values.iter().find(|value| fold(value).starts_with(like));
        let (accept, reject) = (answer("accept")?, answer("reject").or_else(|| answer("decline"))?);
        self.taken.extend([&invitation.name, &status.name, &response.name].map(String::as_str));
        let mut lines = vec![
            format!("invitation_id = {}", quoted(&invitation.name)),
            format!("status = {}", quoted(&status.name)),
            format!("response = {}", quoted(&response.name)),
            format!("accept = {}", quoted(accept)),
            format!("reject = {}", quoted(reject)),
        ];
        let until = self.take(&["acceptby"], |field| is_writable(field) && field.kind == CrmKind::DateTime);
        lines.extend(until.map(|name| format!("accept_by = {}", quoted(name))));
        let why = self.take(&["rejectionreason"], |field| matches!(field.kind, CrmKind::Text | CrmKind::Picklist));
        lines.extend(why.map(|name| format!("rejection_reason = {}", quoted(name))));
        Some(lines.join("\n"))
    }

    /// Gives every ACE field that has no line yet the CRM field that is like it.
    fn by(&mut self, like: impl Fn(&Field, &CrmField) -> bool) {
        for field in self.kind.fields().iter().filter(|field| field.key != "apnCrmUniqueIdentifier") {
            if self.lines.contains_key(field.key) {
                continue;
            }
            let found = || {
                let free = |crm: &&CrmField| is_free(crm, &self.taken);
                self.description.fields.iter().filter(free).filter(|crm| like(field, crm))
            };
            let candidate = found().find(|crm| is_ours(crm)).or_else(|| found().next());
            if let Some(crm) = candidate {
                self.place(field, &crm.name, crm);
            }
        }
    }

    fn usual(&mut self) {
        for (key, path) in USUAL {
            let relation = path.split_once('.').map_or(path, |(relation, _)| relation);
            let Some(field) = self.kind.field(key).filter(|field| !self.lines.contains_key(field.key)) else {
                continue;
            };
            if self.kind == Kind::Opportunity && self.description.relation(relation).is_some() {
                self.lines.insert(field.key, format!("{{ crm = {}, direction = \"to_aws\" }}", quoted(path)));
            }
        }
    }

    fn place(&mut self, field: &'static Field, path: &str, crm: &'a CrmField) {
        match line(field, path, crm) {
            Ok(line) => {
                self.taken.insert(&crm.name);
                self.remarks.remove(field.key);
                self.lines.insert(field.key, line);
                let strange = strange(field, crm);
                if !strange.is_empty() {
                    self.strange.insert(field.key, one_line(&strange.join(", ")));
                }
            }
            Err(remark) => {
                self.remarks.entry(field.key).or_insert(remark);
            }
        }
    }

    fn fields(&self) -> String {
        let known = self.kind.fields().iter().filter_map(|field| Some((field.key, self.lines.get(field.key)?)));
        let lines: String = known.fold(String::new(), |mut text, (key, line)| {
            let _ = writeln!(text, "{key} = {line}");
            text
        });
        format!("\n[{}.fields]\n{lines}", self.kind.as_str())
    }

    /// What found no place, on both sides.
    fn left(&self) -> String {
        let without = || self.kind.fields().iter().filter(|field| !self.lines.contains_key(field.key));
        let wanted =
            |field: &&Field| matches!(field.required, Required::Create | Required::Submit) && field.direction().sends();
        let mut text = String::new();
        let mut list = |head: &str, entries: Vec<(&str, String)>| {
            if entries.is_empty() {
                return;
            }
            let width = entries.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            let _ = writeln!(text, "\n# {head}");
            for (name, about) in entries {
                let _ = writeln!(text, "{}", format!("#   {name:width$}  {about}").trim_end());
            }
        };
        list(
            "Values of your lists that AWS does not take; lead them to AWS's with `values` or `other`:",
            self.strange.iter().map(|(key, values)| (*key, values.clone())).collect(),
        );
        let about = |field: &Field| {
            let remark = self.remarks.get(field.key).map_or_else(String::new, |remark| format!(" ({remark})"));
            one_line(&format!("{}{remark}", field.about))
        };
        let entry = |field: &'static Field| (field.key, about(field));
        list("ACE fields without a line that AWS wants:", without().filter(wanted).map(entry).collect());
        list("Other ACE fields without a line:", without().filter(|field| !wanted(field)).map(entry).collect());
        let free = self
            .description
            .fields
            .iter()
            .filter(|crm| is_free(crm, &self.taken) && (crm.createable || crm.updateable));
        let names: Vec<(String, String)> = free
            .map(|crm| (one_line(&crm.name), one_line(&format!("{} ({})", crm.label, fit::words(crm.kind)))))
            .collect();
        list(
            &format!("Fields of {} without a line:", one_line(&self.description.object)),
            names.iter().map(|(name, about)| (name.as_str(), about.clone())).collect(),
        );
        text
    }
}

/// The line's right side; or why there is none.
fn line(field: &Field, path: &str, crm: &CrmField) -> Result<String, String> {
    let (options, there, back) = match crm.kind {
        CrmKind::Boolean => (check_box(field).ok_or_else(|| unfit(crm))?, true, true),
        _ => (values(field, crm), fits(fit::sends(field.ty, crm.kind)), fits(fit::receives(field.ty, crm.kind))),
    };
    let possible = field.direction();
    let there = there && possible.sends();
    let back = back && possible.receives() && is_writable(crm);
    let direction = match (there, back) {
        (false, false) => return Err(unfit(crm)),
        (true, true) => Direction::Both,
        (true, false) => Direction::ToAws,
        (false, true) => Direction::FromAws,
    };
    let mut parts = vec![format!("crm = {}", quoted(path))];
    if direction != possible {
        parts.push(format!("direction = \"{}\"", direction.as_str()));
    }
    parts.extend(options);
    Ok(if parts.len() == 1 { quoted(path) } else { format!("{{ {} }}", parts.join(", ")) })
}

fn unfit(crm: &CrmField) -> String {
    let closed = if is_writable(crm) { "" } else { ", which cannot be written" };
    format!("{} is {}{closed}", crm.name, fit::words(crm.kind))
}

fn fits(fit: Fit) -> bool {
    fit != Fit::No
}

/// What a check box means: nothing to say for Yes and No, else the two values of a list that are called so.
fn check_box(field: &Field) -> Option<Vec<String>> {
    let own = "check_box = true".to_owned();
    if field.ty == Type::YesNo {
        return Some(vec![own]);
    }
    let list = field.ty.picklist()?;
    let values = [("true", list.nearest("Yes")?), ("false", list.nearest("No")?)];
    let named: Vec<String> = values.iter().map(|(state, value)| format!("\"{state}\" = {}", quoted(value))).collect();
    Some(vec![own, format!("values = {{ {} }}", named.join(", "))])
}

/// Options by which the CRM's values become AWS's.
fn values(field: &Field, crm: &CrmField) -> Vec<String> {
    let mut options = Vec::new();
    if field.ty == Type::Date && crm.kind == CrmKind::DateTime {
        options.push("zone = \"UTC\"".to_owned());
    }
    let Some(list) = field.ty.picklist().filter(|_| matches!(crm.kind, CrmKind::Picklist | CrmKind::MultiPicklist))
    else {
        return options;
    };
    let is_value = |value: &str| list.values().chain(list.none).any(|known| known == value);
    let spelled = |value: &&String| !is_value(value) && list.from_file(value) != value.as_str();
    let strange = crm.values.iter().filter(|value| !is_value(value)).count();
    let of_files = strange > 0 && crm.values.iter().filter(spelled).count() * 2 > strange;
    if of_files {
        options.push("spelling = \"file\"".to_owned());
    }
    let same = |value: &str| is_value(value) || (of_files && list.from_file(value) != value);
    options.extend(renamed(list, crm, same));
    options
}

/// `values` for those that differ in spelling only, and `back` where several mean the same.
fn renamed(list: &Picklist, crm: &CrmField, same: impl Fn(&str) -> bool) -> Vec<String> {
    let mut values = Vec::new();
    let mut meaning: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let all: BTreeSet<&String> = crm.values.iter().collect();
    for value in all {
        if same(value) {
            meaning.entry(list.from_file(value)).or_default().insert(0, value);
        } else if let Some(nearest) = list.nearest(value) {
            values.push(format!("{} = {}", quoted(value), quoted(nearest)));
            meaning.entry(nearest).or_default().push(value);
        }
    }
    if values.is_empty() {
        return Vec::new();
    }
    let several = meaning.iter().filter(|(_, names)| names.len() > 1);
    let back: Vec<String> = several.map(|(value, names)| format!("{} = {}", quoted(value), quoted(names[0]))).collect();
    let mut options = vec![format!("values = {{ {} }}", values.join(", "))];
    if !back.is_empty() {
        options.push(format!("back = {{ {} }}", back.join(", ")));
    }
    options
}

/// Values of the CRM's list that AWS takes in no spelling.
fn strange<'c>(field: &Field, crm: &'c CrmField) -> Vec<&'c str> {
    let Some(list) = field.ty.picklist().filter(|list| !list.open && field.direction().sends()) else {
        return Vec::new();
    };
    let taken = |value: &str| list.has_in_files(list.from_file(value)) || list.nearest(value).is_some();
    crm.values.iter().map(String::as_str).filter(|value| !taken(value)).collect()
}

fn is_free(field: &CrmField, taken: &BTreeSet<&str>) -> bool {
    // A dot would make a path of it.
    !taken.contains(field.name.as_str()) && !field.name.is_empty() && !field.name.contains('.')
}

fn is_writable(field: &CrmField) -> bool {
    field.createable && field.updateable
}

/// Whether the name says that the field was made for ACE.
fn is_ours(field: &CrmField) -> bool {
    field.name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("ACE_"))
}

/// Every simplified name of an ACE field.
fn spellings(field: &Field) -> Vec<String> {
    let in_files = [PayloadVersion::V1, PayloadVersion::V2].into_iter().filter_map(|version| field.file(version));
    let names = [Some(field.key), field.api].into_iter().flatten().chain(in_files);
    names.map(fold).collect()
}

/// A CRM's name without what says that it is a custom one, of a package or for ACE.
fn simple(name: &str) -> String {
    let own = name.strip_suffix("__c").unwrap_or(name);
    let own = own.rsplit_once("__").map_or(own, |(_, own)| own);
    let folded = fold(own);
    let ours =
        own.len() > 4 && own.is_char_boundary(4) && matches!(&own[..4].to_ascii_lowercase()[..], "ace_" | "ace ");
    if ours { folded.trim_start_matches("ace").to_owned() } else { folded }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's, but for the one character that only TOML forbids.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// A text that ends no comment.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check;

    fn list(name: &str, label: &str, values: &[&str]) -> CrmField {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        CrmField { values, ..CrmField::new(name, label, CrmKind::Picklist) }
    }

    fn org() -> Description {
        let read_only = |field: CrmField| CrmField { createable: false, updateable: false, ..field };
        let key = |field: CrmField| CrmField { unique: true, ..field };
        let fields = vec![
            read_only(CrmField::new("Id", "Record ID", CrmKind::Id)),
            CrmField::new("Name", "Name", CrmKind::Text),
            CrmField::new("CloseDate", "Close Date", CrmKind::DateTime),
            CrmField::new("NextStep", "Next", CrmKind::Text),
            CrmField::new("ACE_Next_Step__c", "What is next", CrmKind::Text),
            list("StageName", "Stage", &["prospect", "Prospect", "Closed-Lost", "Won"]),
            CrmField::new("Customer_Company_Name__c", "Customer", CrmKind::Text),
            CrmField::new("Web__c", "Customer Website", CrmKind::Url),
            list("ns__Country__c", "Country", &["Germany", "France", "Mars"]),
            CrmField::new("ACE_Industry__c", "Line of business", CrmKind::Boolean),
            list("IsOppFromMarketingActivity__c", "Marketing", &["Marketing Activity", "None"]),
            CrmField::new("Does_Opp_Belong_To_NatSec__c", "Secret", CrmKind::Boolean),
            read_only(CrmField::new("Use_Case__c", "Use Case", CrmKind::Text)),
            read_only(CrmField::new("Status__c", "Status", CrmKind::Text)),
            CrmField::new("Delivery_Model__c", "Delivery", CrmKind::Date),
            CrmField::new("Share_With_AWS__c", "Share", CrmKind::Boolean),
            key(CrmField::new("ACE_Opportunity_Id__c", "ACE Id", CrmKind::Text)),
            key(CrmField::new("ACE_Invitation_Id__c", "Invitation", CrmKind::Text)),
            CrmField::new("ACE_Referral_Status__c", "Referral", CrmKind::Text),
            list("ACE_Response__c", "Answer", &["Accepted", "Rejected"]),
            CrmField::new("ACE_Sync_Status__c", "Sync", CrmKind::Text),
            CrmField::new("Budget__c", "A \"budget\"\nof \\ many lines", CrmKind::Number(2)),
            CrmField {
                relation: Some("Account".into()),
                refers_to: vec!["Account".into()],
                ..CrmField::new("AccountId", "Account", CrmKind::Reference)
            },
        ];
        Description::new("Opportunity", "Deal", fields)
    }

    #[test]
    fn a_proposal_can_be_read_and_says_what_it_left_out() {
        let proposed = propose(Kind::Opportunity, &org());
        let mapping = Mapping::parse(&proposed).unwrap_or_else(|error| panic!("{proposed}\n{error}"));
        assert_eq!(mapping.opportunity.share.as_deref(), Some("Share_With_AWS__c"));
        assert_eq!(mapping.opportunity.crm_name("customerWebsite"), Some("Web__c"));
        insta::assert_snapshot!(proposed);
    }

    #[test]
    fn leads_are_a_part_of_a_file() {
        let fields = ["Company", "LastName", "Email", "ACE_Lead_Status_Reason__c"];
        let fields =
            fields.map(|name| CrmField::new(name, name, if name == "Email" { CrmKind::Email } else { CrmKind::Text }));
        let lead = Description::new("Lead", "Lead", fields.into());
        let both = format!("{}\n{}", propose(Kind::Opportunity, &org()), propose(Kind::Lead, &lead));
        let mapping = Mapping::parse(&both).unwrap_or_else(|error| panic!("{both}\n{error}"));
        let lead = mapping.lead.unwrap();
        assert_eq!(lead.crm_name("company"), Some("Company"));
        assert_eq!(lead.crm_name("leadStatusReason"), Some("ACE_Lead_Status_Reason__c"));
    }

    #[test]
    fn what_is_proposed_fits() {
        let mapping = Mapping::parse(&propose(Kind::Opportunity, &org())).unwrap();
        let findings = check(&mapping, &[org()]);
        let wrong =
            findings.iter().filter(|finding| finding.message.contains("is a") && finding.place.contains("fields"));
        assert_eq!(wrong.map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }

    fn any_kind() -> impl Strategy<Value = CrmKind> {
        prop::sample::select(vec![
            CrmKind::Text,
            CrmKind::Boolean,
            CrmKind::Picklist,
            CrmKind::MultiPicklist,
            CrmKind::DateTime,
            CrmKind::Number(0),
            CrmKind::Other,
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_an_object_has_the_proposal_can_be_read(
            strange in "\\PC{0,12}|[\"\\\\\n\u{7f}.]{1,3}",
            values in prop::collection::vec("\\PC{0,8}|prospect|Prospect|QUALIFIED|Germany|germany", 0..5),
            kinds in prop::collection::vec(any_kind(), 1..120),
            writable in any::<bool>(),
        ) {
            let keys = Kind::Opportunity.fields().iter().map(|field| format!("ACE_{}__c", field.key));
            let fields = keys.chain([strange.clone()]).zip(kinds).map(|(name, kind)| CrmField {
                values: if matches!(kind, CrmKind::Picklist | CrmKind::MultiPicklist) { values.clone() } else { vec![] },
                updateable: writable,
                unique: true,
                ..CrmField::new(&name, &strange, kind)
            });
            let description = Description::new(&format!("x{strange}"), &strange, fields.collect());
            let proposed = propose(Kind::Opportunity, &description);
            prop_assert!(Mapping::parse(&proposed).is_ok(), "{proposed}\n{:?}", Mapping::parse(&proposed));
        }
    }

    #[test]
    fn a_file_to_begin_with_is_the_presets_where_the_objects_are() {
        let object = |name: &str| Description::new(name, name, Vec::new());
        assert_eq!(begin(&object("Opportunity"), Some(&object("Lead"))), PRESET_TEXT);
        let alone = Mapping::parse(&begin(&object("Opportunity"), None)).unwrap();
        assert_eq!((alone.opportunity, alone.lead), (PRESET.clone().unwrap().opportunity, None));
        let other = Description { object: "Deal__c".into(), ..org() };
        let (mapping, _) = Mapping::read(&begin(&other, Some(&object("Lead"))));
        let mapping = mapping.unwrap();
        assert_eq!(mapping.opportunity.object, "Deal__c");
        assert_eq!(mapping.lead, PRESET.clone().unwrap().lead);
    }
}
