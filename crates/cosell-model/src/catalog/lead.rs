//! Fields of an ACE lead. Leads are exchanged as files.

use super::{
    Field, Required,
    Type::{DateTime, Email, Number, Phone, Picklist, Text, Url},
    picklist as list,
};

const fn f(key: &'static str, max: u16, about: &'static str) -> Field {
    Field::new(key, Text { max }, about)
}

const fn typed(key: &'static str, ty: super::Type, about: &'static str) -> Field {
    Field::new(key, ty, about)
}

/// The catalog of leads.
#[rustfmt::skip]
pub static FIELDS: &[Field] = &[
    f("apnCrmUniqueIdentifier", 18, "The lead's identifier at AWS"),
    f("partnerCrmLeadId", 18, "The lead's identifier in the partner's CRM"),
    typed("status", Picklist(&list::LEAD_STATUS), "Where the lead stands").required(Required::Create),
    typed("currentLeadStage", Picklist(&list::ACCEPTANCE), "The partner's answer to the lead"),
    f("leadStatusReason", 255, "What the partner has done with the lead so far"),
    f("company", 255, "The customer's name"),
    f("fullName", 120, "The contact's full name").personal(),
    f("firstName", 40, "The contact's first name").personal(),
    f("lastName", 80, "The contact's last name").personal(),
    f("title", 128, "The contact's position").personal(),
    typed("email", Email, "The contact's e-mail").personal(),
    typed("phone", Phone, "The contact's phone").personal(),
    typed("website", Url, "The customer's web address"),
    f("streetAddress", 255, "The customer's street and number"),
    f("city", 40, "The customer's city"),
    f("state", 80, "The customer's state"),
    f("postalCode", 20, "The customer's postal code"),
    f("country", 80, "The customer's country"),
    f("industry", 80, "The customer's line of business"),
    f("segmentCompanySize", 255, "The customer's size"),
    f("levelOfAwsUsage", 255, "How far the customer is with AWS").file("levelofAWSUsage"),
    f("useCaseWorkload", 255, "What the customer wants to run"),
    f("projectDescription", 32000, "What the customer needs"),
    f("campaignName", 255, "AWS's campaign behind the lead"),
    f("campaignMemberStatus", 40, "How the contact took part in the campaign"),
    f("leadSource", 255, "Where AWS has the lead from"),
    typed("leadAge", Number { decimals: 0 }, "Days since the lead was created"),
    f("leadOwnerName", 120, "Who works on the lead at the partner").personal(),
    typed("leadOwnerEmail", Email, "E-mail of who works on the lead").personal(),
    typed("createdDate", DateTime, "When it was created at AWS"),
    f("createdBy", 255, "Who created it"),
    typed("lastModifiedDate", DateTime, "When it last changed at AWS"),
    f("lastModifiedBy", 255, "Who changed it last"),
];
