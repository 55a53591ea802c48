//! From the file as it is written to a mapping that can be used, with everything that is wrong with it at once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use cosell_model::{
    Direction, Field, Kind, Value, Wire,
    catalog::{Required, Type},
};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Serialize, de::DeserializeOwned};
use serde_aux::serde_introspection::serde_introspect;
use serde_json::Value as Json;

use crate::{
    Answer, Arrival, ConvertFields, CrmValue, FieldMapping, Mapping, ObjectMapping, ReferralFields, ReferralRule,
    Related, Scope, Source, StatusFields, Unshared,
    file::{FileExchange, FullLine, OneOrMany, Part, RelatedWrite},
    hint::meant,
    way::Translation,
};

/// The version of the file's form that this release reads.
pub const VERSION: i64 = 1;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can be used, but probably not as meant.
    Warning,
}

/// One thing that is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, as a path of the file: `opportunity.fields.stage.values`.
    pub place: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "the file" } else { &self.place };
        write!(f, "{place}: {}", self.message)
    }
}

/// Everything that is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMapping(pub Vec<Finding>);

impl fmt::Display for InvalidMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mapping file has {} problem(s):", self.0.len())?;
        self.0.iter().try_for_each(|finding| write!(f, "\n- {finding}"))
    }
}

impl std::error::Error for InvalidMapping {}

impl Mapping {
    /// Reads a mapping file and checks it whole.
    pub fn parse(text: &str) -> Result<Self, InvalidMapping> {
        let (mapping, mut findings) = Self::read(text);
        findings.retain(|finding| finding.severity == Severity::Error);
        match mapping {
            Some(mapping) if findings.is_empty() => Ok(mapping),
            _ => Err(InvalidMapping(findings)),
        }
    }

    /// Reads a mapping file as far as it can be read, and says everything that is wrong with it, doubts included.
    pub fn read(text: &str) -> (Option<Self>, Vec<Finding>) {
        let mut reader = Reader { findings: Vec::new() };
        let mapping = match toml::from_str::<toml::Table>(text) {
            Ok(table) => reader.file(table),
            Err(cause) => {
                reader.error("", format!("it is not TOML: {}", cause.to_string().trim_end()));
                None
            }
        };
        (mapping, reader.findings)
    }
}

/// What is left to read of a table, and where it is.
struct Section {
    place: String,
    table: toml::Table,
}

impl Section {
    fn at(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }
}

struct Reader {
    findings: Vec<Finding>,
}

impl Reader {
    fn error(&mut self, place: &str, message: impl Into<String>) {
        self.find(Severity::Error, place, message);
    }

    fn warn(&mut self, place: &str, message: impl Into<String>) {
        self.find(Severity::Warning, place, message);
    }

    fn find(&mut self, severity: Severity, place: &str, message: impl Into<String>) {
        self.findings.push(Finding { severity, place: place.to_owned(), message: message.into() });
    }

    fn take<T: DeserializeOwned>(&mut self, section: &mut Section, key: &str) -> Option<T> {
        let value = section.table.remove(key)?;
        self.typed(&section.at(key), value)
    }

    fn typed<T: DeserializeOwned>(&mut self, place: &str, mut value: toml::Value) -> Option<T> {
        let options = serde_introspect::<T>();
        if let toml::Value::Table(table) = &mut value
            && !options.is_empty()
        {
            let unknown: Vec<String> = table.keys().filter(|key| !options.contains(&key.as_str())).cloned().collect();
            for key in unknown {
                table.remove(&key);
                let meant = meant(&key, options.iter().copied());
                self.error(&format!("{place}.{key}"), format!("there is no such option{meant}"));
            }
        }
        match T::deserialize(value) {
            Ok(value) => Some(value),
            Err(cause) => {
                self.error(place, cause.to_string().trim_end().replace('\n', "; "));
                None
            }
        }
    }

