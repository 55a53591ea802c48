//! The three-way merge: what each side says now, against what both said when they last agreed (the base).

use cosell_model::{Field, Record, Value};

use crate::{Arrival, Direction, FieldMapping, ObjectMapping, Policy};

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Partner Central.
    Aws,
    /// The CRM.
    Crm,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Aws => Self::Crm,
            Self::Crm => Self::Aws,
        }
    }
}

/// What the merge says about one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to write.
    Same,
    /// This side's value goes to the other one: the other one has not changed.
    Take(Side),
    /// Both sides changed to different values; this side's value goes to the other one.
    Conflict(Side),
    /// Both sides changed to different values; a person decides.
    Held,
    /// AWS changed it; the CRM's value is protected and stays.
    Kept,
}

impl Outcome {
    /// The side whose value is to be written to the other one.
    pub fn winner(self) -> Option<Side> {
        match self {
            Self::Take(side) | Self::Conflict(side) => Some(side),
            Self::Same | Self::Held | Self::Kept => None,
        }
    }
}

/// How a field may be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Which way it travels.
    pub direction: Direction,
    /// Who wins a conflict.
    pub policy: Policy,
    /// When AWS's value may be taken at all.
    pub arrival: Arrival,
}

/// Decides one field. `None` means that a side says nothing (masked, not asked for), which never wins and never loses;
/// no base is an empty base.
pub fn merge(base: Option<&Value>, aws: Option<&Value>, crm: Option<&Value>, newer: Side, rules: Rules) -> Outcome {
    let base = base.unwrap_or(&Value::Null);
    let changed = |value: Option<&Value>| value.is_some_and(|value| !value.same(base));
    if let (Some(aws), Some(crm)) = (aws, crm)
        && aws.same(crm)
    {
        return Outcome::Same;
    }
    let protected = match rules.arrival {
        Arrival::Always => false,
        Arrival::WhenEmpty => !matches!(crm, None | Some(Value::Null)),
        Arrival::OnCreation => crm.is_some(),
    };
    let (from_aws, to_aws) = match rules.direction {
        Direction::Both => (changed(aws), changed(crm)),
        Direction::FromAws => (changed(aws), false),
        Direction::ToAws => (false, changed(crm)),
    };
    match (from_aws, to_aws) {
        (false, false) => Outcome::Same,
        (true, false) if protected => Outcome::Kept,
        (true, false) => Outcome::Take(Side::Aws),
        (false, true) => Outcome::Take(Side::Crm),
        (true, true) if protected => Outcome::Conflict(Side::Crm),
        (true, true) => match rules.policy {
            Policy::Aws => Outcome::Conflict(Side::Aws),
            Policy::Crm => Outcome::Conflict(Side::Crm),
            Policy::Newest => Outcome::Conflict(newer),
            Policy::Manual => Outcome::Held,
        },
    }
}

/// The merge of one field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldOutcome<'m> {
    /// The field.
    pub mapping: &'m FieldMapping,
    /// What the merge says.
    pub outcome: Outcome,
    /// What AWS has.
    pub aws: Option<Value>,
    /// What the CRM has.
    pub crm: Option<Value>,
    /// What both had.
    pub base: Option<Value>,
}

/// The merge of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<'m> {
    /// Every mapped field.
    pub fields: Vec<FieldOutcome<'m>>,
}

impl ObjectMapping {
    /// Merges a record, field by field.
    pub fn plan(&self, base: &Record, aws: &Record, crm: &Record, newer: Side) -> Plan<'_> {
        let fields = self.fields.iter().map(|mapping| {
            let [base, aws, crm] = [base, aws, crm].map(|record| record.get(mapping.ace));
            let rules = Rules { direction: mapping.direction, policy: mapping.policy, arrival: mapping.arrival };
            FieldOutcome {
                mapping,
                outcome: merge(base, aws, crm, newer, rules),
                aws: aws.cloned(),
                crm: crm.cloned(),
                base: base.cloned(),
            }
        });
        Plan { fields: fields.collect() }
    }
}

impl<'m> Plan<'m> {
    /// The fields that `side` wins, with the value that goes to the other side.
    pub fn won_by(&self, side: Side) -> impl Iterator<Item = (&'m FieldMapping, &Value)> {
        self.fields.iter().filter(move |field| field.outcome.winner() == Some(side)).filter_map(move |field| {
            let value = if side == Side::Aws { &field.aws } else { &field.crm };
            Some((field.mapping, value.as_ref()?))
        })
    }

