//! Which record of one side is which of the other. Computes only: whatever the order in which records come, the rows are
//! the same.

use std::collections::{BTreeMap, BTreeSet};

use cosell_mapping::{ObjectMapping, fold, meant};
use cosell_model::{
    Field, Kind, Record, Value,
    catalog::{Place, Type},
};
use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};
use url::Url;

/// Short names of the fields that pipelines are matched by.
const SHORT: [(&str, &str); 5] = [
    ("customer", "customerCompanyName"),
    ("title", "partnerProjectTitle"),
    ("website", "customerWebsite"),
    ("amount", "expectedMonthlyAwsRevenue"),
    ("date", "targetCloseDate"),
];

/// What a plan shows of a record, matched by or not.
pub(super) const SHOWN: [&str; 4] = ["partnerProjectTitle", "customerCompanyName", "stage", "status"];

/// The rules where nobody names any.
const USUAL: [&str; 2] = ["customer+title", "website+title"];

/// So many counterparts a row names at most.
const CANDIDATES: usize = 20;

/// Fields whose values must all be the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    name: String,
    fields: Vec<&'static Field>,
}

/// A rule that cannot match anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// A name that is none.
    #[error("`{word}` in the rule `{rule}` is no field of ACE's{hint}; `cosell fields` lists them")]
    Unknown {
        /// The rule.
        rule: String,
        /// The name.
        word: String,
        /// What may have been meant.
        hint: String,
    },
    /// A field without a line in the mapping.
    #[error(
        "the mapping has no line for `{key}`, which the rule `{rule}` compares: add one, or match by another field"
    )]
    NotMapped {
        /// The rule.
        rule: String,
        /// The field.
        key: &'static str,
    },
    /// A field that AWS does not answer of an opportunity.
    #[error("AWS's API does not show `{key}`, which the rule `{rule}` compares: match by another field")]
    NotShown {
        /// The rule.
        rule: String,
        /// The field.
        key: &'static str,
    },
    /// None of the usual rules can be used.
    #[error("the mapping has no line for title and customer, or title and website: name what to match by")]
    NothingUsual,
}

impl Rule {
    /// Reads names of ACE fields joined by `+`: catalog keys of mapped fields, or the short names of common ones.
    pub fn parse(text: &str, object: &ObjectMapping) -> Result<Self, InvalidRule> {
        let words: Vec<&str> = text.split('+').map(str::trim).collect();
        let fields = words.iter().map(|word| {
            let key = SHORT.iter().find(|(short, _)| short == word).map_or(*word, |(_, key)| key);
            let Some(field) = object.kind.field(key) else {
                let known = SHORT.iter().map(|(short, _)| *short).chain(object.fields.iter().map(|line| line.ace.key));
                let hint = meant(word, known);
                return Err(InvalidRule::Unknown { rule: text.to_owned(), word: (*word).to_owned(), hint });
            };
            if !object.fields.iter().any(|line| line.ace == field) {
                return Err(InvalidRule::NotMapped { rule: text.to_owned(), key: field.key });
            }
            if field.at(Place::Get).is_err() && field.at(Place::Summary).is_err() {
                return Err(InvalidRule::NotShown { rule: text.to_owned(), key: field.key });
            }
            Ok(field)
        });
        Ok(Self { fields: fields.collect::<Result<_, _>>()?, name: words.join("+") })
    }

    /// The rules for an operator who names none: customer and title, then website and title, as far as they are mapped.
    pub fn usual(object: &ObjectMapping) -> Result<Vec<Self>, InvalidRule> {
        let rules: Vec<Self> = USUAL.iter().filter_map(|text| Self::parse(text, object).ok()).collect();
        if rules.is_empty() { Err(InvalidRule::NothingUsual) } else { Ok(rules) }
    }

    /// What it compares.
    pub fn fields(&self) -> &[&'static Field] {
        &self.fields
    }