    fn needed<T: DeserializeOwned>(&mut self, section: &mut Section, key: &str, example: &str) -> Option<T> {
        if section.table.contains_key(key) {
            return self.take(section, key);
        }
        self.error(&section.place, format!("`{key}` is missing; write {example}"));
        None
    }

    fn section(&mut self, section: &mut Section, key: &str) -> Option<Section> {
        let table = self.take(section, key)?;
        Some(Section { place: section.at(key), table })
    }

    fn all_typed<T: DeserializeOwned>(&mut self, section: Section) -> BTreeMap<String, T> {
        let Section { place, table } = section;
        let read = table.into_iter().filter_map(|(key, value)| {
            let value = self.typed(&format!("{place}.{key}"), value)?;
            Some((key, value))
        });
        read.collect()
    }

    fn nothing_left(&mut self, section: &Section, known: &[&str]) {
        for key in section.table.keys() {
            self.error(&section.at(key), format!("there is no such option{}", meant(key, known.iter().copied())));
        }
    }

    fn file(&mut self, table: toml::Table) -> Option<Mapping> {
        let mut top = Section { place: String::new(), table };
        match self.needed::<i64>(&mut top, "version", "`version = 1` at the top") {
            Some(VERSION) | None => {}
            Some(other) => {
                self.error("version", format!("{other} is no version that this release reads; write {VERSION}"));
            }
        }
        let opportunity = self.section(&mut top, "opportunity");
        if opportunity.is_none() && self.findings.iter().all(|finding| finding.place != "opportunity") {
            self.error("", "the section `[opportunity]` is missing; begin with one of the shipped presets");
        }
        let files: FileExchange = self.take(&mut top, "files").unwrap_or_default();
        let retry = self.take(&mut top, "retry").unwrap_or_default();
        let wire = if files.opportunities { Wire::File(files.payload) } else { Wire::Api };
        let opportunity = opportunity.and_then(|section| self.object(Kind::Opportunity, wire, section));
        let lead = self.section(&mut top, "lead").map(|section| self.object(Kind::Lead, Wire::Api, section));
        self.nothing_left(&top, &["version", "opportunity", "lead", "files", "retry"]);
        Some(Mapping { opportunity: opportunity?, lead: lead.flatten(), files, retry })
    }

    fn object(&mut self, kind: Kind, wire: Wire, mut section: Section) -> Option<ObjectMapping> {
        let object =
            self.needed::<String>(&mut section, "object", "the CRM's object, for example `object = \"Opportunity\"`");
        let ace_id = self.needed::<String>(
            &mut section,
            "ace_id",
            "the CRM's field that keeps AWS's identifier, for example `ace_id = \"ACE_Opportunity_Id__c\"`",
        );
        let share: Option<String> = self.take(&mut section, "share");
        let share_when: BTreeMap<String, OneOrMany<CrmValue>> =
            self.take(&mut section, "share_when").unwrap_or_default();
        let unshared: Option<Unshared> = self.take(&mut section, "unshared");
        let template = self.take(&mut section, "template");
        let dummy_ids = self.take(&mut section, "dummy_ids");
        let deleted = self.take(&mut section, "deleted").unwrap_or_default();
        let referral: Option<ReferralFields> = self.take(&mut section, "referral");
        let convert: Option<ConvertFields> = self.take(&mut section, "convert");
        let status: StatusFields = self.take(&mut section, "status").unwrap_or_default();
        let defaults: BTreeMap<String, CrmValue> = self.take(&mut section, "defaults").unwrap_or_default();
        let related = self.section(&mut section, "related").map(|section| self.all_typed(section)).unwrap_or_default();
        let only_crm: BTreeMap<String, OneOrMany<CrmValue>> = self.take(&mut section, "only_crm").unwrap_or_default();
        let only_aws: BTreeMap<String, OneOrMany<String>> = self.take(&mut section, "only_aws").unwrap_or_default();
        let place = section.place.clone();
        let lines = self.section(&mut section, "fields");
        if lines.is_none() {
            self.error(&place, format!("the section `[{place}.fields]` is missing; it says which field is which"));
        }
        self.nothing_left(
            &section,
            &[
                "object",
                "ace_id",
                "share",
                "share_when",
                "unshared",
                "template",
                "dummy_ids",
                "deleted",
                "referral",
                "convert",
                "status",
                "defaults",
                "related",
                "only_crm",
                "only_aws",
                "fields",
            ],
        );
        let scope = Scope { crm: conditions(only_crm), aws: self.only_aws(kind, &place, only_aws), dummy_ids };
        self.related(&place, &related);
        let fields =
            lines.map(|lines| self.lines(kind, &lines.place.clone(), lines.table, &related)).unwrap_or_default();
        if unshared.is_some() && share.is_none() {
            self.error(&format!("{place}.unshared"), "without `share` there is no check box to clear; name it");
        }
        if convert.is_some() && kind == Kind::Opportunity {
            self.error(&format!("{place}.convert"), "only leads are converted; remove the section");
        }
        if let Some(referral) = &referral {
            self.referral_rules(kind, &format!("{place}.referral.rules"), &referral.rules);
        }
        let mapping = ObjectMapping {
            kind,
            wire,
            object: object?,
            ace_id: ace_id?,
            share,
            share_when: conditions(share_when),
            unshared: unshared.unwrap_or_default(),
            template,
            deleted,
            referral,
            convert,
            status,
            defaults,
            scope,
            related,
            fields,
        };
        self.overlaps(&place, &mapping);
        Some(mapping)
    }

