//! Fields of an ACE opportunity.

use super::{
    Entity, Field,
    Required::{Create, Submit, Update, When},
    Type::{Date, DateTime, Digits, Email, History, Identifiers, Number, Phone, Picklist, Picklists, Text, Url, YesNo},
    Write, picklist as list,
};
use crate::{
    Direction::{Both, ToAws},
    life_cycle::Windows,
};

const AR: Windows = Windows::ACTION_REQUIRED;
const AP: Windows = Windows::APPROVED;
const LA: Windows = Windows::LAUNCHED;
const ISV: Windows = Windows::LAUNCHED_ISV;
const NO: Windows = Windows::NONE;

const fn f(key: &'static str, ty: super::Type, about: &'static str) -> Field {
    Field::new(key, ty, about)
}

const fn text(max: u16) -> super::Type {
    Text { max }
}

const MONEY: super::Type = Number { decimals: 2, in_files: 2 };
/// The files take the expected revenue in whole dollars only: Currency(18,0) in the field definitions.
const WHOLE_IN_FILES: super::Type = Number { decimals: 2, in_files: 0 };
const COUNT: super::Type = Number { decimals: 0, in_files: 0 };

/// The catalog of opportunities.
#[rustfmt::skip]
pub static FIELDS: &[Field] = &[
    // Identity and standing
    f("apnCrmUniqueIdentifier", text(20), "The opportunity's identifier at AWS").read("Id").flow(Both),
    f("partnerCrmUniqueIdentifier", text(64), "The record's identifier in the partner's CRM").body("PartnerOpportunityIdentifier", AR),
    f("opportunityOwnership", Picklist(&list::ORIGIN), "Who brought the deal: AWS or the partner").summary(&["Origin"]),
    f("status", Picklist(&list::REVIEW_STATUS), "How far AWS's review is").read("LifeCycle.ReviewStatus"),
    f("apnReviewerComments", text(u16::MAX), "What the reviewer wants changed").read("LifeCycle.ReviewComments"),
    f("reviewStatusReason", Picklist(&list::REVIEW_STATUS_REASON), "Why the review ended as it did").api_only().read("LifeCycle.ReviewStatusReason"),
    f("createdDate", DateTime, "When it was created at AWS").read("CreatedDate"),
    f("lastModifiedDate", DateTime, "When it last changed at AWS; the key of the optimistic lock").read("LastModifiedDate"),
    f("createdBy", text(255), "Who created it").files_only("the API does not say who"),
    f("lastModifiedBy", text(255), "Who changed it last").files_only("the API does not say who"),
    f("apnCrmLeadUniqueIdentifier", text(18), "The lead that became this opportunity").flow(Both).files_only("StartOpportunityFromEngagementTask in the API"),
    f("backwardsCompatibilityChanges", text(u16::MAX), "What AWS changed to fit payload version 1.0").files_only("says what was done to fit a file"),
    f("acceptBy", DateTime, "Until when a referral must be answered").invited("ExpirationDate"),
    f("partnerAcceptanceStatus", Picklist(&list::ACCEPTANCE), "The partner's answer to a referral").flow(Both).files_only("the API answers the invitation"),
    f("rejectionReason", Picklist(&list::REJECTION_REASON), "Why the partner declined a referral").by("RejectEngagementInvitation").invited("RejectionReason").flow(ToAws).since_v2(),

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
    f("customerDuns", Digits(9), "The customer's D-U-N-S number, nine digits").body("Customer.Account.Duns", AP).since_v2(),
    f("awsAccountId", Digits(12), "The customer's AWS account").body("Customer.Account.AwsAccountId", AP),
    f("customerFirstName", text(80), "The customer contact's first name").body("Customer.Contacts[0].FirstName", AP).personal(),
    f("customerLastName", text(80), "The customer contact's last name").body("Customer.Contacts[0].LastName", AP).personal(),
    f("customerEmail", Email, "The customer contact's e-mail").body("Customer.Contacts[0].Email", AP).personal(),
    f("customerPhone", Phone, "The customer contact's phone").body("Customer.Contacts[0].Phone", AP).personal(),
    f("customerTitle", text(80), "The customer contact's position").body("Customer.Contacts[0].BusinessTitle", AP).personal(),
    f("doesOppBelongToNatSec", YesNo, "Whether it touches classified national security matters").body("NationalSecurity", NO).since_v2().default_in_v1("No"),

    // Project
    f("partnerProjectTitle", text(255), "The deal's name").body("Project.Title", NO).invited("Payload.OpportunityInvitation.Project.Title").required(Create),
    f("projectDescription", text(2000), "The customer's problem, 20 to 2,000 characters").body("Project.CustomerBusinessProblem", AR).invited("Payload.OpportunityInvitation.Project.BusinessProblem").required(Create),
    f("useCase", Picklist(&list::USE_CASE), "What the workload is for").body("Project.CustomerUseCase", AP).required(Submit).older_in_v1(),
    f("deliveryModel", Picklists(&list::DELIVERY_MODEL), "How the solution is delivered").body("Project.DeliveryModels", AP.and(ISV)).required(Submit),
    f("salesActivities", Picklists(&list::SALES_ACTIVITY), "What has been done with the customer so far").body("Project.SalesActivities", AP).required(Submit).since_v2().default_in_v1("Initialized discussions with customer"),
    f("expectedMonthlyAwsRevenue", WHOLE_IN_FILES, "Expected AWS revenue a month").body("Project.ExpectedCustomerSpend[TargetCompany=AWS].Amount", AR.and(AP)).invited("Payload.OpportunityInvitation.Project.ExpectedCustomerSpend[0].Amount").required(Create),
    f("expectedMonthlyAwsRevenueCurrency", Picklist(&list::CURRENCY), "Currency of the expected revenue").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=AWS].CurrencyCode", AR).default("USD"),
    f("expectedMonthlyAwsRevenueFrequency", Picklist(&list::SPEND_FREQUENCY), "Period of the expected revenue").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=AWS].Frequency", AR).default("Monthly"),
    f("estimationUrl", Url, "AWS Pricing Calculator's link to the estimate; alone it sets the amount").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=AWS].EstimationUrl", AR),
    // Contract-value mode: the whole contract's value and its months, from which AWS derives the monthly amount.
    f("expectedContractValue", MONEY, "Value of the whole contract, in place of a monthly amount").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=Self].Amount", AR.and(AP)),
    f("expectedContractValueCurrency", Picklist(&list::CURRENCY), "Currency of the contract's value").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=Self].CurrencyCode", AR).default("USD"),
    f("expectedContractValueFrequency", Picklist(&list::SPEND_FREQUENCY), "Period of the contract's value: none").api_only().body("Project.ExpectedCustomerSpend[TargetCompany=Self].Frequency", AR).default("None"),
    f("contractDuration", COUNT, "Months that the contract lasts, 1 to 144").api_only().body("Project.ExpectedContractDuration.Value", AR.and(AP)),
    f("contractDurationTerm", Picklist(&list::CONTRACT_TERM), "Unit of the duration").api_only().body("Project.ExpectedContractDuration.Term", AR.and(AP)).default("Months"),
    f("awsPartition", Picklist(&list::PARTITION), "AWS partition of the workload, where it is not the usual one").api_only().body("Project.AwsPartition", NO),
    f("targetCloseDate", Date, "When the deal is expected to launch").body("LifeCycle.TargetCloseDate", AR.and(AP)).invited("Payload.OpportunityInvitation.Project.TargetCompletionDate").required(Create),
    f("opportunityType", Picklist(&list::OPPORTUNITY_TYPE), "New business, a renewal or an expansion").body("OpportunityType", AP.and(ISV)).since_v2().default_in_v1("Net New Business"),
    f("parentOppId", text(20), "The opportunity that this one renews or extends").body("Project.RelatedOpportunityIdentifier", AP.and(ISV)).required(When("opportunityType", "Flat Renewal")).since_v2(),
    f("partnerPrimaryNeedFromAws", Picklists(&list::PRIMARY_NEED), "What the partner wants AWS to do").body("PrimaryNeedsFromAws", AP).single_in_v1(),
    f("campaignName", Picklists(&list::APN_PROGRAM), "APN programmes behind the deal").body("Project.ApnPrograms", NO).single_in_v1(),
    f("competitiveTracking", Picklist(&list::COMPETITOR), "Whom the deal competes with").body("Project.CompetitorName", AP),
    f("competitiveTrackingOther", text(255), "The competitor when the list has none").body("Project.OtherCompetitorNames", AP).required(When("competitiveTracking", "*Other")),
    f("otherSolutionOffered", text(255), "The solution when none is associated").body("Project.OtherSolutionDescription", AP).since_v2(),
    f("additionalComments", text(255), "Anything else AWS should know").body("Project.AdditionalComments", AP.and(LA)),
    f("solutionOffered", Identifiers(Entity::Solution), "Partner solutions on offer").write("RelatedEntityIdentifiers.Solutions", Write::Associate, AP).since_v2().default_in_v1("Other"),
    f("awsMarketplaceSolutions", Identifiers(Entity::MarketplaceSolution), "AWS Marketplace solutions on offer").api_only().write("RelatedEntityIdentifiers.AwsMarketplaceSolutions", Write::Associate, AP),
    f("awsMarketplaceProducts", Identifiers(Entity::MarketplaceProduct), "AWS Marketplace products on offer").api_only().write("RelatedEntityIdentifiers.AwsMarketplaceProducts", Write::Associate, AP),
    f("awsProducts", Identifiers(Entity::AwsProduct), "AWS products in the deal").write("RelatedEntityIdentifiers.AwsProducts", Write::Associate, AP).since_v2(),
    f("offers", Identifiers(Entity::Offer), "The Marketplace private offer").write("RelatedEntityIdentifiers.AwsMarketplaceOffers", Write::Associate, AP).since_v2(),
    f("offerSets", Identifiers(Entity::OfferSet), "The Marketplace set of private offers, in place of one offer").api_only().write("RelatedEntityIdentifiers.AwsMarketplaceOfferSets", Write::Associate, AP),

    // Life cycle
    f("stage", Picklist(&list::STAGE), "The partner's sales stage").body("LifeCycle.Stage", AP).required(Update).default("Prospect"),
    f("closedLostReason", Picklist(&list::CLOSED_LOST_REASON), "Why the deal was lost").body("LifeCycle.ClosedLostReason", AP).required(When("stage", "Closed Lost")),
    f("nextStep", text(255), "What happens next").body("LifeCycle.NextSteps", AP),
    f("nextStepHistory", History, "What was to happen next, by the partner").read("LifeCycle.NextStepsHistory"),

    // Marketing
    f("isOppFromMarketingActivity", Picklist(&list::MARKETING_SOURCE), "Whether a campaign led to the deal").file_name("IsOppFromMarketingActivity").body("Marketing.Source", AP).default("None"),
    f("awsSFCampaignName", text(255), "AWS's code of the campaign").body("Marketing.CampaignName", AP),
    f("marketingActivityChannel", Picklists(&list::MARKETING_CHANNEL), "Channels of the campaign").body("Marketing.Channels", AP).required(When("isOppFromMarketingActivity", "Marketing Activity")),
    f("marketingActivityUsecase", Picklists(&list::MARKETING_USE_CASE), "Topics of the campaign").body("Marketing.UseCases", AP),
    f("isMarketingDevelopmentFunded", YesNo, "Whether AWS paid for the campaign").body("Marketing.AwsFundingUsed", AP).required(When("isOppFromMarketingActivity", "Marketing Activity")),

    // Software revenue
    f("procurementType", Picklist(&list::PROCUREMENT), "How the customer pays for the software").body("SoftwareRevenue.DeliveryModel", AP.and(LA)),
    f("customerSoftwareValue", MONEY, "Value of the software contract").body("SoftwareRevenue.Value.Amount", AP.and(LA)),
    f("customerSoftwareValueCurrency", Picklist(&list::CURRENCY), "Currency of the contract value").body("SoftwareRevenue.Value.CurrencyCode", AP.and(LA)),
    f("contractStartDate", Date, "First day of the contract").body("SoftwareRevenue.EffectiveDate", AP.and(LA)),
    f("contractEndDate", Date, "Last day of the contract").body("SoftwareRevenue.ExpirationDate", AP.and(LA)),

    // Retired: fields of payload 1.0
    f("subUseCase", text(255), "What the workload is for, in detail").flow(Both).until_v1(),
    f("awsFieldEngagement", YesNo, "Whether AWS's sellers are wanted").flow(Both).until_v1(),
    f("partnerPrimaryNeedFromAwsOther", text(255), "The need when the list has none").flow(Both).until_v1(),
    f("contractVehicle", text(255), "The public contract that is bought through").flow(Both).until_v1(),
    f("rfxSolicitationNumber", text(255), "The number of the public tender").flow(Both).until_v1(),
    f("isThisForMarketplace", YesNo, "Whether it is sold through AWS Marketplace").flow(Both).until_v1(),
    f("isNetNewBusinessForCompany", YesNo, "Whether the customer is new to the partner").flow(Both).until_v1(),
    f("isThisAPublicReference", YesNo, "Whether the customer may be named").flow(Both).until_v1(),
    f("publicReferenceTitle", text(255), "Title of what names the customer").flow(Both).until_v1(),
    f("publicReferenceUrl", Url, "Address of what names the customer").flow(Both).until_v1(),
    f("leadSource", text(255), "Where the partner has the deal from").flow(Both).until_v1(),

    // The partner's people
    f("primaryContactFirstName", text(80), "The partner salesperson's first name").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].FirstName", Write::CreateOnly, AP).personal(),
    f("primaryContactLastName", text(80), "The partner salesperson's last name").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].LastName", Write::CreateOnly, AP).personal(),
    f("primaryContactEmail", Email, "The partner salesperson's e-mail").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].Email", Write::CreateOnly, AP).personal(),
    f("primaryContactPhone", Phone, "The partner salesperson's phone").write("OpportunityTeam[BusinessTitle=PartnerAccountManager].Phone", Write::CreateOnly, AP).personal(),
    f("primaryContactTitle", text(80), "The partner salesperson's position").personal().since_v2().flow(Both).files_only("in the API the title is the role by which the person is found"),
    f("opportunityOwnerName", text(161), "The owner in Partner Central").personal().flow(Both).files_only("follows from the owner's e-mail"),
    f("opportunityOwnerEmail", Email, "E-mail of the owner in Partner Central").write("OpportunityTeam[BusinessTitle=OpportunityOwner].Email", Write::Operation("AssignOpportunity"), AP).personal(),

    // AWS's side
    f("awsStage", Picklist(&list::AWS_STAGE), "AWS's own sales stage").file_name("aWSStage").summary(&["LifeCycle.Stage"]),
    f("awsCloseDate", Date, "When AWS expects the launch").file_name("aWSCloseDate").summary(&["LifeCycle.TargetCloseDate"]),
    f("awsClosedLostReason", Picklist(&list::AWS_CLOSED_LOST_REASON), "Why AWS lost the deal").file_name("aWSClosedLostReason").summary(&["LifeCycle.ClosedLostReason"]),
    f("awsNextSteps", text(255), "What AWS does next").api_only().summary(&["LifeCycle.NextSteps"]),
    f("awsNextStepHistory", History, "What AWS was to do next").api_only().summary(&["LifeCycle.NextStepsHistory"]),
    f("awsExpectedMonthlyRevenue", MONEY, "What AWS expects a month").api_only().summary(&["Project.ExpectedCustomerSpend[0].Amount"]),
    f("visibility", Picklist(&list::VISIBILITY), "How much of the deal AWS's sellers see: `Full` or `Limited`, said at the submission").api_only().summary(&["Visibility"]).by("StartEngagementFromOpportunityTask"),
    f("cosellMotion", text(255), "How AWS works on the deal").api_only().summary(&["CosellMotion"]),
    f("involvementType", Picklist(&list::INVOLVEMENT), "Whether AWS sells along or only looks on").api_only().summary(&["InvolvementType"]),
    f("cosellConvertReason", Picklist(&list::CO_SELL_REASON), "Why AWS turned it into a co-sell").summary(&["InvolvementTypeChangeReason"]).since_v2(),
    f("engagementScore", Picklist(&list::ENGAGEMENT_SCORE), "How likely the customer buys through AWS Marketplace").summary(&["Insights.EngagementScore"]).since_v2(),
    f("recommendedNextBestActions", text(u16::MAX), "What AWS recommends to do next").summary(&["Insights.NextBestActions"]).since_v2(),
    f("awsRecommendations", History, "What AWS recommends for the deal").api_only().summary(&["Insights.Recommendations"]),
    f("awsSpendEstimate", MONEY, "What AWS expects the customer to spend on its products a month").api_only().summary(&["Insights.AwsProductsSpendInsightsBySource.AWS.TotalAmount"]),
    f("partnerSpendEstimate", MONEY, "What the partner's estimate says of that").api_only().summary(&["Insights.AwsProductsSpendInsightsBySource.Partner.TotalAmount"]),
    f("opportunityQuality", COUNT, "AWS's score of the record's completeness, 0 to 100").api_only().summary(&["Insights.OpportunityQuality.Score"]),
    f("opportunityQualityTrend", text(80), "Which way the score moves").api_only().summary(&["Insights.OpportunityQuality.Trend"]),
    f("awsSalesRepName", text(161), "AWS's salesperson").file_name("aWSSalesRepName").summary(&["OpportunityTeam[BusinessTitle=AWSSalesRep].FirstName", "OpportunityTeam[BusinessTitle=AWSSalesRep].LastName"]).personal(),
    f("awsSalesRepEmail", Email, "E-mail of AWS's salesperson").file_name("aWSSalesRepEmail").summary(&["OpportunityTeam[BusinessTitle=AWSSalesRep].Email"]).personal(),
    f("awsAccountOwnerName", text(161), "Who owns the customer at AWS").file_name("aWSAccountOwnerName").summary(&["OpportunityTeam[BusinessTitle=AWSAccountOwner].FirstName", "OpportunityTeam[BusinessTitle=AWSAccountOwner].LastName"]).personal(),
    f("awsAccountOwnerEmail", Email, "E-mail of who owns the customer at AWS").file_name("aWSAccountOwnerEmail").summary(&["OpportunityTeam[BusinessTitle=AWSAccountOwner].Email"]).personal(),
    f("partnerDeveloperManager", text(161), "The partner's development manager at AWS").summary(&["OpportunityTeam[BusinessTitle=PDM].FirstName", "OpportunityTeam[BusinessTitle=PDM].LastName"]).personal(),
    f("partnerDeveloperManagerEmail", Email, "E-mail of the development manager").summary(&["OpportunityTeam[BusinessTitle=PDM].Email"]).personal(),
    f("partnerDeveloperManagerPhone", Phone, "Phone of the development manager").files_only("the API gives no phones of AWS's people").personal(),
    f("awsPartnerSuccessManagerName", text(161), "The partner's success manager at AWS").file_name("aWSPartnerSuccessManagerName").summary(&["OpportunityTeam[BusinessTitle=PSM].FirstName", "OpportunityTeam[BusinessTitle=PSM].LastName"]).personal(),
    f("awsPartnerSuccessManagerEmail", Email, "E-mail of the success manager").file_name("aWSPartnerSuccessManagerEmail").summary(&["OpportunityTeam[BusinessTitle=PSM].Email"]).personal(),
    f("awsIsvSuccessManagerName", text(161), "The partner's success manager for software vendors at AWS").file_name("aWSISVSuccessManagerName").summary(&["OpportunityTeam[BusinessTitle=ISVSM].FirstName", "OpportunityTeam[BusinessTitle=ISVSM].LastName"]).personal(),
    f("awsIsvSuccessManagerEmail", Email, "E-mail of the success manager for software vendors").file_name("aWSISVSuccessManagerEmail").summary(&["OpportunityTeam[BusinessTitle=ISVSM].Email"]).personal(),
    f("wwpsPdm", text(161), "The partner's development manager for the public sector at AWS").file_name("wWPSPDM").summary(&["OpportunityTeam[BusinessTitle=WWPSPDM].FirstName", "OpportunityTeam[BusinessTitle=WWPSPDM].LastName"]).personal(),
    f("wwpsPdmEmail", Email, "E-mail of the development manager for the public sector").file_name("wWPSPDMEmail").summary(&["OpportunityTeam[BusinessTitle=WWPSPDM].Email"]).personal(),
];
