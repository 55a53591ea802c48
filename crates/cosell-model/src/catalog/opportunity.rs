//! Fields of an ACE opportunity.

use super::{
    Field,
    Required::{Create, Submit, Update, When},
    Type::{Date, DateTime, Digits, Email, Identifiers, Number, Phone, Picklist, Picklists, Text, Url, YesNo},
    Write, picklist as list,
};
use crate::life_cycle::Windows;

const AR: Windows = Windows::ACTION_REQUIRED;
const AP: Windows = Windows::APPROVED;
const LA: Windows = Windows::LAUNCHED;
const NO: Windows = Windows::NONE;

const fn f(key: &'static str, ty: super::Type, about: &'static str) -> Field {
    Field::new(key, ty, about)
}

const fn text(max: u16) -> super::Type {
    Text { max }
}

/// The catalog of opportunities.
#[rustfmt::skip]
pub static FIELDS: &[Field] = &[
    // Identity and standing
    f("apnCrmUniqueIdentifier", text(20), "The opportunity's identifier at AWS").read("Id"),
    f("partnerCrmUniqueIdentifier", text(64), "The record's identifier in the partner's CRM").body("PartnerOpportunityIdentifier", AR),
    f("opportunityOwnership", Picklist(&list::ORIGIN), "Who brought the deal: AWS or the partner").summary(&["Origin"]),
    f("status", Picklist(&list::REVIEW_STATUS), "How far AWS's review is").read("LifeCycle.ReviewStatus"),
    f("apnReviewerComments", text(u16::MAX), "What the reviewer wants changed").read("LifeCycle.ReviewComments"),
    f("reviewStatusReason", text(255), "Why the review ended as it did").api_only().read("LifeCycle.ReviewStatusReason"),
    f("createdDate", DateTime, "When it was created at AWS").read("CreatedDate"),
    f("lastModifiedDate", DateTime, "When it last changed at AWS; the key of the optimistic lock").read("LastModifiedDate"),
    f("createdBy", text(255), "Who created it"),
    f("lastModifiedBy", text(255), "Who changed it last"),
    // A lead becomes an opportunity by an operation of its own in the API.
    f("apnCrmLeadUniqueIdentifier", text(18), "The lead that became this opportunity"),
    f("backwardsCompatibilityChanges", text(u16::MAX), "What AWS changed to fit payload version 1.0"),
    f("acceptBy", DateTime, "Until when a referral must be answered").invited("ExpirationDate"),
    f("partnerAcceptanceStatus", Picklist(&list::ACCEPTANCE), "The partner's answer to a referral"),
    f("rejectionReason", Picklist(&list::REJECTION_REASON), "Why the partner declined a referral").write("RejectionReason", Write::OwnOperation, NO),

    // Customer
    f("customerCompanyName", text(120), "The customer's registered name").body("Customer.Account.CompanyName", NO).invited("Payload.OpportunityInvitation.Customer.CompanyName").required(Create),
    f("customerWebsite", Url, "The customer's web address").body("Customer.Account.WebsiteUrl", AR).invited("Payload.OpportunityInvitation.Customer.WebsiteUrl").required(Create),
    f("industry", Picklist(&list::INDUSTRY), "The customer's line of business").body("Customer.Account.Industry", NO).invited("Payload.OpportunityInvitation.Customer.Industry").required(Create),
    f("industryOther", text(255), "The line of business when the list has none").body("Customer.Account.OtherIndustry", NO).required(When("industry", "Other")),
    f("country", Picklist(&list::COUNTRY), "The customer's country").body("Customer.Account.Address.CountryCode", AR).invited("Payload.OpportunityInvitation.Customer.CountryCode").required(Create),
    f("state", text(255), "The customer's state, by AWS's list of names when in the United States").body("Customer.Account.Address.StateOrRegion", AR).required(When("country", "US")),
    f("city", text(255), "The customer's city").body("Customer.Account.Address.City", AR.and(AP)),
    f("streetAddress", text(255), "The customer's street and number").body("Customer.Account.Address.StreetAddress", AR.and(AP)),
    f("postalCode", text(20), "The customer's postal code, where the country has one").body("Customer.Account.Address.PostalCode", AR),
    f("customerDuns", Digits(9), "The customer's D-U-N-S number, nine digits").body("Customer.Account.Duns", AP),
    f("awsAccountId", Digits(12), "The customer's AWS account").body("Customer.Account.AwsAccountId", AP),
    f("customerFirstName", text(80), "The customer contact's first name").body("Customer.Contacts[0].FirstName", AP).personal(),
    f("customerLastName", text(80), "The customer contact's last name").body("Customer.Contacts[0].LastName", AP).personal(),
    f("customerEmail", Email, "The customer contact's e-mail").body("Customer.Contacts[0].Email", AP).personal(),
    f("customerPhone", Phone, "The customer contact's phone").body("Customer.Contacts[0].Phone", AP).personal(),
    f("customerTitle", text(80), "The customer contact's position").body("Customer.Contacts[0].BusinessTitle", AP).personal(),
    f("doesOppBelongToNatSec", YesNo, "Whether it touches classified national security matters").body("NationalSecurity", NO),

    // Project
    f("partnerProjectTitle", text(255), "The deal's name").body("Project.Title", NO).invited("Payload.OpportunityInvitation.Project.Title").required(Create),
    f("projectDescription", text(2000), "The customer's problem, 20 to 2,000 characters").body("Project.CustomerBusinessProblem", AR).invited("Payload.OpportunityInvitation.Project.BusinessProblem").required(Create),
    f("useCase", Picklist(&list::USE_CASE), "What the workload is for").body("Project.CustomerUseCase", AP).required(Submit),
    f("deliveryModel", Picklists(&list::DELIVERY_MODEL), "How the solution is delivered").body("Project.DeliveryModels", AP).required(Submit),
    f("salesActivities", Picklists(&list::SALES_ACTIVITY), "What has been done with the customer so far").body("Project.SalesActivities", AP).required(Submit),
    f("expectedMonthlyAwsRevenue", Number { decimals: 2 }, "Expected AWS revenue a month").body("Project.ExpectedCustomerSpend[TargetCompany=AWS].Amount", AR.and(AP)).invited("Payload.OpportunityInvitation.Project.ExpectedCustomerSpend[0].Amount").required(Create),
    f("expectedMonthlyAwsRevenueCurrency", text(3), "Currency of the expected revenue").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=AWS].CurrencyCode", AR).default("USD"),
    f("expectedMonthlyAwsRevenueFrequency", text(10), "Period of the expected revenue").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=AWS].Frequency", AR).default("Monthly"),
    f("targetCloseDate", Date, "When the deal is expected to launch").body("LifeCycle.TargetCloseDate", AR.and(AP)).invited("Payload.OpportunityInvitation.Project.TargetCompletionDate").required(Create),
    f("opportunityType", Picklist(&list::OPPORTUNITY_TYPE), "New business, a renewal or an expansion").body("OpportunityType", AP),
    f("parentOppId", text(20), "The opportunity that this one renews or extends").body("Project.RelatedOpportunityIdentifier", AP).required(When("opportunityType", "Flat Renewal")),
    f("partnerPrimaryNeedFromAws", Picklists(&list::PRIMARY_NEED), "What the partner wants AWS to do").body("PrimaryNeedsFromAws", AP),
    f("campaignName", Picklists(&list::APN_PROGRAM), "APN programmes behind the deal").body("Project.ApnPrograms", NO),
    f("competitiveTracking", Picklist(&list::COMPETITOR), "Whom the deal competes with").body("Project.CompetitorName", AP),
    f("competitiveTrackingOther", text(255), "The competitor when the list has none").body("Project.OtherCompetitorNames", AP).required(When("competitiveTracking", "*Other")),
    f("otherSolutionOffered", text(255), "The solution when none is associated").body("Project.OtherSolutionDescription", AP),
    f("additionalComments", text(255), "Anything else AWS should know").body("Project.AdditionalComments", AP.and(LA)),
    f("solutionOffered", Identifiers, "Partner solutions on offer").write("RelatedEntityIdentifiers.Solutions", Write::Associate("Solutions"), AP),
    f("awsProducts", Identifiers, "AWS products in the deal").write("RelatedEntityIdentifiers.AwsProducts", Write::Associate("AwsProducts"), AP),
    f("offers", Identifiers, "The Marketplace private offer").write("RelatedEntityIdentifiers.AwsMarketplaceOffers", Write::Associate("AwsMarketplaceOffers"), AP),

    // Life cycle
    f("stage", Picklist(&list::STAGE), "The partner's sales stage").body("LifeCycle.Stage", AP).required(Update).default("Prospect"),
    f("closedLostReason", Picklist(&list::CLOSED_LOST_REASON), "Why the deal was lost").body("LifeCycle.ClosedLostReason", AP).required(When("stage", "Closed Lost")),
    f("nextStep", text(255), "What happens next").body("LifeCycle.NextSteps", AP),
    // In the API a list of entries, which travels untouched; in the files one text.
    f("nextStepHistory", text(u16::MAX), "What was to happen next, one entry a line"),

    // Marketing
    f("isOppFromMarketingActivity", Picklist(&list::MARKETING_SOURCE), "Whether a campaign led to the deal").file("IsOppFromMarketingActivity").body("Marketing.Source", AP).default("None"),
    f("awsSFCampaignName", text(255), "AWS's code of the campaign").body("Marketing.CampaignName", AP),
    f("marketingActivityChannel", Picklists(&list::MARKETING_CHANNEL), "Channels of the campaign").body("Marketing.Channels", AP),
    f("marketingActivityUsecase", Picklists(&list::MARKETING_USE_CASE), "Topics of the campaign").body("Marketing.UseCases", AP),
    f("isMarketingDevelopmentFunded", YesNo, "Whether AWS paid for the campaign").body("Marketing.AwsFundingUsed", AP).required(When("isOppFromMarketingActivity", "Marketing Activity")),

    // Software revenue
    f("procurementType", Picklist(&list::PROCUREMENT), "How the customer pays for the software").body("SoftwareRevenue.DeliveryModel", AP.and(LA)),
    f("customerSoftwareValue", Number { decimals: 2 }, "Value of the software contract").body("SoftwareRevenue.Value.Amount", AP.and(LA)),
    f("customerSoftwareValueCurrency", text(3), "Currency of the contract value").body("SoftwareRevenue.Value.CurrencyCode", AP.and(LA)),
    f("contractStartDate", Date, "First day of the contract").body("SoftwareRevenue.EffectiveDate", AP.and(LA)),
    f("contractEndDate", Date, "Last day of the contract").body("SoftwareRevenue.ExpirationDate", AP.and(LA)),

    // The partner's people
    f("primaryContactFirstName", text(80), "The partner salesperson's first name").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].FirstName", Write::CreateOnly, AP).personal(),
    f("primaryContactLastName", text(80), "The partner salesperson's last name").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].LastName", Write::CreateOnly, AP).personal(),
    f("primaryContactEmail", Email, "The partner salesperson's e-mail").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].Email", Write::CreateOnly, AP).personal(),
    f("primaryContactPhone", Phone, "The partner salesperson's phone").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].Phone", Write::CreateOnly, AP).personal(),
    // In the API the title is the role by which the person is found.
    f("primaryContactTitle", text(80), "The partner salesperson's position").personal(),
    f("opportunityOwnerName", text(161), "The owner in Partner Central").personal(),
    f("opportunityOwnerEmail", Email, "E-mail of the owner in Partner Central").write("OpportunityTeam[BusinessTitle=OpportunityOwner].Email", Write::OwnOperation, AP).personal(),

    // AWS's side
    f("awsStage", text(80), "AWS's own sales stage").file("aWSStage").summary(&["LifeCycle.Stage"]),
    f("awsCloseDate", Date, "When AWS expects the launch").file("aWSCloseDate").summary(&["LifeCycle.TargetCloseDate"]),
    f("awsClosedLostReason", text(255), "Why AWS lost the deal").file("aWSClosedLostReason").summary(&["LifeCycle.ClosedLostReason"]),
    f("awsNextSteps", text(255), "What AWS does next").api_only().summary(&["LifeCycle.NextSteps"]),
    f("involvementType", text(40), "Whether AWS sells along or only looks on").api_only().summary(&["InvolvementType"]),
    f("cosellConvertReason", text(80), "Why AWS turned it into a co-sell").summary(&["InvolvementTypeChangeReason"]),
    f("engagementScore", Picklist(&list::ENGAGEMENT_SCORE), "How likely the customer buys through AWS Marketplace").summary(&["Insights.EngagementScore"]),
    f("recommendedNextBestActions", text(u16::MAX), "What AWS recommends to do next").summary(&["Insights.NextBestActions"]),
    f("awsSalesRepName", text(161), "AWS's salesperson").file("aWSSalesRepName").summary(&["OpportunityTeam[BusinessTitle=AWSSalesRep].FirstName", "OpportunityTeam[BusinessTitle=AWSSalesRep].LastName"]).personal(),
    f("awsSalesRepEmail", Email, "E-mail of AWS's salesperson").file("aWSSalesRepEmail").summary(&["OpportunityTeam[BusinessTitle=AWSSalesRep].Email"]).personal(),
    f("awsAccountOwnerName", text(161), "Who owns the customer at AWS").file("aWSAccountOwnerName").summary(&["OpportunityTeam[BusinessTitle=AWSAccountOwner].FirstName", "OpportunityTeam[BusinessTitle=AWSAccountOwner].LastName"]).personal(),
    f("awsAccountOwnerEmail", Email, "E-mail of who owns the customer at AWS").file("aWSAccountOwnerEmail").summary(&["OpportunityTeam[BusinessTitle=AWSAccountOwner].Email"]).personal(),
    f("partnerDeveloperManager", text(161), "The partner's development manager at AWS").summary(&["OpportunityTeam[BusinessTitle=PDM].FirstName", "OpportunityTeam[BusinessTitle=PDM].LastName"]).personal(),
    f("partnerDeveloperManagerEmail", Email, "E-mail of the development manager").summary(&["OpportunityTeam[BusinessTitle=PDM].Email"]).personal(),
    f("awsPartnerSuccessManagerName", text(161), "The partner's success manager at AWS").file("aWSPartnerSuccessManagerName").summary(&["OpportunityTeam[BusinessTitle=PSM].FirstName", "OpportunityTeam[BusinessTitle=PSM].LastName"]).personal(),
    f("awsPartnerSuccessManagerEmail", Email, "E-mail of the success manager").file("aWSPartnerSuccessManagerEmail").summary(&["OpportunityTeam[BusinessTitle=PSM].Email"]).personal(),
    f("awsIsvSuccessManagerName", text(161), "The partner's success manager for software vendors at AWS").file("aWSISVSuccessManagerName").summary(&["OpportunityTeam[BusinessTitle=ISVSM].FirstName", "OpportunityTeam[BusinessTitle=ISVSM].LastName"]).personal(),
    f("awsIsvSuccessManagerEmail", Email, "E-mail of the success manager for software vendors").file("aWSISVSuccessManagerEmail").summary(&["OpportunityTeam[BusinessTitle=ISVSM].Email"]).personal(),
    f("wwpsPdm", text(161), "The partner's development manager for the public sector at AWS").file("wWPSPDM").summary(&["OpportunityTeam[BusinessTitle=WWPSPDM].FirstName", "OpportunityTeam[BusinessTitle=WWPSPDM].LastName"]).personal(),
    f("wwpsPdmEmail", Email, "E-mail of the development manager for the public sector").file("wWPSPDMEmail").summary(&["OpportunityTeam[BusinessTitle=WWPSPDM].Email"]).personal(),
];