    /// Rules that can never fit, or that AWS would not take the answer of.
    fn referral_rules(&mut self, kind: Kind, place: &str, rules: &[ReferralRule]) {
        for (number, rule) in rules.iter().enumerate() {
            let place = format!("{place}[{number}]");
            let ReferralRule { name: _, answer, reason, country, industry, sender, spend_from, spend_to } = rule;
            for (key, values) in [("country", country), ("industry", industry)] {
                let place = format!("{place}.{key}");
                let Some(field) = values.as_ref().and_then(|_| self.ace_field(kind, &place, key)) else { continue };
                for value in values.iter().flatten() {
                    self.ace_value(&place, field, value);
                }
            }
            if *answer == Answer::Accept && reason.is_some() {
                self.error(&format!("{place}.reason"), "an acceptance gives no reason; remove it");
            }
            if let Some(reason) = reason
                && let Some(field) = Kind::Opportunity.field("rejectionReason")
            {
                self.ace_value(&format!("{place}.reason"), field, reason);
            }
            if kind == Kind::Lead && (spend_from.is_some() || spend_to.is_some()) {
                self.error(&place, "a lead has no expected spend; remove `spend_from` and `spend_to`");
            }
            if spend_from.zip(*spend_to).is_some_and(|(from, to)| from > to) {
                self.error(&place, "`spend_from` is more than `spend_to`: the rule fits nothing");
            }
            if country.is_none() && industry.is_none() && sender.is_none() && spend_from.is_none() && spend_to.is_none()
            {
                self.warn(
                    &place,
                    "the rule names no condition: it answers every referral that no rule before it answers",
                );
            }
        }
    }

    fn only_aws(
        &mut self,
        kind: Kind,
        place: &str,
        conditions: BTreeMap<String, OneOrMany<String>>,
    ) -> Vec<(&'static Field, Vec<String>)> {
        let mut read = Vec::new();
        for (key, values) in conditions {
            let place = format!("{place}.only_aws.{key}");
            let Some(field) = self.ace_field(kind, &place, &key) else { continue };
            for value in values.as_slice() {
                self.ace_value(&place, field, value);
            }
            read.push((field, values.as_slice().to_vec()));
        }
        read
    }