    /// What a record is compared by; none where it lacks a value. Dates are apart, since they need not be the same day.
    fn key(&self, values: &Record) -> Option<(Vec<String>, Vec<Date>)> {
        let (mut texts, mut dates) = (Vec::new(), Vec::new());
        for field in &self.fields {
            match values.get(field)? {
                Value::Date(date) => dates.push(*date),
                other => texts.push(folded(field, other)?),
            }
        }
        Some((texts, dates))
    }
}

/// A value as it is compared; none where there is nothing to compare.
fn folded(field: &Field, value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::Text(text) => match field.ty {
            Type::Url => host(text),
            Type::Email => text.to_lowercase(),
            _ => fold(text),
        },
        Value::Number(number) => number.normalize().to_string(),
        Value::Date(date) => date.to_string(),
        Value::List(items) => {
            let items: BTreeSet<String> = items.iter().map(|item| fold(item)).collect();
            items.into_iter().collect::<Vec<_>>().join(" ")
        }
    };
    (!text.is_empty()).then_some(text)
}

fn host(website: &str) -> String {
    let url = if website.contains("://") { Url::parse(website) } else { Url::parse(&format!("https://{website}")) };
    let host = url.ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| fold(website));
    host.strip_prefix("www.").map_or_else(|| host.clone(), str::to_owned)
}

/// How far a record takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// In any case.
    Always,
    /// Only where the other side has it too.
    IfMatched,
    /// The mapping leaves it out.
    Never,
}

/// A record as far as a plan looks at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Its identifier.
    pub id: String,
    /// When it last changed, as its side writes it.
    pub version: String,
    /// The record of the other side that it says it is.
    pub names: Option<String>,
    /// How far it takes part.
    pub part: Part,
    /// What it is compared by and shown with, in ACE's normal form.
    #[serde(with = "as_json")]
    pub values: Record,
}

impl Seen {
    fn text(&self, key: &str) -> String {
        self.values.text(key).unwrap_or_default().to_owned()
    }
}

mod as_json {
    use serde::{Deserializer, Serializer, de::Error};
    use serde_json::Map;

    use super::{Deserialize, Kind, Record, Serialize};

    pub(super) fn serialize<S: Serializer>(record: &Record, serializer: S) -> Result<S::Ok, S::Error> {
        record.to_json().serialize(serializer)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Record, D::Error> {
        let members = Map::deserialize(deserializer)?;
        Record::from_json(Kind::Opportunity, &members)
            .map_err(|(key, cause)| D::Error::custom(format!("{key}: {cause}")))
    }
}

/// A pair that the ledger knows, by identifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// At AWS: an opportunity, or what it is until it becomes one. None while it is being shared.
    pub ace: Option<String>,
    /// In the CRM.
    pub crm: String,
}

/// What a plan says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Several records could be its counterpart: a person decides.
    Ambiguous,
    /// Its counterpart is found.
    Matched,
    /// The CRM does not have it.
    OnlyAtAws,
    /// AWS does not have it.
    OnlyInCrm,
    /// The ledger knows the pair.
    Linked,
}

impl Outcome {
    /// Every outcome, as the rows of a plan are ordered.
    pub const ALL: [Self; 5] = [Self::Ambiguous, Self::Matched, Self::OnlyAtAws, Self::OnlyInCrm, Self::Linked];

    /// The word in the plan.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Matched => "matched",
            Self::OnlyAtAws => "only_at_aws",
            Self::OnlyInCrm => "only_in_crm",
            Self::Linked => "linked",
        }
    }
}

/// A line of a plan, for people to read and decide on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is said.
    pub outcome: Outcome,
    /// By what: `ledger`, `id`, or the rule.
    pub rule: String,
    /// At AWS.
    pub ace_id: String,
    /// In the CRM.
    pub crm_id: String,
    /// Records of the other side that it could be, apart by blanks.
    pub candidates: String,
    /// The deal's name at AWS.
    pub title_at_aws: String,
    /// The deal's name in the CRM.
    pub title_in_crm: String,
    /// The customer at AWS.
    pub customer_at_aws: String,
    /// The customer in the CRM.
    pub customer_in_crm: String,
    /// The stage at AWS.
    pub stage_at_aws: String,
    /// ACE's stage in the CRM.
    pub stage_in_crm: String,
    /// AWS's review.
    pub review_status: String,
}

