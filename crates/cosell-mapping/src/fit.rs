//! Which of AWS's values a field of a CRM can give, and which it can hold.

use cosell_model::catalog::Type;

use crate::CrmKind;

/// Whether values of one side have a place on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// All of them.
    Yes,
    /// Some of them; why not all.
    Doubt(&'static str),
    /// None.
    No,
}

use Fit::{Doubt, No, Yes};

/// Whether what a field of this kind has can be sent as AWS's type. Check boxes are another matter: what they mean is said
/// in the file.
pub(crate) fn sends(ty: Type, kind: CrmKind) -> Fit {
    use CrmKind::{
        Boolean, Date, DateTime, Email, LongText, MultiPicklist, Number, Other, Phone, Picklist, Reference, Text, Url,
    };
    match (ty, kind) {
        (Type::Text { .. }, Reference) => Doubt(
            "AWS would get the other record's identifier; name one of its fields by a path such as `Account.Name`",
        ),
        (Type::Text { .. }, kind) => no_if(matches!(kind, Boolean | Other)),
        (Type::Digits(_), Number(_)) => Doubt("a number loses the zeros at its beginning"),
        (Type::Digits(_), Text | LongText | Picklist | Phone)
        | (Type::Picklist(_), Text | LongText | Picklist)
        | (Type::Picklists(_) | Type::Identifiers(_), Text | LongText | Picklist | MultiPicklist)
        | (Type::Email, Text | LongText | Email)
        | (Type::Phone, Text | LongText | Phone)
        | (Type::Url, Text | LongText | Url)
        | (Type::YesNo, Text | Picklist)
        | (Type::Number { .. }, Number(_))
        | (Type::Date, Date | DateTime)
        | (Type::DateTime, DateTime) => Yes,
        (Type::Picklist(_), MultiPicklist) => Doubt("it can have several values, and AWS takes one"),
        (Type::Phone, Number(_)) => Doubt("a number loses the `+` and the zeros at its beginning"),
        (Type::Number { .. }, Text | Picklist) => Doubt("a text that is no plain number is refused, record by record"),
        (Type::Date, Text) => Doubt("only a text such as `2026-12-31` is read as a day"),
        (Type::DateTime, Text) => Doubt("only a text such as `2026-12-31T10:00:00Z` is read as a moment"),
        _ => No,
    }
}

/// Whether a field of this kind can hold AWS's type.
pub(crate) fn receives(ty: Type, kind: CrmKind) -> Fit {
    use CrmKind::{
        Boolean, Date, DateTime, Email, Id, LongText, MultiPicklist, Number, Other, Phone, Picklist, Reference, Text,
        Url,
    };
    match kind {
        Text | LongText => Yes,
        Number(decimals) => match ty {
            Type::Number { decimals: own, .. } if u32::from(own) > decimals => {
                Doubt("AWS has more decimals than it keeps, so the CRM rounds and the two sides never agree")
            }
            ty => no_if(!matches!(ty, Type::Number { .. })),
        },
        Date => no_if(ty != Type::Date),
        DateTime => no_if(!matches!(ty, Type::Date | Type::DateTime)),
        Boolean => no_if(!matches!(ty, Type::YesNo | Type::Picklist(_))),
        Picklist => no_if(!matches!(ty, Type::Picklist(_) | Type::YesNo | Type::Text { .. } | Type::Digits(_))),
        MultiPicklist => no_if(!matches!(
            ty,
            Type::Picklist(_) | Type::Picklists(_) | Type::Identifiers(_) | Type::YesNo | Type::Text { .. }
        )),
        Email => no_if(ty != Type::Email),
        Phone => no_if(!matches!(ty, Type::Phone | Type::Text { .. } | Type::Digits(_))),
        Url => no_if(!matches!(ty, Type::Url | Type::Text { .. })),
        Reference | Id | Other => No,
    }
}

fn no_if(not: bool) -> Fit {
    if not { No } else { Yes }
}

/// What a field of this kind is, in words.
pub(crate) fn words(kind: CrmKind) -> &'static str {
    match kind {
        CrmKind::Text => "a text",
        CrmKind::LongText => "a long text",
        CrmKind::Number(_) => "a number",
        CrmKind::Date => "a day",
        CrmKind::DateTime => "a moment, with date and time",
        CrmKind::Boolean => "a check box",
        CrmKind::Picklist => "a list of which one value is chosen",
        CrmKind::MultiPicklist => "a list of which several values are chosen",
        CrmKind::Email => "an e-mail address",
        CrmKind::Phone => "a phone number",
        CrmKind::Url => "a web address",
        CrmKind::Reference => "a reference to another record",
        CrmKind::Id => "the record's own identifier",
        CrmKind::Other => "of a kind that cannot be mapped",
    }
}

#[cfg(test)]
mod tests {
    use cosell_model::{Kind, catalog::Entity};

    use super::*;

    const KINDS: [CrmKind; 14] = [
        CrmKind::Text,
        CrmKind::LongText,
        CrmKind::Number(2),
        CrmKind::Date,
        CrmKind::DateTime,
        CrmKind::Boolean,
        CrmKind::Picklist,
        CrmKind::MultiPicklist,
        CrmKind::Email,
        CrmKind::Phone,
        CrmKind::Url,
        CrmKind::Reference,
        CrmKind::Id,
        CrmKind::Other,
    ];

    #[test]
    fn every_type_against_every_kind() {
        let stage = Kind::Opportunity.field("stage").unwrap().ty;
        let models = Kind::Opportunity.field("deliveryModel").unwrap().ty;
        let types = [
            ("text", Type::Text { max: 80 }),
            ("digits", Type::Digits(9)),
            ("one of a list", stage),
            ("some of a list", models),
            ("identifiers", Type::Identifiers(Entity::Solution)),
            ("e-mail", Type::Email),
            ("phone", Type::Phone),
            ("web address", Type::Url),
            ("yes or no", Type::YesNo),
            ("number", Type::Number { decimals: 2, in_files: 2 }),
            ("day", Type::Date),
            ("moment", Type::DateTime),
            ("history", Type::History),
        ];
        let mark = |fit| match fit {
            Yes => '+',
            Doubt(_) => '?',
            No => '-',
        };
        let lines = types.map(|(name, ty)| {
            let [there, back] = [sends, receives].map(|fit| KINDS.map(|kind| mark(fit(ty, kind))).iter().collect());
            let (there, back): (String, String) = (there, back);
            format!("{name:15} {there}  {back}")
        });
        insta::assert_snapshot!(format!("{:15} to AWS          from AWS\n{}", "", lines.join("\n")));
    }
}