    fn related(&mut self, place: &str, related: &BTreeMap<String, Related>) {
        for (name, Related { object, lookup, write, matches, default, template, .. }) in related {
            let place = format!("{place}.related.{name}");
            if *write == RelatedWrite::Never {
                if template.is_some() || default.is_some() || !matches.is_empty() {
                    self.warn(
                        &place,
                        "nothing is written to it, so `match`, `template` and `default` mean nothing; set `write`",
                    );
                }
                continue;
            }
            if object.is_empty() || lookup.is_empty() {
                self.error(&place, "to write to it say which `object` it is and which `lookup` field refers to it");
            }
            if *write == RelatedWrite::Create && matches.is_empty() {
                self.error(&place, "to create records name under `match` the fields by which one that exists is found: else every deal makes a new one");
            }
        }
    }

    fn lines(
        &mut self,
        kind: Kind,
        place: &str,
        lines: toml::Table,
        related: &BTreeMap<String, Related>,
    ) -> Vec<FieldMapping> {
        let mut fields = Vec::new();
        for (key, line) in lines {
            let place = format!("{place}.{key}");
            let Some(ace) = self.ace_field(kind, &place, &key) else { continue };
            let line = match line {
                toml::Value::String(crm) => Some(FullLine { crm: Some(OneOrMany::One(crm)), ..FullLine::default() }),
                table @ toml::Value::Table(_) => self.typed(&place, table),
                _ => {
                    self.error(&place, "write the CRM's field (`\"Name\"`) or a table (`{ crm = \"Name\", … }`)");
                    None
                }
            };
            fields.extend(line.and_then(|line| self.line(&place, ace, line, related)));
        }
        fields
    }