    /// The base after the values of `written` have arrived at the other side: what both agree on. Where they do not
    /// agree yet, the old base stays, so that the change is still one at the next merge.
    pub fn base_after(&self, kind: cosell_model::Kind, written: impl Fn(&Field) -> Option<Side>) -> Record {
        let mut base = Record::new(kind);
        for field in &self.fields {
            let value = match (&field.aws, &field.crm, written(field.mapping.ace)) {
                (Some(aws), Some(crm), _) if aws.same(crm) => Some(aws),
                (aws, _, Some(Side::Aws)) => aws.as_ref(),
                (_, crm, Some(Side::Crm)) => crm.as_ref(),
                _ => field.base.as_ref(),
            };
            // An empty base is the same as none.
            if let Some(value) = value.filter(|value| **value != Value::Null) {
                base.set(field.mapping.ace, value.clone());
            }
        }
        base
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: Rules = Rules { direction: Direction::Both, policy: Policy::Aws, arrival: Arrival::Always };

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn each_case_of_one_field() {
        let (old, a, c) = (text("old"), text("a"), text("c"));
        let case = |base, aws, crm, rules| merge(base, aws, crm, Side::Crm, rules);
        let rules = |direction, policy, arrival| Rules { direction, policy, arrival };
        for (expected, outcome) in [
            (Outcome::Same, case(Some(&old), Some(&old), Some(&old), BOTH)),
            (Outcome::Take(Side::Aws), case(Some(&old), Some(&a), Some(&old), BOTH)),
            (Outcome::Take(Side::Crm), case(Some(&old), Some(&old), Some(&c), BOTH)),
            (Outcome::Same, case(Some(&old), Some(&a), Some(&a), BOTH)),
            (Outcome::Conflict(Side::Aws), case(Some(&old), Some(&a), Some(&c), BOTH)),
            (
                Outcome::Conflict(Side::Crm),
                case(Some(&old), Some(&a), Some(&c), rules(Direction::Both, Policy::Newest, Arrival::Always)),
            ),
            (
                Outcome::Held,
                case(Some(&old), Some(&a), Some(&c), rules(Direction::Both, Policy::Manual, Arrival::Always)),
            ),
            // Masked by AWS: the CRM's value stays, and nothing is deleted.
            (Outcome::Same, case(Some(&old), None, Some(&old), BOTH)),
            // AWS deleted it.
            (Outcome::Take(Side::Aws), case(Some(&old), Some(&Value::Null), Some(&old), BOTH)),
            // A record that the CRM does not have yet.
            (Outcome::Take(Side::Aws), case(None, Some(&a), None, BOTH)),
            (Outcome::Same, case(None, Some(&Value::Null), None, BOTH)),
            (
                Outcome::Same,
                case(Some(&old), Some(&old), Some(&c), rules(Direction::FromAws, Policy::Aws, Arrival::Always)),
            ),
            (
                Outcome::Take(Side::Crm),
                case(Some(&old), Some(&a), Some(&c), rules(Direction::ToAws, Policy::Aws, Arrival::Always)),
            ),
            (
                Outcome::Kept,
                case(Some(&old), Some(&a), Some(&old), rules(Direction::Both, Policy::Aws, Arrival::WhenEmpty)),
            ),
            (
                Outcome::Kept,
                case(
                    Some(&old),
                    Some(&a),
                    Some(&Value::Null),
                    rules(Direction::FromAws, Policy::Aws, Arrival::OnCreation),
                ),
            ),
            (
                Outcome::Take(Side::Aws),
                case(None, Some(&a), None, rules(Direction::FromAws, Policy::Aws, Arrival::OnCreation)),
            ),
            (
                Outcome::Take(Side::Crm),
                case(Some(&old), Some(&old), Some(&c), rules(Direction::Both, Policy::Aws, Arrival::OnCreation)),
            ),
            (
                Outcome::Take(Side::Aws),
                case(None, Some(&a), Some(&Value::Null), rules(Direction::Both, Policy::Aws, Arrival::WhenEmpty)),
            ),
        ] {
            assert_eq!(outcome, expected);
        }
    }

    fn value() -> impl Strategy<Value = Option<Value>> {
        prop_oneof![
            Just(None),
            Just(Some(Value::Null)),
            "[ab]{1,2}".prop_map(|text| Some(Value::Text(text))),
            prop::collection::vec("[ab]", 0..3).prop_map(|items| Some(Value::list(items))),
        ]
    }

    fn policy() -> impl Strategy<Value = Policy> {
        prop_oneof![Just(Policy::Aws), Just(Policy::Crm), Just(Policy::Newest), Just(Policy::Manual)]
    }

    fn mirrored(outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Take(side) => Outcome::Take(side.other()),
            Outcome::Conflict(side) => Outcome::Conflict(side.other()),
            other => other,
        }
    }

    proptest! {
        #[test]
        fn no_change_is_no_write(base in value(), policy in policy()) {
            let rules = Rules { policy, ..BOTH };
            prop_assert_eq!(merge(base.as_ref(), base.as_ref(), base.as_ref(), Side::Aws, rules), Outcome::Same);
        }

        #[test]
        fn one_sided_changes_survive(base in value(), aws in value(), policy in policy()) {
            let outcome = merge(base.as_ref(), aws.as_ref(), base.as_ref(), Side::Crm, Rules { policy, ..BOTH });
            prop_assert!(matches!(outcome, Outcome::Same | Outcome::Take(Side::Aws)));
        }

        #[test]
        fn swapped_sides_with_swapped_policy_mirror(base in value(), aws in value(), crm in value(), policy in policy()) {
            let swapped = match policy { Policy::Aws => Policy::Crm, Policy::Crm => Policy::Aws, other => other };
            let there = merge(base.as_ref(), aws.as_ref(), crm.as_ref(), Side::Aws, Rules { policy, ..BOTH });
            let back = merge(base.as_ref(), crm.as_ref(), aws.as_ref(), Side::Crm, Rules { policy: swapped, ..BOTH });
            prop_assert_eq!(there, mirrored(back));
        }

        #[test]
        fn after_the_winner_is_written_nothing_is_left_to_do(base in value(), aws in value(), crm in value(), policy in policy()) {
            let rules = Rules { policy, ..BOTH };
            let outcome = merge(base.as_ref(), aws.as_ref(), crm.as_ref(), Side::Aws, rules);
            if let Some(side) = outcome.winner() {
                let value = if side == Side::Aws { aws.as_ref() } else { crm.as_ref() };
                prop_assert_eq!(merge(value, value, value, Side::Aws, rules), Outcome::Same);
            }
        }
    }
}