impl Row {
    fn of(outcome: Outcome, rule: &str, aws: Option<&Seen>, crm: Option<&Seen>) -> Self {
        let text = |side: Option<&Seen>, key| side.map(|seen| seen.text(key)).unwrap_or_default();
        let [title, customer, stage, status] = SHOWN;
        Self {
            outcome,
            rule: rule.to_owned(),
            ace_id: aws.map(|seen| seen.id.clone()).unwrap_or_default(),
            crm_id: crm.map(|seen| seen.id.clone()).unwrap_or_default(),
            candidates: String::new(),
            title_at_aws: text(aws, title),
            title_in_crm: text(crm, title),
            customer_at_aws: text(aws, customer),
            customer_in_crm: text(crm, customer),
            stage_at_aws: text(aws, stage),
            stage_in_crm: text(crm, stage),
            review_status: text(aws, status),
        }
    }

    fn with_candidates<'c>(mut self, candidates: impl IntoIterator<Item = &'c str>) -> Self {
        let mut named: Vec<&str> = candidates.into_iter().collect();
        if named.len() > CANDIDATES {
            named.truncate(CANDIDATES);
            named.push("…");
        }
        self.candidates = named.join(" ");
        self
    }
}

/// Every record of both sides, each in one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The rows: what a person has to decide comes first.
    pub rows: Vec<Row>,
    /// Records that the mapping leaves out.
    pub left_out: usize,
}

type Side<'s> = BTreeMap<&'s str, &'s Seen>;

/// Records of a side, each with those of the other side that it could be.
type Counterparts<'s> = BTreeMap<&'s str, Vec<&'s str>>;

/// Finds each record's counterpart: in the ledger, by identifier, by each rule in turn. The first of them by which a
/// record has any counterpart decides: exactly one on each side is a match, more are ambiguous.
pub(super) fn plan(aws: &[&Seen], crm: &[&Seen], pairs: &[Pair], rules: &[Rule], days: u32) -> Plan {
    let mut left = Left { aws: by_id(aws), crm: by_id(crm), plan: Plan::default() };
    left.linked(pairs);
    left.left_out();
    left.by_identifier();
    for rule in rules {
        left.by_rule(rule, days);
    }
    left.alone()
}

fn by_id<'s>(side: &[&'s Seen]) -> Side<'s> {
    side.iter().map(|seen| (seen.id.as_str(), *seen)).collect()
}

/// What is not in a row yet.
struct Left<'s> {
    aws: Side<'s>,
    crm: Side<'s>,
    plan: Plan,
}

impl<'s> Left<'s> {
    fn linked(&mut self, pairs: &[Pair]) {
        for pair in pairs.iter().collect::<BTreeSet<_>>() {
            let aws = pair.ace.as_deref().and_then(|id| self.aws.remove(id));
            let crm = self.crm.remove(pair.crm.as_str());
            let row = Row::of(Outcome::Linked, "ledger", aws, crm);
            // A side that was not read, or is gone, has its identifier still.
            let ace_id = pair.ace.clone().unwrap_or_default();
            self.plan.rows.push(Row { ace_id, crm_id: pair.crm.clone(), ..row });
        }
    }

    fn left_out(&mut self) {
        let before = self.aws.len() + self.crm.len();
        for side in [&mut self.aws, &mut self.crm] {
            side.retain(|_, seen| seen.part != Part::Never);
        }
        self.plan.left_out += before - self.aws.len() - self.crm.len();
    }