    fn ace_field(&mut self, kind: Kind, place: &str, key: &str) -> Option<&'static Field> {
        let found = kind.field(key);
        if found.is_none() {
            let other = kind.fields().iter().find(|field| {
                field.newest_file().is_some_and(|file| file.eq_ignore_ascii_case(key)) || field.api == Some(key)
            });
            let meant = match other {
                Some(field) => format!(" (did you mean `{}`?)", field.key),
                None => meant(key, kind.fields().iter().map(|field| field.key)),
            };
            self.error(place, format!("ACE has no such field{meant}; see `cosell fields --kind {}`", kind.as_str()));
        }
        found
    }

    fn line(
        &mut self,
        place: &str,
        ace: &'static Field,
        line: FullLine,
        related: &BTreeMap<String, Related>,
    ) -> Option<FieldMapping> {
        let source = self.source(place, ace, &line)?;
        let direction = self.direction(place, ace, &line, &source, related);
        let sends = direction.sends();
        let receives = direction.receives() && !matches!(source, Source::Constant(_));
        let arrival = match (line.protect, line.only_when_empty) {
            (true, _) => Arrival::OnCreation,
            (false, true) => Arrival::WhenEmpty,
            (false, false) => Arrival::Always,
        };
        if line.protect && line.only_when_empty {
            self.error(place, "`protect` and `only_when_empty` exclude each other; keep one");
        }
        if arrival != Arrival::Always && !receives {
            self.warn(
                place,
                "AWS's value never comes here, so `protect` and `only_when_empty` mean nothing; remove them",
            );
        }
        if (line.default.is_some() || line.other.is_some()) && !sends {
            self.warn(place, "nothing of it goes to AWS, so `default` and `other` mean nothing; remove them");
        }
        let translation = self.translation(place, ace, line, direction);
        Some(FieldMapping { ace, source, direction, policy: translation.1, arrival, translation: translation.0 })
    }

    fn source(&mut self, place: &str, ace: &'static Field, line: &FullLine) -> Option<Source> {
        let paths = line.crm.as_ref().map_or(&[][..], OneOrMany::as_slice);
        for path in paths {
            if path.is_empty() || path.split('.').any(str::is_empty) {
                self.error(place, format!("`{path}` is no field; write its name, or a path such as `Account.Website`"));
            } else if path.split('.').count() > 3 {
                self.error(
                    place,
                    format!("`{path}` goes through more than two relations; add a formula field in the CRM"),
                );
            }
        }
        let separator = |text: &Option<String>| text.clone().unwrap_or_else(|| " ".to_owned());
        match (paths, &line.value, line.part) {
            ([], Some(value), _) => {
                let value = self.ace_value(place, ace, value)?;
                return Some(Source::Constant(value));
            }
            ([], None, _) => {
                self.error(place, "say where it is in the CRM (`crm`) or what AWS always gets (`value`)");
                return None;
            }
            (_, Some(_), _) => {
                self.error(place, "`crm` and `value` exclude each other; keep one");
                return None;
            }
            _ => {}
        }
        if line.split.is_some() && line.part.is_none() {
            self.error(place, "`split` needs `part = \"first\"` or `part = \"rest\"`");
        }
        if line.join.is_some() && paths.len() < 2 {
            self.error(place, "`join` needs several CRM fields: `crm = [\"FirstName\", \"LastName\"]`");
        }
        match (paths, line.part) {
            ([path], None) => Some(Source::Field(path.clone())),
            ([path], Some(part)) => Some(Source::Part { path: path.clone(), separator: separator(&line.split), part }),
            (_, Some(_)) => {
                self.error(place, "`part` takes one CRM field; several are joined");
                None
            }
            (paths, None) => Some(Source::Joined { paths: paths.to_vec(), separator: separator(&line.join) }),
        }
    }

    fn direction(
        &mut self,
        place: &str,
        ace: &'static Field,
        line: &FullLine,
        source: &Source,
        related: &BTreeMap<String, Related>,
    ) -> Direction {
        let possible = ace.direction();
        let said = line.direction;
        let foreign = source.paths().iter().filter(|path| path.contains('.'));
        let closed: Vec<&String> = foreign
            .filter(|path| {
                let (relation, field) = path.split_once('.').unwrap_or((path, ""));
                let writable = related.get(relation).is_some_and(|related| related.write != RelatedWrite::Never);
                !writable || field.contains('.')
            })
            .collect();
        if matches!(source, Source::Constant(_)) || (said.is_none() && !closed.is_empty()) {
            if !possible.sends() {
                self.error(place, "AWS sets this field, and a constant or a related record's field cannot receive it; remove the line");
            }
            return Direction::ToAws;
        }
        let direction = said.unwrap_or(possible);
        if direction.sends() && !possible.sends() {
            self.error(place, "AWS sets this field, it can only travel from_aws; remove `direction`");
        }
        if direction.receives() && !possible.receives() {
            self.error(place, "AWS never answers with this field, it can only travel to_aws; remove `direction`");
        }
        if direction.receives() {
            for path in closed {
                let (relation, field) = path.split_once('.').unwrap_or((path, ""));
                let message = if field.contains('.') {
                    "is two relations away, which is too far to write to: set `direction = \"to_aws\"`".to_owned()
                } else {
                    format!(
                        "belongs to another record: set `direction = \"to_aws\"`, or allow `write` under `[….related.{relation}]`"
                    )
                };
                self.error(place, format!("`{path}` {message}"));
            }
        }
        direction
    }

    fn translation(
        &mut self,
        place: &str,
        ace: &'static Field,
        line: FullLine,
        direction: Direction,
    ) -> (Translation, crate::Policy) {
        let number = matches!(ace.ty, Type::Number { .. });
        if (line.divide.is_some() || line.round.is_some()) && !number {
            self.error(place, "`divide` and `round` are for amounts; this field is none");
        }
        if line.divide.is_some_and(|divisor| divisor <= Decimal::ZERO) {
            self.error(place, "`divide` must be greater than 0: 12 makes a monthly amount of a yearly one");
        }
        if line.cut && !matches!(ace.ty, Type::Text { max } if max < u16::MAX) {
            self.error(place, "`cut` is for texts that AWS limits; this field is none");
        }
        let zone = line.zone.as_ref().and_then(|name| {
            if ace.ty != Type::Date {
                self.error(place, "`zone` is for AWS's days; this field is none");
            }
            let zone = TimeZone::get(name).ok();
            if zone.is_none() {
                self.error(place, format!("there is no time zone `{name}`; write one such as `Europe/Berlin`"));
            }
            zone
        });
        let (to_ace, to_crm) = self.values(place, ace, &line, direction);
        if line.check_box && ace.ty != Type::YesNo && !(to_ace.contains_key("true") && to_ace.contains_key("false")) {
            self.error(
                place,
                "a check box is Yes or No; for another list say what it means: `values = { \"true\" = \"…\", \"false\" = \"…\" }`",
            );
        }
        if line.spelling == crate::file::Spelling::File && ace.ty.picklist().is_none() {
            self.error(place, "`spelling` is for values of AWS's lists; this field has none");
        }
        let default = line.default.as_ref().and_then(|text| self.ace_value(place, ace, text));
        if let Some(other) = &line.other {
            self.ace_value(place, ace, other);
        }
        let translation = Translation {
            steps: line.steps,
            cut: line.cut,
            divide: line.divide,
            round: line.round,
            zone,
            check_box: line.check_box,
            spelling: line.spelling,
            to_ace,
            to_crm,
            other: line.other,
            other_back: line.other_back,
            default,
            default_back: line.default_back,
        };
        (translation, line.policy)
    }

    /// The tables of named values: there, and back.
    fn values(
        &mut self,
        place: &str,
        ace: &'static Field,
        line: &FullLine,
        direction: Direction,
    ) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let mut to_ace = BTreeMap::new();
        let mut from: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (crm, named) in &line.values {
            if named.as_slice().is_empty() {
                self.error(&format!("{place}.values.{crm}"), "name AWS's value, or remove the line");
            }
            for (index, value) in named.as_slice().iter().enumerate() {
                self.ace_value(&format!("{place}.values.{crm}"), ace, value);
                if index == 0 {
                    to_ace.insert(crm.clone(), value.clone());
                }
                from.entry(value).or_default().push(crm);
            }
        }
        let mut to_crm = BTreeMap::new();
        for (value, names) in from {
            match (names.as_slice(), line.back.get(value)) {
                (_, Some(back)) => {
                    to_crm.insert(value.clone(), back.clone());
                }
                ([one], None) => {
                    to_crm.insert(value.clone(), (*one).clone());
                }
                (several, None) if direction.receives() => {
                    let names: Vec<_> = several.iter().map(|name| format!("`{name}`")).collect();
                    self.error(
                        place,
                        format!(
                            "{} all mean AWS's `{value}`; say which one the CRM gets: `back = {{ \"{value}\" = … }}`",
                            names.join(", ")
                        ),
                    );
                }
                _ => {}
            }
        }
        for (value, back) in &line.back {
            self.ace_value(&format!("{place}.back"), ace, value);
            to_crm.insert(value.clone(), back.clone());
        }
        (to_ace, to_crm)
    }

    /// A value of AWS's that the file names.
    fn ace_value(&mut self, place: &str, field: &'static Field, text: &str) -> Option<Value> {
        let list = field.ty.picklist();
        if let Some(list) = list
            && !list.has_in_files(text)
        {
            let meant = list.nearest(text).map_or_else(
                || format!("; `cosell picklist \"{}\"` shows it", list.name),
                |value| format!("; did you mean `{value}`?"),
            );
            self.error(place, format!("`{text}` is not in AWS's list of {}{meant}", list.name));
            return None;
        }
        match Value::parse(field.ty, &Json::String(text.to_owned())) {
            Ok(value) => value,
            Err(cause) => {
                self.error(place, format!("`{text}` is no value of this field: {cause}"));
                None
            }
        }
    }

    /// CRM fields that two lines, or a line and cosell itself, would write.
    fn overlaps(&mut self, place: &str, mapping: &ObjectMapping) {
        let mut writers: HashMap<&str, Vec<String>> = HashMap::new();
        let own = |key: &str| format!("{place}.{key}");
        writers.entry(&mapping.ace_id).or_default().push(own("ace_id"));
        let StatusFields { sync_status, sync_message, last_sync, pending } = &mapping.status;
        for (name, field) in [
            ("status.sync_status", sync_status),
            ("status.sync_message", sync_message),
            ("status.last_sync", last_sync),
            ("status.pending", pending),
        ] {
            if let Some(field) = field {
                writers.entry(field).or_default().push(own(name));
            }
        }
        if let Some(ReferralFields { invitation_id, status, accept_by, expiring, .. }) = &mapping.referral {
            for (name, field) in [
                ("invitation_id", Some(invitation_id)),
                ("status", Some(status)),
                ("accept_by", accept_by.as_ref()),
                ("expiring", expiring.as_ref()),
            ] {
                if let Some(field) = field {
                    writers.entry(field).or_default().push(own(&format!("referral.{name}")));
                }
            }
        }
        let mut parts = HashSet::new();
        for field in mapping.fields.iter().filter(|field| field.direction.receives()) {
            for path in field.source.paths() {
                // The two parts of one field are written together.
                let other_part = match &field.source {
                    Source::Part { part, .. } => {
                        let other = if *part == Part::First { Part::Rest } else { Part::First };
                        let known = parts.contains(&(path.as_str(), other as u8));
                        parts.insert((path.as_str(), *part as u8));
                        known
                    }
                    _ => false,
                };
                if !other_part {
                    writers.entry(path).or_default().push(format!("{place}.fields.{}", field.ace.key));
                }
            }
        }
        let mut twice: Vec<_> = writers.into_iter().filter(|(_, places)| places.len() > 1).collect();
        twice.sort();
        for (field, places) in twice {
            let others = places[..places.len() - 1].join(", ");
            let last = places[places.len() - 1].clone();
            self.error(
                &last,
                format!("the CRM field `{field}` is written by {others} too; make one of them to_aws, or remove it"),
            );
        }
    }
}

