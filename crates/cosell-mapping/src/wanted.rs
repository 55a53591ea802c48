use cosell_model::catalog::Type;
use serde::Serialize;

use crate::{ConvertFields, CrmKind, FieldMapping, ObjectMapping, ReferralFields, Source, StatusFields};

/// A field that the CRM must have for a mapping, and what kind would suit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedField {
    /// Its name in the CRM.
    pub name: String,
    /// The kind that fits.
    pub kind: CrmKind,
    /// The characters that a text needs.
    pub length: Option<u32>,
    /// Whether it must be unique and an external identifier.
    pub unique: bool,
    /// What it is for: an ACE field, or cosell's own.
    pub used_for: String,
}

impl ObjectMapping {
    /// Every field of the object itself that this mapping reads or writes, by name.
    pub fn wanted_fields(&self) -> Vec<WantedField> {
        let own = |name: &str, kind, length, used_for: &str| WantedField {
            name: name.to_owned(),
            kind,
            length,
            unique: false,
            used_for: used_for.to_owned(),
        };
        let text = |name: &str, length, used_for| own(name, CrmKind::Text, Some(length), used_for);
        let mut wanted = vec![WantedField { unique: true, ..text(&self.ace_id, 20, "AWS's identifier") }];
        if let Some(share) = &self.share {
            wanted.push(own(share, CrmKind::Boolean, None, "shares the record with AWS"));
        }
        let StatusFields { sync_status, sync_message, last_sync, pending } = &self.status;
        wanted.extend(sync_status.iter().map(|name| text(name, 20, "how the record stands")));
        wanted.extend(sync_message.iter().map(|name| own(name, CrmKind::LongText, Some(32_768), "what to do")));
        wanted.extend(last_sync.iter().map(|name| own(name, CrmKind::DateTime, None, "when it was last in step")));
        wanted.extend(
            pending.iter().map(|name| own(name, CrmKind::LongText, Some(1_024), "what waits until AWS takes it")),
        );
        if let Some(referral) = &self.referral {
            let ReferralFields { invitation_id, status, accept_by, response, rejection_reason, expiring, .. } =
                referral;
            wanted.push(WantedField { unique: true, ..text(invitation_id, 40, "the invitation's identifier") });
            wanted.push(text(status, 20, "how the referral was answered"));
            wanted.extend(
                accept_by.iter().map(|name| own(name, CrmKind::DateTime, None, "until when it can be answered")),
            );
            wanted.push(own(response, CrmKind::Picklist, None, "where the rep answers"));
            wanted
                .extend(rejection_reason.iter().map(|name| own(name, CrmKind::Picklist, None, "why the rep rejects")));
            wanted.extend(
                expiring.iter().map(|name| own(name, CrmKind::Boolean, None, "the time for an answer is nearly over")),
            );
        }
        if let Some(ConvertFields { when, opportunity }) = &self.convert {
            wanted.push(own(when, CrmKind::Boolean, None, "says that the lead is converted"));
            wanted.push(own(opportunity, CrmKind::Reference, None, "the opportunity that it became"));
        }
        wanted.extend(self.fields.iter().flat_map(of_line));
        wanted.sort_by(|a, b| a.name.cmp(&b.name));
        wanted.dedup_by(|a, b| a.name == b.name);
        wanted
    }
}

fn of_line(line: &FieldMapping) -> impl Iterator<Item = WantedField> {
    const LONGEST_TEXT: u32 = 255;
    let whole = matches!(line.source, Source::Field(_));
    let (kind, length) = match line.ace.ty {
        _ if line.translation.check_box => (CrmKind::Boolean, None),
        Type::Text { max } if u32::from(max) > LONGEST_TEXT => (CrmKind::LongText, Some(u32::from(max).min(32_768))),
        Type::Text { max } => (CrmKind::Text, Some(max.into())),
        Type::Digits(count) => (CrmKind::Text, Some(count.into())),
        Type::Picklist(_) | Type::YesNo => (CrmKind::Picklist, None),
        Type::Picklists(_) => (CrmKind::MultiPicklist, None),
        Type::Identifiers(_) | Type::History => (CrmKind::LongText, Some(4_096)),
        Type::Email => (CrmKind::Email, None),
        Type::Phone => (CrmKind::Phone, None),
        Type::Url => (CrmKind::Url, None),
        Type::Number { decimals, .. } => (CrmKind::Number(decimals.into()), None),
        Type::Date if line.translation.zone.is_some() => (CrmKind::DateTime, None),
        Type::Date => (CrmKind::Date, None),
        Type::DateTime => (CrmKind::DateTime, None),
    };
    let of_object = line.source.paths().iter().filter(|path| !path.contains('.'));
    of_object.map(move |path| WantedField {
        name: path.clone(),
        kind: if whole { kind } else { CrmKind::Text },
        length: if whole { length } else { Some(LONGEST_TEXT) },
        unique: false,
        used_for: line.ace.key.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mapping;

    #[test]
    fn the_shipped_preset_says_what_it_needs() {
        let mapping = Mapping::parse(include_str!("../presets/salesforce.toml")).unwrap();
        let wanted = mapping.opportunity.wanted_fields();
        let of = |name: &str| wanted.iter().find(|field| field.name == name).unwrap();
        assert!(of("ACE_Opportunity_Id__c").unique && of("ACE_Invitation_Id__c").unique);
        assert_eq!(of("Share_With_AWS__c").kind, CrmKind::Boolean);
        assert_eq!(
            (of("ACE_Business_Problem__c").kind, of("ACE_Business_Problem__c").length),
            (CrmKind::LongText, Some(2000))
        );
        assert_eq!(of("ACE_Monthly_Revenue__c").kind, CrmKind::Number(2));
        assert_eq!(of("ACE_Delivery_Models__c").kind, CrmKind::MultiPicklist);
    }
}
