//! Fields of an ACE lead. Files carry most leads; the newer way is an engagement, whose `Lead` context the paths are in.
//! An engagement can have several interactions: the first one is read.

use super::{
    Field, Required,
    Type::{DateTime, Email, Number, Phone, Picklist, Text, Url},
    picklist as list,
};
use crate::Direction::{Both, ToAws};

const fn f(key: &'static str, ty: super::Type, about: &'static str) -> Field {
    Field::new(key, ty, about)
}

const fn text(max: u16) -> super::Type {
    Text { max }
}

macro_rules! customer {
    ($path:literal) => {
        concat!("Contexts[Type=Lead].Payload.Lead.Customer.", $path)
    };
}

macro_rules! interaction {
    ($path:literal) => {
        concat!("Contexts[Type=Lead].Payload.Lead.Interactions[0].", $path)
    };
}

macro_rules! invited {
    ($path:literal) => {
        concat!("Payload.LeadInvitation.", $path)
    };
}

/// The operation that changes what an engagement says about a lead.
const UPDATE: &str = "UpdateEngagementContext";

/// The catalog of leads.
#[rustfmt::skip]
pub static FIELDS: &[Field] = &[
    // Identity and standing
    f("apnCrmUniqueIdentifier", text(18), "The lead's identifier at AWS").flow(Both).files_only("an engagement in the API"),
    f("engagementId", text(20), "The engagement by which AWS shares the lead").api_only().read("Id"),
    f("partnerCrmLeadId", text(18), "The lead's identifier in the partner's CRM").flow(Both).files_only("the API keeps no such identifier").required(Required::Create),
    f("status", Picklist(&list::LEAD_STATUS), "Where the lead stands").flow(Both).files_only("the API has a qualification in its place").required(Required::Create),
    f("qualificationStatus", text(80), "Whether the lead is worth an opportunity").api_only().read("Contexts[Type=Lead].Payload.Lead.QualificationStatus").by(UPDATE),
    f("currentLeadStage", Picklist(&list::ACCEPTANCE), "The partner's answer to the lead").flow(Both).files_only("the API answers the invitation"),
    f("acceptBy", DateTime, "Until when the lead must be answered").api_only().invited("ExpirationDate"),
    f("leadStatusReason", text(255), "What the partner has done with the lead so far").flow(Both).files_only("no such member in the API"),
    f("leadReadinessScore", text(80), "AWS's score of the lead").api_only().read("Contexts[Type=Lead].Payload.Lead.Insights.LeadReadinessScore").invited("EnrichmentContext.LeadInsights.LeadReadinessScore"),
    f("createdDate", DateTime, "When it was created at AWS").read("CreatedAt"),
    f("createdBy", text(255), "Who created it").read("CreatedBy"),
    f("lastModifiedDate", DateTime, "When it last changed at AWS").read("ModifiedAt"),
    f("lastModifiedBy", text(255), "Who changed it last").read("ModifiedBy"),
    f("leadAge", Number { decimals: 0, in_files: 0 }, "Days since the lead was created").files_only("follows from the date of creation"),

    // Customer
    f("company", text(255), "The customer's name").read(customer!("CompanyName")).invited(invited!("Customer.CompanyName")).by(UPDATE),
    f("website", Url, "The customer's web address").flow(Both).read(customer!("WebsiteUrl")).invited(invited!("Customer.WebsiteUrl")).by(UPDATE),
    f("industry", Picklist(&list::LEAD_INDUSTRY), "The customer's line of business").flow(Both).read(customer!("Industry")).invited(invited!("Customer.Industry")).by(UPDATE),
    f("segmentCompanySize", text(255), "The customer's size").flow(Both).read(customer!("MarketSegment")).invited(invited!("Customer.MarketSegment")).by(UPDATE),
    f("levelOfAwsUsage", text(255), "How far the customer is with AWS").file_name("levelofAWSUsage").read(customer!("AwsMaturity")).invited(invited!("Customer.AwsMaturity")).by(UPDATE),
    f("country", Picklist(&list::LEAD_COUNTRY), "The customer's country").flow(Both).read(customer!("Address.CountryCode")).invited(invited!("Customer.CountryCode")).by(UPDATE),
    f("state", Picklist(&list::LEAD_STATE), "The customer's state").flow(Both).read(customer!("Address.StateOrRegion")).by(UPDATE),
    f("city", text(40), "The customer's city").flow(Both).read(customer!("Address.City")).by(UPDATE),
    f("postalCode", text(20), "The customer's postal code").flow(Both).read(customer!("Address.PostalCode")).by(UPDATE),
    f("streetAddress", text(255), "The customer's street and number").flow(Both).files_only("no such member in the API"),

    // Contact
    f("fullName", text(120), "The contact's full name").files_only("first and last name in the API").personal(),
    f("firstName", text(40), "The contact's first name").flow(ToAws).read(interaction!("Contact.FirstName")).by(UPDATE).personal(),
    f("lastName", text(80), "The contact's last name").flow(ToAws).read(interaction!("Contact.LastName")).by(UPDATE).personal(),
    f("title", text(128), "The contact's position").flow(Both).read(interaction!("Contact.BusinessTitle")).invited(invited!("Interaction.ContactBusinessTitle")).by(UPDATE).personal(),
    f("email", Email, "The contact's e-mail").flow(Both).read(interaction!("Contact.Email")).by(UPDATE).personal(),
    f("phone", Phone, "The contact's phone").flow(Both).read(interaction!("Contact.Phone")).by(UPDATE).personal(),

    // What it is about
    f("useCaseWorkload", super::Type::Picklists(&list::LEAD_USE_CASE), "What the customer wants to run").flow(Both).read(interaction!("Usecase")).invited(invited!("Interaction.Usecase")).by(UPDATE),
    f("projectDescription", text(32000), "What the customer needs").flow(Both).read(interaction!("BusinessProblem")).by(UPDATE),
    f("customerAction", text(255), "What the customer did").api_only().read(interaction!("CustomerAction")).by(UPDATE),
    f("interactionDate", DateTime, "When the customer did it").api_only().read(interaction!("InteractionDate")).by(UPDATE),
    f("campaignName", text(255), "AWS's campaign behind the lead").read(interaction!("SourceName")).invited(invited!("Interaction.SourceName")),
    f("campaignMemberStatus", text(40), "How the contact took part in the campaign").files_only("no such member in the API"),
    f("leadSource", text(255), "Where AWS has the lead from").read(interaction!("SourceType")).invited(invited!("Interaction.SourceType")),
    f("leadSourceId", text(255), "AWS's identifier of where it has the lead from").api_only().read(interaction!("SourceId")).invited(invited!("Interaction.SourceId")),

    // The partner's people
    f("leadOwnerName", text(120), "Who works on the lead at the partner").files_only("follows from the owner's e-mail").personal(),
    f("leadOwnerEmail", Email, "E-mail of who works on the lead").flow(Both).files_only("no such member in the API").personal(),
];
