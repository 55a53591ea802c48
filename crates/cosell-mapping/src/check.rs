//! A mapping against what the CRM says about its objects: everything that would fail later, said before.

use std::collections::{BTreeMap, BTreeSet};

use cosell_model::{
    Field, Kind, Value,
    catalog::{Picklist, Required, Type},
};
use jiff::{Timestamp, civil::Date};

use crate::{
    Arrival, CrmField, CrmFields, CrmKind, CrmValue, Description, FieldMapping, Finding, Mapping, ObjectMapping,
    Related, RelatedWrite, Severity, Source, Untranslatable,
    file::{ConvertFields, ReferralFields, Spelling, StatusFields},
    fit::{self, Fit},
    hint::{fold, meant},
};

/// How many values of a list get a finding each; the others are named together.
const FEW: usize = 5;

/// What does not fit: ACE fields that AWS insists on and that have no source, and, where the objects of the CRM are
/// described, everything that these cannot give or take.
pub fn check(mapping: &Mapping, descriptions: &[Description]) -> Vec<Finding> {
    let objects = [Some(&mapping.opportunity), mapping.lead.as_ref()];
    objects.into_iter().flatten().flat_map(|object| Checker::run(object, descriptions)).collect()
}

/// What is at the end of a path.
enum Reached<'a> {
    Field(&'a CrmField),
    /// Nothing, and why.
    Nothing(String),
    /// An object that nobody described.
    Undescribed(String),
}