    fn by_identifier(&mut self) {
        let named = |one: &'s Seen, others: &Side<'s>| {
            one.names.as_deref().and_then(|id| others.get_key_value(id)).map(|(id, _)| *id)
        };
        let from_aws = self.aws.values().filter_map(|aws| Some((aws.id.as_str(), named(aws, &self.crm)?)));
        let from_crm = self.crm.values().filter_map(|crm| Some((named(crm, &self.aws)?, crm.id.as_str())));
        let pairs: BTreeSet<_> = from_aws.chain(from_crm).collect();
        self.settle("id", pairs);
    }

    fn by_rule(&mut self, rule: &Rule, days: u32) {
        type Dated<'s> = Vec<(&'s str, Vec<Date>)>;
        let mut alike: BTreeMap<Vec<String>, [Dated<'s>; 2]> = BTreeMap::new();
        // A record of the CRM that says it is another one is not this one.
        let crm = self.crm.values().filter(|crm| crm.names.is_none());
        for (side, seen) in self.aws.values().map(|aws| (0, aws)).chain(crm.map(|crm| (1, crm))) {
            if let Some((texts, dates)) = rule.key(&seen.values) {
                alike.entry(texts).or_default()[side].push((&seen.id, dates));
            }
        }
        for [aws, crm] in alike.into_values() {
            let near = aws.iter().flat_map(|(aws, here)| {
                let near = crm.iter().filter(move |(_, there)| are_near(here, there, days));
                near.map(|(crm, _)| (*aws, *crm))
            });
            self.settle(&rule.name, near);
        }
    }

    /// Puts everybody who has a counterpart into a row.
    fn settle(&mut self, rule: &str, pairs: impl IntoIterator<Item = (&'s str, &'s str)>) {
        let (mut of_aws, mut of_crm) = (Counterparts::new(), Counterparts::new());
        for (aws, crm) in pairs {
            for (known, one, other) in [(&mut of_aws, aws, crm), (&mut of_crm, crm, aws)] {
                let known = known.entry(one).or_default();
                if known.len() <= CANDIDATES {
                    known.push(other);
                }
            }
        }
        for (id, candidates) in of_aws {
            let aws = self.aws.remove(id);
            self.plan.rows.push(match candidates[..] {
                [only] if of_crm[only].len() == 1 => Row::of(Outcome::Matched, rule, aws, self.crm.remove(only)),
                _ => Row::of(Outcome::Ambiguous, rule, aws, None).with_candidates(candidates),
            });
        }
        for (id, candidates) in of_crm {
            if let crm @ Some(_) = self.crm.remove(id) {
                self.plan.rows.push(Row::of(Outcome::Ambiguous, rule, None, crm).with_candidates(candidates));
            }
        }
    }

    fn alone(self) -> Plan {
        let Self { aws, crm, mut plan } = self;
        for aws in aws.into_values() {
            if aws.part == Part::Always {
                plan.rows.push(Row::of(Outcome::OnlyAtAws, "", Some(aws), None));
            } else {
                plan.left_out += 1;
            }
        }
        for crm in crm.into_values() {
            plan.rows.push(Row::of(Outcome::OnlyInCrm, "", None, Some(crm)).with_candidates(crm.names.as_deref()));
        }
        plan.rows.sort_by_key(|row| row.outcome);
        plan
    }
}

fn are_near(here: &[Date], there: &[Date], days: u32) -> bool {
    let tolerance = SignedDuration::from_hours(24 * i64::from(days));
    here.iter().zip(there).all(|(one, other)| one.duration_until(*other).abs() <= tolerance)
}

#[cfg(test)]
mod tests {
    use cosell_mapping::Mapping;
    use proptest::{prelude::*, sample::subsequence};
    use serde_json::json;

    use super::*;

    fn object() -> ObjectMapping {
        Mapping::parse(include_str!("../../../cosell-mapping/presets/salesforce.toml")).unwrap().opportunity
    }

    fn rules(texts: &[&str]) -> Vec<Rule> {
        texts.iter().map(|text| Rule::parse(text, &object()).unwrap()).collect()
    }