fn conditions(of: BTreeMap<String, OneOrMany<CrmValue>>) -> Vec<(String, Vec<CrmValue>)> {
    of.into_iter().map(|(path, values)| (path, values.as_slice().to_vec())).collect()
}

/// What of AWS's fields a mapping covers, and what would keep a record from being shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Every field of the kind.
    pub fields: usize,
    /// Those with a line.
    pub mapped: usize,
    /// Those that always travel: AWS wants them for a creation or a submission.
    pub required: usize,
    /// Those of them that have a source.
    pub required_mapped: usize,
    /// Those that AWS wants and that have none: a share is refused until every one has.
    pub blocking: Vec<&'static str>,
    /// Those that AWS wants only in a case, and that have no source.
    pub conditional: Vec<(&'static str, String)>,
}

impl ObjectMapping {
    /// What of AWS's fields this mapping covers.
    pub fn coverage(&self) -> Coverage {
        let source = |field: &Field| self.fields.iter().any(|line| line.ace == field && line.direction.sends());
        let fields = self.kind.fields();
        let required: Vec<_> = fields
            .iter()
            .filter(|field| matches!(field.required, Required::Create | Required::Submit) && field.default.is_none())
            // The CRM's identifier is cosell's own to give.
            .filter(|field| field.key != "partnerCrmLeadId")
            .collect();
        let (with, without): (Vec<&Field>, Vec<&Field>) = required.iter().partition(|field| source(field));
        let conditional = fields
            .iter()
            .filter(|field| matches!(field.required, Required::When(other, _) if self.fields.iter().any(|line| line.ace.key == other)))
            .filter(|field| !source(field))
            .map(|field| (field.key, field.required_when()));
        Coverage {
            fields: fields.len(),
            mapped: self.fields.len(),
            required: required.len(),
            required_mapped: with.len(),
            blocking: without.iter().map(|field| field.key).collect(),
            conditional: conditional.collect(),
        }
    }
}