struct Checker<'a> {
    object: &'a ObjectMapping,
    descriptions: &'a [Description],
    undescribed: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn run(object: &'a ObjectMapping, descriptions: &'a [Description]) -> Vec<Finding> {
        let mut checker = Self { object, descriptions, undescribed: BTreeSet::new(), findings: Vec::new() };
        checker.sources();
        if !descriptions.is_empty() {
            match checker.described(&object.object) {
                Some(own) => checker.against(own),
                None => checker.warn(
                    "object",
                    format!(
                        "no description of `{}` is given, so nothing is checked against it{}",
                        object.object,
                        meant(&object.object, descriptions.iter().map(|other| other.object.as_str()))
                    ),
                ),
            }
        }
        checker.findings
    }

    fn against(&mut self, own: &'a Description) {
        self.written("object", own, true);
        self.ace_id(own);
        self.share(own);
        self.status(own);
        self.referral(own);
        self.convert(own);
        self.related(own);
        self.defaults("defaults", own, &self.object.defaults);
        for (section, conditions) in [("only_crm", &self.object.scope.crm), ("share_when", &self.object.share_when)] {
            for (path, values) in conditions {
                self.condition(own, &format!("{section}.{path}"), path, values);
            }
        }
        for field in &self.object.fields {
            self.line(own, field);
        }
        self.required(own);
        for object in std::mem::take(&mut self.undescribed) {
            self.warn("object", format!("no description of `{object}` is given, so its fields are not checked"));
        }
    }

    fn error(&mut self, place: &str, message: impl Into<String>) {
        self.find(Severity::Error, place, message);
    }

    fn warn(&mut self, place: &str, message: impl Into<String>) {
        self.find(Severity::Warning, place, message);
    }

    fn find(&mut self, severity: Severity, place: &str, message: impl Into<String>) {
        let place = format!("{}.{place}", self.object.kind.as_str());
        self.findings.push(Finding { severity, place, message: message.into() });
    }

    /// ACE fields that AWS insists on. Leads come from AWS: without a way to share one, none is ever made there.
    fn sources(&mut self) {
        let kind = self.object.kind;
        let shared = self.object.share.is_some();
        if kind == Kind::Lead && !shared {
            return;
        }
        let severity = if shared { Severity::Error } else { Severity::Warning };
        for key in self.object.coverage().blocking {
            let when = match kind.field(key).map(|field| field.required) {
                Some(Required::Submit) => "before it can be submitted",
                _ => "to create it",
            };
            let message =
                format!("AWS wants this of every {} {when}, and nothing is sent: add a line for it", kind.as_str());
            self.find(severity, &format!("fields.{key}"), message);
        }
    }

    fn described(&self, object: &str) -> Option<&'a Description> {
        self.descriptions.iter().find(|description| description.object.eq_ignore_ascii_case(object))
    }

    fn reach(&self, at: &'a Description, path: &str) -> Reached<'a> {
        let Some((relation, rest)) = path.split_once('.') else {
            let names = at.fields.iter().map(|field| field.name.as_str());
            return at.field(path).map_or_else(
                || Reached::Nothing(format!("`{}` has no field `{path}`{}", at.object, meant(path, names))),
                Reached::Field,
            );
        };
        let Some(reference) = at.relation(relation) else {
            return Reached::Nothing(no_relation(at, relation));
        };
        let mut answer = Reached::Undescribed(reference.refers_to.join(" or "));
        for object in &reference.refers_to {
            let Some(other) = self.described(object) else { continue };
            match self.reach(other, rest) {
                found @ Reached::Field(_) => return found,
                // With several objects, one that nobody described may have it.
                other if reference.refers_to.len() == 1 => answer = other,
                _ => {}
            }
        }
        answer
    }

    /// The CRM's field at a path. That there is none is said.
    fn field(&mut self, place: &str, own: &'a Description, path: &str) -> Option<&'a CrmField> {
        match self.reach(own, path) {
            Reached::Field(field) => return Some(field),
            Reached::Nothing(why) => self.error(place, why),
            Reached::Undescribed(object) => {
                self.undescribed.insert(object);
            }
        }
        None
    }

    /// A field that cosell alone writes.
    fn own_field(&mut self, place: &str, own: &'a Description, name: Option<&String>) -> Option<&'a CrmField> {
        let field = self.field(place, own, name?)?;
        if !(field.createable && field.updateable) {
            self.error(place, format!("cosell writes `{}`, and {}", field.name, closed(field)));
        }
        Some(field)
    }

    /// Whether cosell's user may write an object's records at all.
    fn written(&mut self, place: &str, object: &Description, creates: bool) {
        let refused = match (object.createable || !creates, object.updateable) {
            (true, true) => return,
            (true, false) => "change",
            (false, true) => "create",
            (false, false) => "create or change",
        };
        let name = &object.object;
        self.error(place, format!("cosell's user may not {refused} records of `{name}`: give it the right in the CRM"));
    }

    fn ace_id(&mut self, own: &'a Description) {
        let Some(field) = self.own_field("ace_id", own, Some(&self.object.ace_id)) else { return };
        self.unique("ace_id", field);
        let longest = match self.object.kind.field("apnCrmUniqueIdentifier").map(|id| id.ty) {
            Some(Type::Text { max }) => max,
            _ => 20,
        };
        self.identifier("ace_id", field, longest.into());
    }

    /// By this field a record is found again: two with one value would be one too many.
    fn unique(&mut self, place: &str, field: &CrmField) {
        if !field.unique {
            self.error(
                place,
                format!("`{}` must be unique: make it a unique external identifier in the CRM", field.name),
            );
        }
    }

    fn identifier(&mut self, place: &str, field: &CrmField, longest: u32) {
        if field.kind != CrmKind::Text {
            self.error(place, format!("`{}` is {}, and it must be a text", field.name, fit::words(field.kind)));
        } else if let Some(length) = field.length.filter(|length| *length < longest) {
            self.error(
                place,
                format!("`{}` has {length} characters, and AWS's identifiers up to {longest}: lengthen it", field.name),
            );
        }
    }

    fn share(&mut self, own: &'a Description) {
        let Some(name) = &self.object.share else { return };
        let Some(field) = self.field("share", own, name) else { return };
        self.must_tick("share", field);
    }

    fn must_tick(&mut self, place: &str, field: &CrmField) {
        if field.kind != CrmKind::Boolean {
            let message = format!("`{}` is {}, and it must be a check box", field.name, fit::words(field.kind));
            self.error(place, message);
        }
    }

    fn convert(&mut self, own: &'a Description) {
        let Some(ConvertFields { when, opportunity }) = &self.object.convert else { return };
        if let Some(field) = self.field("convert.when", own, when) {
            self.must_tick("convert.when", field);
        }
        let place = "convert.opportunity";
        if let Some(field) = self.field(place, own, opportunity).filter(|field| field.kind != CrmKind::Reference) {
            let message = format!("`{opportunity}` is {}, and it must refer to an opportunity", fit::words(field.kind));
            self.error(place, message);
        }
    }

    fn status(&mut self, own: &'a Description) {
        let StatusFields { sync_status, sync_message, last_sync, pending } = &self.object.status;
        let place = "status.sync_status";
        if let Some(field) = self.own_field(place, own, sync_status.as_ref()) {
            self.shows(place, field, &["Synced", "Waiting", "Action Required", "Stopped", "Error"]);
        }
        for (place, name) in [("status.sync_message", sync_message), ("status.pending", pending)] {
            if let Some(field) = self.own_field(place, own, name.as_ref()) {
                self.shows(place, field, &[]);
            }
        }
        let place = "status.last_sync";
        if let Some(field) = self.own_field(place, own, last_sync.as_ref()) {
            self.moment(place, field);
        }
    }

    fn referral(&mut self, own: &'a Description) {
        let Some(fields) = &self.object.referral else { return };
        let ReferralFields { invitation_id, status, accept_by, response, accept, reject, rejection_reason, .. } =
            fields;
        let place = "referral.invitation_id";
        if let Some(field) = self.own_field(place, own, Some(invitation_id)) {
            self.unique(place, field);
            self.identifier(place, field, 40);
        }
        let place = "referral.status";
        if let Some(field) = self.own_field(place, own, Some(status)) {
            self.shows(place, field, &["Pending", "Accepted", "Rejected", "Expired"]);
        }
        let place = "referral.accept_by";
        if let Some(field) = self.own_field(place, own, accept_by.as_ref()) {
            self.moment(place, field);
        }
        if let Some(field) = self.field("referral.response", own, response) {
            for (place, answer) in [("referral.accept", accept), ("referral.reject", reject)] {
                self.chosen(place, field, answer);
            }
        }
        if let Some(name) = rejection_reason {
            self.reasons("referral.rejection_reason", own, name);
        }
        let place = "referral.expiring";
        if let Some(field) = self.own_field(place, own, fields.expiring.as_ref()) {
            self.must_tick(place, field);
        }
    }

    /// Where a rep says why: what can be chosen goes to AWS as it is.
    fn reasons(&mut self, place: &str, own: &'a Description, name: &str) {
        let Some(field) = self.field(place, own, name) else { return };
        let Some(list) = self.object.kind.field("rejectionReason").and_then(|reason| reason.ty.picklist()) else {
            return;
        };
        for value in field.values.iter().filter(|value| !list.has(value)) {
            let mend = list.nearest(value).map_or_else(
                || format!("it takes {}", list.values().collect::<Vec<_>>().join(", ")),
                |nearest| format!("it spells it `{nearest}`"),
            );
            self.error(place, format!("`{name}` can be `{value}`, which AWS does not take as a reason; {mend}"));
        }
    }

    /// A text, or a list that has these values.
    fn shows(&mut self, place: &str, field: &CrmField, values: &[&str]) {
        match field.kind {
            CrmKind::Text | CrmKind::LongText => {}
            CrmKind::Picklist => values.iter().for_each(|value| self.listed(place, field, value)),
            other => self
                .error(place, format!("`{}` is {}, and cosell writes a text into it", field.name, fit::words(other))),
        }
    }

    fn moment(&mut self, place: &str, field: &CrmField) {
        if !matches!(field.kind, CrmKind::DateTime | CrmKind::Text) {
            self.error(
                place,
                format!("`{}` is {}, and it must have date and time", field.name, fit::words(field.kind)),
            );
        }
    }

    /// A value that the CRM gets must be in its list.
    fn listed(&mut self, place: &str, field: &CrmField, value: &str) {
        if let Some(meant) = unlisted(field, value) {
            let (severity, then) = outside(field);
            self.find(severity, place, format!("the list of `{}` has no `{value}`, {then}{meant}", field.name));
        }
    }

    /// A value that people choose must be in the list, or they never can.
    fn chosen(&mut self, place: &str, field: &CrmField, value: &str) {
        if let Some(meant) = unlisted(field, value) {
            self.error(place, format!("the list of `{}` has no `{value}`, so nobody can choose it{meant}", field.name));
        }
    }

    fn related(&mut self, own: &'a Description) {
        let object = self.object;
        for (name, related) in &object.related {
            let place = format!("related.{name}");
            let Some(reference) = own.relation(name) else {
                self.error(&place, no_relation(own, name));
                continue;
            };
            let Related { object, lookup, write, matches, defaults, .. } = related;
            if !lookup.is_empty() && !lookup.eq_ignore_ascii_case(&reference.name) {
                self.error(
                    &format!("{place}.lookup"),
                    format!("the field behind `{name}` is `{}`, not `{lookup}`", reference.name),
                );
            }
            if !object.is_empty() && reference.refers_to.iter().all(|other| !other.eq_ignore_ascii_case(object)) {
                let objects = reference.refers_to.join(" or ");
                self.error(&format!("{place}.object"), format!("`{name}` leads to {objects}, not to `{object}`"));
                continue;
            }
            if *write == RelatedWrite::Never {
                continue;
            }
            if !(reference.createable && reference.updateable) {
                self.error(&place, format!("cosell writes `{}`, and {}", reference.name, closed(reference)));
            }
            let Some(other) = self.described(object) else {
                self.undescribed.insert(object.clone());
                continue;
            };
            self.written(&format!("{place}.object"), other, *write == RelatedWrite::Create);
            for field in matches {
                self.matched(&place, name, other, field);
            }
            self.defaults(&format!("{place}.defaults"), other, defaults);
            if *write == RelatedWrite::Create && related.template.is_none() {
                self.required_of_related(&place, name, other, defaults);
            }
        }
    }

    /// A field by which a related record is found: it must exist, and AWS must have a value for it.
    fn matched(&mut self, place: &str, relation: &str, other: &'a Description, field: &str) {
        let place = format!("{place}.match");
        if self.field(&place, other, field).is_none() {
            return;
        }
        let path = format!("{relation}.{field}");
        if !self.arrives(&path) {
            self.error(
                &place,
                format!(
                    "no line brings AWS's value to `{path}`, so no record is ever found by it: map it, or take it out"
                ),
            );
        }
    }

    /// Whether a line writes AWS's value to this path.
    fn arrives(&self, path: &str) -> bool {
        let lines = self.object.fields.iter().filter(|field| field.direction.receives());
        lines.flat_map(|field| field.source.paths()).any(|own| own.eq_ignore_ascii_case(path))
    }

    fn defaults(&mut self, place: &str, at: &'a Description, defaults: &CrmFields) {
        for (name, value) in defaults {
            let place = format!("{place}.{name}");
            let Some(field) = self.field(&place, at, name) else { continue };
            if !field.createable {
                self.error(&place, format!("a new record gets this, and {}", closed(field)));
            }
            self.holds(&place, field, value);
        }
    }

    /// A value that the file gives to a CRM's field.
    fn holds(&mut self, place: &str, field: &CrmField, value: &CrmValue) {
        let text = value.as_text();
        let fits = match field.kind {
            CrmKind::Boolean => matches!(value, CrmValue::Bool(_)),
            CrmKind::Number(_) => matches!(value, CrmValue::Number(_)),
            CrmKind::Date => text.is_some_and(|text| text.parse::<Date>().is_ok()),
            CrmKind::DateTime => text.is_some_and(|text| text.parse::<Timestamp>().is_ok()),
            CrmKind::Id | CrmKind::Other => false,
            _ => text.is_some(),
        };
        if !fits && *value != CrmValue::Null {
            let example = match field.kind {
                CrmKind::Boolean => "; write true or false, without quotes",
                CrmKind::Number(_) => "; write a number, without quotes",
                CrmKind::Date => "; write a text such as \"2026-12-31\"",
                CrmKind::DateTime => "; write a text such as \"2026-12-31T10:00:00Z\"",
                _ => "",
            };
            self.error(
                place,
                format!("the value does not fit: `{}` is {}{example}", field.name, fit::words(field.kind)),
            );
        }
        let Some(text) = text else { return };
        match (field.kind, field.length) {
            (CrmKind::Picklist | CrmKind::MultiPicklist, _) => {
                text.split(';').map(str::trim).for_each(|item| self.listed(place, field, item));
            }
            (CrmKind::Text | CrmKind::LongText, Some(length)) if text.chars().count() > length as usize => {
                self.error(place, format!("the value is longer than the {length} characters of `{}`", field.name));
            }
            _ => {}
        }
    }

    fn condition(&mut self, own: &'a Description, place: &str, path: &str, values: &[CrmValue]) {
        let Some(field) = self.field(place, own, path) else { return };
        for value in values.iter().filter_map(CrmValue::as_text) {
            if let Some(meant) = unlisted(field, value) {
                self.warn(place, format!("the list of `{}` has no `{value}`{meant}", field.name));
            }
        }
    }

    fn line(&mut self, own: &'a Description, line: &FieldMapping) {
        let place = format!("fields.{}", line.ace.key);
        let whole = matches!(line.source, Source::Field(_));
        let mut lengths = Vec::new();
        for path in line.source.paths() {
            let Some(field) = self.field(&place, own, path) else { continue };
            if line.direction.receives() {
                self.writable(&place, path, field, line.arrival);
            }
            let kinds_fit =
                if whole { self.kinds(&place, line, field) } else { self.kinds_of_parts(&place, line, field) };
            if !kinds_fit {
                continue;
            }
            lengths.push(field);
            if whole {
                self.values(&place, line, field);
            }
        }
        self.lengths(&place, line, &lengths);
    }

    /// Whether AWS's value may be written into the CRM's field.
    fn writable(&mut self, place: &str, path: &str, field: &CrmField, arrival: Arrival) {
        let relation = path.split_once('.').map(|(relation, _)| relation);
        let write = relation.and_then(|name| self.object.related.get(name)).map(|related| related.write);
        let updated_only = write == Some(RelatedWrite::Update);
        match (field.createable, field.updateable) {
            (true, true) => {}
            (false, true) if updated_only => {}
            (true, false) if arrival == Arrival::OnCreation && !updated_only => {}
            (true, false) if !updated_only => self.error(
                place,
                format!("`{path}` can be set on a new record and never be changed: add `protect = true`"),
            ),
            (false, true) => self.warn(
                place,
                format!("`{path}` cannot be set on a new record; AWS's value only comes there with its next change"),
            ),
            _ => self.error(
                place,
                format!("AWS's value goes to `{path}`, and {}; or set `direction = \"to_aws\"`", closed(field)),
            ),
        }
    }

    fn kinds(&mut self, place: &str, line: &FieldMapping, field: &CrmField) -> bool {
        let FieldMapping { ace, direction, translation, .. } = line;
        let (name, kind) = (&field.name, fit::words(field.kind));
        if field.kind == CrmKind::Boolean {
            return self.check_box(place, line, name);
        }
        let before = self.findings.len();
        if translation.check_box {
            self.error(place, format!("`check_box` is set, and `{name}` is {kind}: take `check_box` out"));
        } else if ace.ty == Type::Date && field.kind == CrmKind::DateTime && translation.zone.is_none() {
            self.error(
                place,
                format!("`{name}` is {kind}, and AWS wants a day: say in which time zone, `zone = \"Europe/Berlin\"`"),
            );
        } else if direction.receives() && field.kind == CrmKind::Date && translation.zone.is_some() {
            self.error(place, format!("`zone` makes a moment of AWS's day, and `{name}` is {kind}: take `zone` out"));
        } else {
            let there = if direction.sends() { fit::sends(ace.ty, field.kind) } else { Fit::Yes };
            let back = if direction.receives() { fit::receives(ace.ty, field.kind) } else { Fit::Yes };
            self.fits(place, ace, field, there, back);
        }
        self.findings[before..].iter().all(|finding| finding.severity != Severity::Error)
    }

    fn fits(&mut self, place: &str, ace: &Field, field: &CrmField, there: Fit, back: Fit) {
        let (name, kind, wanted) = (&field.name, fit::words(field.kind), ace.ty.expects());
        if there == Fit::No {
            let other = "map another field, or a formula field that makes it of this one";
            self.error(place, format!("`{name}` is {kind}, and AWS wants {wanted}: {other}"));
        } else if back == Fit::No {
            let mend = if ace.is_writable() { "set `direction = \"to_aws\"`, or map" } else { "map" };
            self.error(place, format!("AWS sends {wanted}, and `{name}` is {kind}: {mend} another field"));
        }
        for fit in [there, back] {
            if let Fit::Doubt(why) = fit {
                self.warn(place, format!("`{name}` is {kind}: {why}"));
            }
        }
        let free = matches!(ace.ty, Type::Text { .. } | Type::Digits(_));
        let list = matches!(field.kind, CrmKind::Picklist | CrmKind::MultiPicklist) && field.restricted;
        if back == Fit::Yes && free && list {
            self.warn(
                place,
                format!("AWS's value is any text, and the CRM refuses what is not in the list of `{name}`: name a text field, or `other_back`"),
            );
        }
    }

    /// What a check box means must be known in both directions.
    fn check_box(&mut self, place: &str, line: &FieldMapping, name: &str) -> bool {
        let translation = &line.translation;
        let named = ["true", "false"].iter().all(|state| translation.to_ace.contains_key(*state));
        let list = line.ace.ty.picklist().is_some();
        if line.ace.ty != Type::YesNo && !named {
            let mend = if list {
                "say what it means: `check_box = true, values = { \"true\" = \"…\", \"false\" = \"…\" }`"
            } else {
                "map another field"
            };
            self.error(place, format!("`{name}` is a check box, and AWS has {}: {mend}", line.ace.ty.expects()));
            return false;
        }
        if line.direction.receives() && !translation.check_box {
            self.error(place, format!("`{name}` is a check box: add `check_box = true`"));
            return false;
        }
        true
    }

    /// Of several fields that are joined, and of one that is split, texts are made and taken.
    fn kinds_of_parts(&mut self, place: &str, line: &FieldMapping, field: &CrmField) -> bool {
        const TEXT: Type = Type::Text { max: u16::MAX };
        let (name, kind) = (&field.name, fit::words(field.kind));
        let read = !line.direction.sends() || fit::sends(TEXT, field.kind) == Fit::Yes;
        let written = !line.direction.receives() || fit::receives(TEXT, field.kind) == Fit::Yes;
        if !(read && written) {
            self.error(place, format!("`{name}` is {kind}, and only texts can be joined or split"));
        }
        read && written
    }

    fn lengths(&mut self, place: &str, line: &FieldMapping, fields: &[&CrmField]) {
        let texts = fields.iter().filter(|field| {
            matches!(field.kind, CrmKind::Text | CrmKind::LongText | CrmKind::Email | CrmKind::Phone | CrmKind::Url)
        });
        let Some(lengths) = texts.map(|field| field.length).collect::<Option<Vec<u32>>>() else { return };
        if lengths.is_empty() || lengths.len() < line.source.paths().len() {
            return;
        }
        let separators = match &line.source {
            Source::Joined { paths, separator } => (paths.len() - 1) * separator.chars().count(),
            _ => 0,
        };
        let own = lengths.iter().map(|length| *length as usize).sum::<usize>() + separators;
        let names = line.source.paths().join("`, `");
        let longest = longest(line);
        let part = matches!(line.source, Source::Part { .. });
        if line.direction.receives() && !part && longest.is_none_or(|longest| longest > own) {
            let theirs =
                longest.map_or_else(|| "can have any length".into(), |most| format!("can have {most} characters"));
            self.warn(
                place,
                format!("AWS's values {theirs}, those of `{names}` {own}: longer ones are refused by the CRM; lengthen the field"),
            );
        }
        if let Type::Text { max } = line.ace.ty
            && line.direction.sends()
            && !line.translation.cut
            && !part
            && own > max.into()
        {
            self.warn(
                place,
                format!("`{names}` can have {own} characters, AWS takes {max}: a longer text is refused; add `cut = true` to cut it"),
            );
        }
    }

    fn values(&mut self, place: &str, line: &FieldMapping, field: &CrmField) {
        let translation = &line.translation;
        if let Some(value) = &translation.default_back {
            self.holds(&format!("{place}.default_back"), field, value);
        }
        if !matches!(field.kind, CrmKind::Picklist | CrmKind::MultiPicklist) || field.values.is_empty() {
            return;
        }
        if let Some(value) = &translation.other_back {
            self.listed(&format!("{place}.other_back"), field, value);
        }
        let returned: BTreeSet<&String> = translation.to_crm.values().collect();
        for name in translation.to_ace.keys().filter(|name| !line.direction.receives() || !returned.contains(name)) {
            if let Some(meant) = unlisted(field, name) {
                self.warn(&format!("{place}.values"), format!("the list of `{}` has no `{name}`{meant}", field.name));
            }
        }
        if self.spelled_like_files(place, line, field) {
            return;
        }
        if line.direction.sends() {
            self.values_to_aws(place, line, field);
        }
        if line.direction.receives() {
            self.values_from_aws(place, line, field);
        }
    }

    /// A list of names (`Germany`) where the API has codes (`DE`): one word mends it.
    fn spelled_like_files(&mut self, place: &str, line: &FieldMapping, field: &CrmField) -> bool {
        let (Some(list), Spelling::Api) = (line.ace.ty.picklist(), line.translation.spelling) else { return false };
        let translated = |value: &String| line.translation.to_ace.contains_key(value) || is_value(list, value);
        let strange: Vec<&String> = field.values.iter().filter(|value| !translated(value)).collect();
        let spelled = strange.iter().filter(|value| list.from_file(value) != value.as_str()).count();
        let Some(example) = strange.iter().find(|value| list.from_file(value) != value.as_str()) else { return false };
        if line.translation.other.is_some() || spelled * 2 <= strange.len() {
            return false;
        }
        self.error(
            place,
            format!(
                "`{}` has the names of AWS's files (`{example}`), not the values of the API (`{}`): add `spelling = \"file\"`",
                field.name,
                list.from_file(example)
            ),
        );
        true
    }

    fn values_to_aws(&mut self, place: &str, line: &FieldMapping, field: &CrmField) {
        let mut strange = Vec::new();
        for value in &field.values {
            let name = &field.name;
            let record = line.source.paths().iter().map(|path| (path.clone(), CrmValue::Text(value.clone())));
            match line.to_ace(&record.collect()).map_err(|problem| problem.cause) {
                Err(Untranslatable::Unlisted { list, mend, .. }) => {
                    strange.push((
                        value.as_str(),
                        format!("`{name}` can be `{value}`, which is not in AWS's list of {list}; {mend}"),
                    ));
                }
                Err(Untranslatable::Malformed(cause)) => {
                    strange
                        .push((value.as_str(), format!("`{name}` can be `{value}`, which AWS does not take: {cause}")));
                }
                Ok(Some(Value::Text(text)))
                    if line.ace.ty == Type::YesNo && !["Yes", "No"].contains(&text.as_str()) =>
                {
                    strange.push((
                        value.as_str(),
                        format!("`{name}` can be `{value}`, and AWS takes `Yes` or `No`: add it under `values`"),
                    ));
                }
                Ok(_) => self.nearly(place, line, field, value),
            }
        }
        self.few(Severity::Error, place, strange, "AWS does not take");
    }

    /// A list that AWS may lengthen takes everything here; what differs in spelling only is hardly meant.
    fn nearly(&mut self, place: &str, line: &FieldMapping, field: &CrmField, value: &str) {
        let Some(list) = line.ace.ty.picklist().filter(|list| list.open) else { return };
        let sent = line.translation.to_ace.contains_key(value) || is_value(list, value);
        let spelled = line.translation.spelling == Spelling::File && list.from_file(value) != value;
        if let (false, false, Some(nearest)) = (sent, spelled, list.nearest(value)) {
            self.warn(
                place,
                format!(
                    "`{}` can be `{value}`; AWS spells it `{nearest}`: name it so, or add it under `values`",
                    field.name
                ),
            );
        }
    }

    fn values_from_aws(&mut self, place: &str, line: &FieldMapping, field: &CrmField) {
        let all: Vec<&'static str> = match (line.ace.ty, line.ace.ty.picklist()) {
            (Type::YesNo, _) => vec!["Yes", "No"],
            (_, Some(list)) => list.values().collect(),
            _ => return,
        };
        let (severity, then) = outside(field);
        let mut strange = Vec::new();
        for value in all {
            let CrmValue::Text(text) = line.to_crm(&Value::Text(value.to_owned())) else {
                continue;
            };
            if field.values.contains(&text) || line.translation.other_back.as_ref() == Some(&text) {
                continue;
            }
            let becomes = if text == value { String::new() } else { format!(" becomes `{text}`, which") };
            let mend = field.values.iter().find(|own| fold(own) == fold(&text)).map_or_else(
                || "add it there, or lead it to another value with `values` or `other_back`".to_owned(),
                |near| format!("add `values = {{ \"{near}\" = \"{value}\" }}`"),
            );
            strange.push((
                value,
                format!("AWS's `{value}`{becomes} is not in the list of `{}`, {then}: {mend}", field.name),
            ));
        }
        self.few(severity, place, strange, "the CRM's list does not have");
    }

    /// A finding for each of a few values, and one for all the others.
    fn few(&mut self, severity: Severity, place: &str, mut strange: Vec<(&str, String)>, others: &str) {
        let more = strange.split_off(strange.len().min(FEW));
        for (_, message) in strange {
            self.find(severity, place, message);
        }
        match more.as_slice() {
            [] => {}
            [(_, message)] => self.find(severity, place, message),
            [(first, _), .., (last, _)] => self.find(
                severity,
                place,
                format!("and {} more values that {others}, from `{first}` to `{last}`", more.len()),
            ),
        }
    }

    /// What the CRM wants of a new record.
    fn required(&mut self, own: &'a Description) {
        if self.object.template.is_some() {
            return;
        }
        let object = self.object;
        let ours = [Some(&object.ace_id), object.status.sync_status.as_ref()];
        let referral = object.referral.iter().flat_map(|fields| [&fields.invitation_id, &fields.status]);
        let ours: Vec<&String> = ours.into_iter().flatten().chain(referral).collect();
        let lookups = object.related.values().filter(|related| related.write != RelatedWrite::Never);
        let ours: Vec<&String> = ours.into_iter().chain(lookups.map(|related| &related.lookup)).collect();
        for field in own.fields.iter().filter(|field| field.required) {
            let name = &field.name;
            let given = ours.iter().any(|own| own.eq_ignore_ascii_case(name)) || has(&object.defaults, name);
            if !given && !self.arrives(name) {
                self.warn(
                    "defaults",
                    format!("the CRM wants `{name}` of every new record, so one that comes from AWS would be refused: give it a value here, or map it"),
                );
            }
        }
    }

    fn required_of_related(
        &mut self,
        place: &str,
        relation: &str,
        other: &Description,
        defaults: &BTreeMap<String, CrmValue>,
    ) {
        for field in other.fields.iter().filter(|field| field.required) {
            let name = &field.name;
            if !has(defaults, name) && !self.arrives(&format!("{relation}.{name}")) {
                self.warn(
                    &format!("{place}.defaults"),
                    format!("the CRM wants `{name}` of every new `{}`, so one that is created would be refused: give it a value here, or map `{relation}.{name}`", other.object),
                );
            }
        }
    }
}

fn has(values: &BTreeMap<String, CrmValue>, name: &str) -> bool {
    values.keys().any(|own| own.eq_ignore_ascii_case(name))
}

/// How many characters AWS's value can have, as the CRM gets it. `None` is any number.
fn longest(line: &FieldMapping) -> Option<usize> {
    const EMAIL: usize = 80;
    const PHONE: usize = 40;
    const URL: usize = 255;
    let shown = |text: &str| match line.to_crm(&Value::Text(text.to_owned())) {
        CrmValue::Text(text) => text.chars().count(),
        _ => 0,
    };
    match line.ace.ty {
        Type::Text { max: u16::MAX } | Type::History => None,
        Type::Text { max } => Some(max.into()),
        Type::Digits(count) => Some(count.into()),
        Type::Email => Some(EMAIL),
        Type::Phone => Some(PHONE),
        Type::Url => Some(URL),
        Type::YesNo => Some(shown("Yes").max(shown("No"))),
        Type::Picklist(list) | Type::Picklists(list) => list.values().map(shown).max(),
        Type::Identifiers(_) | Type::Number { .. } | Type::Date | Type::DateTime => Some(0),
    }
}

/// Whether a value is one of the list as this release knows it.
fn is_value(list: &Picklist, value: &str) -> bool {
    list.values().chain(list.none).any(|known| known == value)
}

/// Why a field cannot be written, and what to do.
fn closed(field: &CrmField) -> String {
    let what = match (field.createable, field.updateable) {
        (true, false) => "may only be set on a new record",
        (false, true) => "may not be set on a new record",
        _ => "may not be written",
    };
    format!("it {what}, says the CRM: give cosell's user the right to edit it, or name a field that is no formula")
}

/// What becomes of a value outside the CRM's list.
fn outside(field: &CrmField) -> (Severity, &'static str) {
    if field.restricted {
        (Severity::Error, "and the CRM refuses it")
    } else {
        (Severity::Warning, "so the CRM takes it as a new one")
    }
}

/// Whether a CRM's list lacks a value; the hint at what may have been meant.
fn unlisted(field: &CrmField, value: &str) -> Option<String> {
    let list = matches!(field.kind, CrmKind::Picklist | CrmKind::MultiPicklist) && !field.values.is_empty();
    (list && !field.values.iter().any(|own| own == value))
        .then(|| meant(value, field.values.iter().map(String::as_str)))
}

fn no_relation(at: &Description, name: &str) -> String {
    let relations = || at.fields.iter().filter_map(|field| field.relation.as_deref());
    // People write the field that refers in place of the relation.
    let of_field = at.field(name).and_then(|field| field.relation.as_deref());
    let hint = of_field.map_or_else(
        || meant(name, relations()),
        |relation| format!("; paths through the field `{name}` begin with `{relation}`"),
    );
    format!("`{}` has no relation `{name}`{hint}", at.object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: CrmKind) -> CrmField {
        CrmField::new(name, &name.replace('_', " "), kind)
    }

    fn text(name: &str, length: u32) -> CrmField {
        CrmField { length: Some(length), ..field(name, CrmKind::Text) }
    }

    fn list(name: &str, values: &[&str]) -> CrmField {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        CrmField { values, restricted: true, ..field(name, CrmKind::Picklist) }
    }

    fn reference(name: &str, relation: &str, objects: &[&str]) -> CrmField {
        CrmField {
            refers_to: objects.iter().map(|object| (*object).to_owned()).collect(),
            relation: Some(relation.to_owned()),
            ..field(name, CrmKind::Reference)
        }
    }

    fn object(name: &str, fields: Vec<CrmField>) -> Description {
        Description::new(name, name, fields)
    }

    /// An org with a bit of everything.
    fn org() -> Vec<Description> {
        let own = vec![
            CrmField { unique: true, ..text("Ace_Id", 20) },
            CrmField { unique: true, ..text("Invitation_Id", 40) },
            CrmField { required: true, ..text("Name", 120) },
            CrmField { required: true, ..list("StageName", &["Prospecting", "Won", "qualified"]) },
            CrmField { required: true, ..field("CloseDate", CrmKind::Date) },
            field("Share", CrmKind::Boolean),
            field("NatSec", CrmKind::Boolean),
            field("Moment", CrmKind::DateTime),
            field("Amount", CrmKind::Number(0)),
            CrmField { createable: false, updateable: false, ..text("Formula", 1300) },
            CrmField { updateable: false, ..text("Once", 255) },
            CrmField { createable: false, ..text("Later", 255) },
            CrmField { length: Some(32_000), ..field("Description", CrmKind::LongText) },
            text("Text", 255),
            text("Short", 10),
            field("Email", CrmKind::Email),
            field("Compound", CrmKind::Other),
            list("Response", &["Accept", "Decline"]),
            list("Reason", &["Unable to Support", "No time"]),
            list("Country", &["Germany", "France", "Other"]),
            CrmField { restricted: false, ..list("Score", &["High", "medium"]) },
            CrmField { kind: CrmKind::MultiPicklist, ..list("Models", &["Resell", "SaaS or PaaS", "Leasing"]) },
            reference("AccountId", "Account", &["Account"]),
            reference("OwnerId", "Owner", &["Group", "User"]),
        ];
        let account = vec![
            CrmField { required: true, ..text("Name", 255) },
            field("Website", CrmKind::Url),
            reference("OwnerId", "Owner", &["User"]),
        ];
        vec![
            object("Opportunity", own),
            object("Account", account),
            object("User", vec![field("Email", CrmKind::Email)]),
        ]
    }

    const HEAD: &str = "version = 1\n[opportunity]\nobject = \"Opportunity\"\nace_id = \"Ace_Id\"\n";
    const DEFAULTS: &str = "[opportunity.defaults]\nName = \"AWS\"\nStageName = \"Won\"\nCloseDate = \"2099-12-31\"\n";

    fn found(file: &str) -> String {
        let mapping = Mapping::parse(file).unwrap_or_else(|error| panic!("{file}\n{error}"));
        let findings = check(&mapping, &org());
        // What AWS wants of every opportunity is another matter.
        let own = findings.iter().filter(|finding| !finding.message.starts_with("AWS wants this of every"));
        own.map(|finding| format!("{:?} {finding}", finding.severity)).collect::<Vec<_>>().join("\n")
    }

    fn of_line(line: &str) -> String {
        found(&format!("{HEAD}{DEFAULTS}[opportunity.fields]\n{line}\n"))
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_with_its_mend() {
        let lines = [
            r#"nextStep = "Texte""#,
            r#"nextStep = "Acount.Name""#,
            r#"nextStep = "AccountId.Name""#,
            r#"customerWebsite = "Account.Web""#,
            r#"customerEmail = "Account.Owner.Email""#,
            r#"primaryContactEmail = "Owner.Email""#,
            r#"nextStep = "Formula""#,
            r#"nextStep = { crm = "Formula", direction = "to_aws", cut = true }"#,
            r#"nextStep = "Once""#,
            r#"nextStep = { crm = "Once", protect = true }"#,
            r#"nextStep = "Later""#,
            r#"nextStep = "Short""#,
            r#"projectDescription = "Description""#,
            r#"projectDescription = { crm = "Description", cut = true }"#,
            r#"nextStep = { crm = ["Text", "Short"], direction = "to_aws" }"#,
            r#"nextStep = { crm = ["Text", "Amount"], direction = "both" }"#,
            r#"apnReviewerComments = "Text""#,
            r#"nextStep = "Amount""#,
            r#"nextStep = "Compound""#,
            r#"nextStep = "AccountId""#,
            r#"customerEmail = "Text""#,
            r#"customerFirstName = "Email""#,
            r#"expectedMonthlyAwsRevenue = "Amount""#,
            r#"expectedMonthlyAwsRevenue = "Text""#,
            r#"customerDuns = "Amount""#,
            r#"awsCloseDate = "NatSec""#,
            r#"targetCloseDate = "Moment""#,
            r#"targetCloseDate = { crm = "Moment", zone = "Europe/Berlin" }"#,
            r#"targetCloseDate = { crm = "CloseDate", zone = "Europe/Berlin" }"#,
            r#"acceptBy = "CloseDate""#,
            r#"doesOppBelongToNatSec = "NatSec""#,
            r#"doesOppBelongToNatSec = { crm = "NatSec", check_box = true }"#,
            r#"doesOppBelongToNatSec = { crm = "Text", check_box = true }"#,
            r#"doesOppBelongToNatSec = { crm = "Score", direction = "to_aws" }"#,
            r#"isOppFromMarketingActivity = "NatSec""#,
            r#"deliveryModel = "StageName""#,
            r#"deliveryModel = "Models""#,
            r#"stage = { crm = "Models", direction = "to_aws", other = "Prospect" }"#,
            r#"state = "StageName""#,
            r#"country = "Country""#,
            r#"country = { crm = "Country", spelling = "file", direction = "to_aws" }"#,
            r#"engagementScore = "Score""#,
            r#"competitiveTracking = { crm = "Text", default_back = 3 }"#,
        ];
        let said = lines.map(|line| format!("{line}\n{}", of_line(line)));
        insta::assert_snapshot!(said.join("\n\n"));
    }

    #[test]
    fn lists_are_held_against_each_other() {
        let lines = [
            r#"stage = { crm = "StageName", direction = "to_aws" }"#,
            r#"stage = { crm = "StageName", direction = "from_aws" }"#,
            r#"stage = { crm = "StageName", values = { "Won" = "Launched", "Prospecting" = ["Prospect", "Qualified"], "qualified" = "Qualified" }, back = { "Qualified" = "qualified" }, other_back = "Open" }"#,
            r#"stage = { crm = "StageName", direction = "to_aws", values = { "Wonn" = "Launched" }, other = "Prospect" }"#,
            r#"stage = { crm = "StageName", direction = "from_aws", default_back = "prospecting", other_back = "Won" }"#,
        ];
        insta::assert_snapshot!(lines.map(|line| format!("{line}\n{}", of_line(line))).join("\n\n"));
    }

    #[test]
    fn what_is_wrong_around_the_lines_is_said_too() {
        let wrong = found(
            r#"
version = 1

[opportunity]
object = "Opportunity"
ace_id = "Text"
share = "Text"

[opportunity.status]
sync_status = "Response"
sync_message = "Amount"
last_sync = "CloseDate"
pending = "Formula"

[opportunity.referral]
invitation_id = "Short"
status = "Reffered"
accept_by = "Moment"
response = "Response"
accept = "Accept"
reject = "Reject"
rejection_reason = "Reason"

[opportunity.defaults]
StageName = "won"
Share = "yes"
Once = "2026"
Formula = "x"
CloseDate = "tomorrow"

[opportunity.only_crm]
StageName = "wonn"
Region = "EMEA"

[opportunity.related.Account]
object = "Contact"
lookup = "ContactId"

[opportunity.related.Acount]
object = "Account"
lookup = "AccountId"

[opportunity.related.Owner]
object = "Group"
lookup = "OwnerId"
write = "update"

[opportunity.fields]
"#,
        );
        insta::assert_snapshot!(wrong);
    }

    #[test]
    fn a_related_record_that_is_created_must_be_possible() {
        let wrong = found(&format!(
            "{HEAD}{DEFAULTS}{}",
            r#"
[opportunity.related.Account]
object = "Account"
lookup = "AccountId"
write = "create"
match = ["Website", "Webseite", "Name"]
defaults = { Website = 3 }

[opportunity.fields]
customerWebsite = "Account.Website"
"#
        ));
        insta::assert_snapshot!(wrong);
    }

    #[test]
    fn required_fields_of_both_sides() {
        let bare = |share: &str| format!("{HEAD}{share}\n[opportunity.fields]\nnextStep = \"Text\"\n");
        let said = |file: &str, org: &[Description]| {
            let findings = check(&Mapping::parse(file).unwrap(), org);
            findings.iter().map(|finding| format!("{:?} {finding}", finding.severity)).collect::<Vec<_>>().join("\n")
        };
        let shared = said(&bare("share = \"Share\""), &[]);
        assert!(shared.lines().all(|line| line.starts_with("Error")), "{shared}");
        let kept = said(&bare(""), &org());
        assert!(kept.lines().all(|line| line.starts_with("Warning")), "{kept}");
        insta::assert_snapshot!(format!("{shared}\n\n{kept}"));
        let template = said(&bare("template = \"006\""), &org());
        assert!(!template.contains("new record"), "{template}");
    }

    #[test]
    fn rights_to_objects() {
        let file = format!(
            "{HEAD}{DEFAULTS}[opportunity.related.Account]\nobject = \"Account\"\nlookup = \"AccountId\"\n\
             write = \"update\"\nmatch = [\"Website\"]\n[opportunity.fields]\ncustomerWebsite = \"Account.Website\"\n"
        );
        let mapping = Mapping::parse(&file).unwrap();
        let said = |createable, updateable| {
            let org: Vec<_> =
                org().into_iter().map(|object| Description { createable, updateable, ..object }).collect();
            let findings = check(&mapping, &org).into_iter().map(|finding| finding.to_string());
            findings.filter(|text| text.contains("cosell's user may not")).collect::<Vec<_>>()
        };
        assert!(said(true, true).is_empty());
        assert!(
            matches!(&said(false, true)[..], [own] if own.starts_with("opportunity.object: ")),
            "of related ones none is made"
        );
        let both = said(false, false);
        assert!(both[0].contains("create or change records of `Opportunity`"), "{both:?}");
        assert!(
            both[1].starts_with("opportunity.related.Account.object: ") && both[1].contains("not change records"),
            "{both:?}"
        );
    }

    #[test]
    fn what_nobody_described_is_said_once() {
        let file = format!("{HEAD}{DEFAULTS}[opportunity.fields]\ncustomerWebsite = \"Account.Website\"\n");
        let mapping = Mapping::parse(&file).unwrap();
        let own: Vec<_> = org().into_iter().take(1).collect();
        let about_object = |descriptions: &[Description]| {
            let findings = check(&mapping, descriptions);
            let own = findings.into_iter().filter(|finding| finding.place == "opportunity.object");
            own.map(|finding| finding.message).collect::<Vec<_>>()
        };
        assert_eq!(about_object(&own), ["no description of `Account` is given, so its fields are not checked"]);
        assert_eq!(
            about_object(&[object("Opportunities", vec![])]),
            [
                "no description of `Opportunity` is given, so nothing is checked against it (did you mean `Opportunities`?)"
            ]
        );
        assert!(about_object(&[]).is_empty());
    }
}