    fn seen(id: &str, values: &serde_json::Value) -> Seen {
        let long =
            |key: &str| SHORT.iter().find(|(short, _)| *short == key).map_or(key.to_owned(), |(_, key)| (*key).into());
        let values = values.as_object().unwrap().iter().map(|(key, value)| (long(key), value.clone())).collect();
        let values = Record::from_json(Kind::Opportunity, &values).unwrap();
        Seen { id: id.into(), version: String::new(), names: None, part: Part::Always, values }
    }

    fn named(names: &str, seen: Seen) -> Seen {
        Seen { names: Some(names.into()), ..seen }
    }

    /// `outcome rule ace_id crm_id [candidates]`, a row a line.
    fn rows(aws: &[Seen], crm: &[Seen], pairs: &[Pair], rules: &[Rule], days: u32) -> Vec<String> {
        let plan = plan(&aws.iter().collect::<Vec<_>>(), &crm.iter().collect::<Vec<_>>(), pairs, rules, days);
        let shown = plan.rows.iter().map(|Row { outcome, rule, ace_id, crm_id, candidates, .. }| {
            let candidates = if candidates.is_empty() { String::new() } else { format!("[{candidates}]") };
            [outcome.as_str(), rule, ace_id, crm_id, &candidates]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        });
        shown.collect()
    }

    #[test]
    fn what_is_written_in_different_ways_is_the_same() {
        for (rule, days, aws, crm, same) in [
            (
                "customer+title",
                0,
                json!({"customer": "ACME, Inc.", "title": "Data-Lake  2"}),
                json!({"customer": "Acme Inc", "title": "data lake 2"}),
                true,
            ),
            (
                "customer+title",
                0,
                json!({"customer": "Müller AG", "title": "x"}),
                json!({"customer": "MÜLLER AG", "title": "X"}),
                true,
            ),
            (
                "customer+title",
                0,
                json!({"customer": "ACME", "title": "x"}),
                json!({"customer": "ACME", "title": "y"}),
                false,
            ),
            ("customer+title", 0, json!({"customer": "ACME"}), json!({"customer": "ACME"}), false),
            ("customer", 0, json!({"customer": "?!"}), json!({"customer": "…"}), false),
            (
                "website",
                0,
                json!({"website": "https://www.acme.example/about?x=1"}),
                json!({"website": "Acme.example"}),
                true,
            ),
            ("website", 0, json!({"website": "shop.acme.example"}), json!({"website": "acme.example"}), false),
            (
                "website",
                0,
                json!({"website": "www.bücher.example"}),
                json!({"website": "http://xn--bcher-kva.example"}),
                true,
            ),
            ("amount", 0, json!({"amount": "1000.00"}), json!({"amount": "1000"}), true),
            ("amount", 0, json!({"amount": "1000.01"}), json!({"amount": "1000"}), false),
            ("date", 0, json!({"date": "2027-01-31"}), json!({"date": "2027-02-01"}), false),
            ("date", 1, json!({"date": "2027-01-31"}), json!({"date": "2027-02-01"}), true),
            ("date", 1, json!({"date": "2027-02-02"}), json!({"date": "2027-01-31"}), false),
            (
                "deliveryModel",
                0,
                json!({"deliveryModel": ["Other", "Resell"]}),
                json!({"deliveryModel": "Resell;Other"}),
                true,
            ),
        ] {
            let matched = rows(&[seen("O1", &aws)], &[seen("A", &crm)], &[], &rules(&[rule]), days).len() == 1;
            assert_eq!(matched, same, "{rule}: {aws} {crm}");
        }
    }

    #[test]
    fn the_first_way_that_finds_a_counterpart_decides() {
        let aws = [
            seen("O1", &json!({"customer": "Linked", "title": "x"})),
            named("B", seen("O2", &json!({}))),
            seen("O3", &json!({"customer": "Named by the CRM"})),
            seen("O4", &json!({"customer": "ACME", "title": "Lake", "website": "a.example"})),
            seen("O5", &json!({"customer": "ACME", "title": "Lake", "website": "b.example"})),
            seen("O6", &json!({"customer": "By title", "title": "Sea"})),
            seen("O7", &json!({"website": "c.example", "title": "Pond"})),
            seen("O8", &json!({"customer": "Alone", "title": "Alone"})),
        ];
        let crm = [
            seen("A", &json!({"customer": "Linked", "title": "x"})),
            seen("B", &json!({})),
            named("O3", seen("C", &json!({"customer": "ACME", "title": "Lake"}))),
            seen("D", &json!({"customer": "Acme", "title": "lake", "website": "a.example"})),
            seen("F", &json!({"customer": "by title", "title": "sea"})),
            seen("G", &json!({"customer": "Other", "website": "www.c.example", "title": "Pond"})),
            named("O99", seen("H", &json!({"customer": "Alone", "title": "Alone"}))),
        ];
        let pairs =
            [Pair { ace: Some("O1".into()), crm: "A".into() }, Pair { ace: Some("engi-1".into()), crm: "Z".into() }];
        assert_eq!(
            rows(&aws, &crm, &pairs, &rules(&["customer+title", "website+title"]), 0),
            [
                "ambiguous customer+title O4 [D]",
                "ambiguous customer+title O5 [D]",
                "ambiguous customer+title D [O4 O5]",
                "matched id O2 B",
                "matched id O3 C",
                "matched customer+title O6 F",
                "matched website+title O7 G",
                "only_at_aws O8",
                "only_in_crm H [O99]",
                "linked ledger O1 A",
                "linked ledger engi-1 Z",
            ]
        );
        let strict = rules(&["customer+title+website", "customer+title"]);
        let strict = rows(&aws[3..5], &crm[3..4], &[], &strict, 0);
        assert_eq!(strict, ["matched customer+title+website O4 D", "only_at_aws O5"], "the strictest rule first");
    }

    #[test]
    fn identifiers_that_contradict_each_other_are_for_a_person() {
        let aws = [named("A", seen("O1", &json!({}))), named("A", seen("O2", &json!({})))];
        let crm = [named("O1", seen("A", &json!({})))];
        assert_eq!(
            rows(&aws, &crm, &[], &[], 0),
            ["ambiguous id O1 [A]", "ambiguous id O2 [A]", "ambiguous id A [O1 O2]"]
        );
    }

    #[test]
    fn what_the_mapping_leaves_out_has_no_row() {
        let part = |part, seen| Seen { part, ..seen };
        let acme = |id| seen(id, &json!({"customer": "ACME", "title": "Lake"}));
        let aws = [
            part(Part::IfMatched, acme("O1")),
            part(Part::Never, acme("O2")),
            part(Part::IfMatched, seen("O3", &json!({}))),
        ];
        let crm = [acme("A"), part(Part::Never, acme("B"))];
        let found =
            plan(&aws.iter().collect::<Vec<_>>(), &crm.iter().collect::<Vec<_>>(), &[], &rules(&["customer+title"]), 0);
        assert_eq!((found.rows.len(), found.left_out), (1, 3));
        assert_eq!(found.rows[0].outcome, Outcome::Matched);
    }

    #[test]
    fn a_crowd_of_candidates_is_cut() {
        let crowd = |side: &str| {
            (10..60).map(|n| seen(&format!("{side}{n}"), &json!({"customer": "ACME"}))).collect::<Vec<_>>()
        };
        let rows = rows(&crowd("O"), &crowd("A"), &[], &rules(&["customer"]), 0);
        assert_eq!(rows.len(), 100);
        assert!(rows[0].starts_with("ambiguous customer O10 [A10 A11 ") && rows[0].ends_with(" A29 …]"), "{}", rows[0]);
    }

    #[test]
    fn rules_that_cannot_match_say_why() {
        for (text, expected) in [
            (
                "custommer+title",
                "`custommer` in the rule `custommer+title` is no field of ACE's (did you mean `customer`?); `cosell fields` lists them",
            ),
            ("", "`` in the rule `` is no field of ACE's; `cosell fields` lists them"),
            (
                "contractStartDate",
                "the mapping has no line for `contractStartDate`, which the rule `contractStartDate` compares: add one, or match by another field",
            ),
        ] {
            assert_eq!(Rule::parse(text, &object()).unwrap_err().to_string(), expected);
        }
        let text = include_str!("../../../cosell-mapping/presets/salesforce.toml");
        let mapped = |text: &str| Mapping::parse(text).unwrap().opportunity;
        let files_only = mapped(&text.replace("customerDuns =", "leadSource = \"Source\"\ncustomerDuns ="));
        assert!(matches!(Rule::parse("leadSource", &files_only), Err(InvalidRule::NotShown { key: "leadSource", .. })));
        assert_eq!(Rule::usual(&object()).unwrap(), rules(&USUAL));
        let untitled = mapped(
            &text
                .replace("partnerProjectTitle =", "additionalComments = \"Gone\" #")
                .replace("\nadditionalComments = \"ACE", "\n# "),
        );
        assert_eq!(Rule::usual(&untitled), Err(InvalidRule::NothingUsual));
    }

    /// A side of records whose values are often the same, and which sometimes name one of the other side.
    fn side(own: &'static str, other: &'static str) -> impl Strategy<Value = Vec<Seen>> {
        let part = prop_oneof![8 => Just(Part::Always), 1 => Just(Part::IfMatched), 1 => Just(Part::Never)];
        let names = prop_oneof![4 => Just(None), 1 => (0..12u8).prop_map(move |n| Some(format!("{other}{n}")))];
        let one = (prop::option::of("[ab]"), prop::option::of("[ab]"), prop::option::of(1..6u8), names, part);
        prop::collection::vec(one, 0..12).prop_map(move |ones| {
            let made = ones.into_iter().enumerate().map(|(n, (customer, title, day, names, part))| {
                let day = day.map(|day| format!("2027-01-0{day}"));
                let values = json!({"customer": customer, "title": title, "date": day});
                Seen { names, part, ..seen(&format!("{own}{n}"), &values) }
            });
            made.collect()
        })
    }

    proptest! {
        #[test]
        fn every_record_is_in_one_row_and_the_order_does_not_matter(
            (aws, crm, linked, shuffled_aws, shuffled_crm) in (side("O", "A"), side("A", "O")).prop_flat_map(|(aws, crm)| {
                let most = aws.len().min(crm.len());
                let linked = subsequence((0..most).collect::<Vec<_>>(), 0..=most);
                let shuffled = (Just(aws.clone()).prop_shuffle(), Just(crm.clone()).prop_shuffle());
                (Just(aws), Just(crm), linked, shuffled.0, shuffled.1)
            }),
            days in 0..3u32,
        ) {
            let pairs: Vec<Pair> = linked.iter().map(|n| Pair { ace: Some(format!("O{n}")), crm: format!("A{n}") }).collect();
            let rules = rules(&["customer+title+date", "customer+date", "title"]);
            let plan = |aws: &[Seen], crm: &[Seen]| {
                super::plan(&aws.iter().collect::<Vec<_>>(), &crm.iter().collect::<Vec<_>>(), &pairs, &rules, days)
            };
            let found = plan(&aws, &crm);
            let ids: Vec<&String> = found.rows.iter().flat_map(|row| [&row.ace_id, &row.crm_id]).filter(|id| !id.is_empty()).collect();
            let distinct: BTreeSet<&String> = ids.iter().copied().collect();
            prop_assert_eq!(ids.len(), distinct.len(), "a record in two rows");
            prop_assert_eq!(ids.len() + found.left_out, aws.len() + crm.len(), "a record in no row");
            for row in &found.rows {
                let both = !row.ace_id.is_empty() && !row.crm_id.is_empty();
                prop_assert_eq!(both, matches!(row.outcome, Outcome::Matched | Outcome::Linked));
                prop_assert!(row.outcome != Outcome::Ambiguous || !row.candidates.is_empty());
            }
            prop_assert_eq!(found, plan(&shuffled_aws, &shuffled_crm));
        }
    }
}
