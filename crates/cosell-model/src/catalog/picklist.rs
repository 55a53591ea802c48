//! The lists of values, in the API's spelling, with what the files spell differently. Sources: AWS's sheets of standard
//! values, the enumerations of the API's service model, and the published list of AWS products.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    sync::LazyLock,
};

use serde::Deserialize;

/// A list of values that AWS accepts, in the API's spelling. There is one of each, so two are equal when they are the
/// same.
#[derive(Debug)]
pub struct Picklist {
    /// What messages call it.
    pub name: &'static str,
    values: Values,
    /// Values that the S3 files spell differently: (API, file).
    pub in_files: &'static [(&'static str, &'static str)],
    /// The value by which files and CRMs say "none of these", which the API says by naming no value.
    pub none: Option<&'static str>,
    /// Values that the files take and the API does not.
    pub files_only: &'static [&'static str],
    /// Whether AWS keeps the list on its servers and may lengthen it: a value that is not here may still be right, and
    /// AWS's own answer decides.
    pub open: bool,
}

impl PartialEq for Picklist {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Picklist {}

impl Picklist {
    /// Whether AWS takes `value` through the API, as far as is known here. The value for "none of these" counts: the
    /// API has a way to say it.
    pub fn has(&self, value: &str) -> bool {
        self.open || self.none == Some(value) || self.values.have(value)
    }

    /// Whether AWS takes `value`, in the API's spelling, through the files.
    pub fn has_in_files(&self, value: &str) -> bool {
        self.has(value) || self.files_only.contains(&value)
    }

    /// The values of the API that are known here.
    pub fn values(&self) -> impl Iterator<Item = &'static str> {
        self.values.all().iter().copied()
    }

    /// The API's spelling of a value from a file; unknown values stay as they are.
    pub fn from_file<'v>(&self, value: &'v str) -> &'v str {
        let here = self.in_files.iter().find(|(_, file)| *file == value).map(|(api, _)| *api);
        here.or_else(|| self.values.table()?.api.get(value).copied()).unwrap_or(value)
    }

    /// The files' spelling of a value of the API; unknown values stay as they are.
    pub fn to_file<'v>(&self, value: &'v str) -> &'v str {
        let here = self.in_files.iter().find(|(api, _)| *api == value).map(|(_, file)| *file);
        here.or_else(|| self.values.table()?.file.get(value).copied()).unwrap_or(value)
    }

    /// The value that somebody may have meant: one that differs only in case, white space, dashes, or `&` for `and`
    /// from `value`, by the API's spelling or the files'.
    pub fn nearest(&self, value: &str) -> Option<&'static str> {
        let wanted = fold(value);
        let in_api = self.values().chain(self.none).map(|value| (value, value));
        let here = self.in_files.iter().map(|(api, file)| (*file, *api));
        let in_table =
            self.values.table().into_iter().flat_map(|table| table.api.iter().map(|(file, api)| (*file, *api)));
        in_api.chain(here).chain(in_table).find(|(spelling, _)| fold(spelling) == wanted).map(|(_, api)| api)
    }

    const fn spelled(mut self, in_files: &'static [(&'static str, &'static str)]) -> Self {
        self.in_files = in_files;
        self
    }

    const fn none(mut self, value: &'static str) -> Self {
        self.none = Some(value);
        self
    }

    const fn files_only(mut self, values: &'static [&'static str]) -> Self {
        self.files_only = values;
        self
    }

    const fn open(mut self) -> Self {
        self.open = true;
        self
    }
}

const fn list(name: &'static str, values: &'static [&'static str]) -> Picklist {
    Picklist { name, values: Values::Few(values), in_files: &[], none: None, files_only: &[], open: false }
}

const fn table(name: &'static str, table: &'static LazyLock<Table>) -> Picklist {
    Picklist { name, values: Values::Many(table), in_files: &[], none: None, files_only: &[], open: false }
}

/// A spelling without what people write in different ways.
fn fold(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}'));
    kept.flat_map(char::to_lowercase).collect::<String>().replace('&', "and")
}

#[derive(Debug)]
enum Values {
    Few(&'static [&'static str]),
    Many(&'static LazyLock<Table>),
}

impl Values {
    fn all(&self) -> &'static [&'static str] {
        match self {
            Self::Few(values) => values,
            Self::Many(table) => &table.values,
        }
    }

    fn have(&self, value: &str) -> bool {
        match self {
            Self::Few(values) => values.contains(&value),
            Self::Many(table) => table.file.contains_key(value),
        }
    }

    fn table(&self) -> Option<&'static Table> {
        match self {
            Self::Few(_) => None,
            Self::Many(table) => Some(table),
        }
    }
}

/// A long list, read from a data file once.
#[derive(Debug)]
struct Table {
    values: Vec<&'static str>,
    /// The spelling that is written into files, by value.
    file: HashMap<&'static str, &'static str>,
    /// The value, by every spelling that is read.
    api: HashMap<&'static str, &'static str>,
}

impl Table {
    /// Of pairs (API, spelling). A value's first spelling is the one that is written.
    fn of(pairs: impl Iterator<Item = (&'static str, &'static str)>) -> Self {
        let (mut values, mut file, mut api) = (Vec::new(), HashMap::new(), HashMap::new());
        for (value, spelling) in pairs {
            api.insert(spelling, value);
            if let Entry::Vacant(new) = file.entry(value) {
                new.insert(spelling);
                values.push(value);
            }
        }
        Self { values, file, api }
    }

    /// Of a file with one value a line.
    fn lines(text: &'static str) -> Self {
        Self::of(text.lines().map(|line| (line, line)))
    }
}

/// The lines of `countries.tsv`: the code, the name that is written into files, others that are read, separated by `|`.
static COUNTRIES: LazyLock<Table> = LazyLock::new(|| {
    let names = |line: &'static str| {
        let (code, names) = line.split_once('\t').unwrap_or((line, line));
        names.split(['\t', '|']).map(move |name| (code, name))
    };
    Table::of(include_str!("../../data/countries.tsv").lines().flat_map(names))
});
static CURRENCIES: LazyLock<Table> = LazyLock::new(|| Table::lines(include_str!("../../data/currencies.txt")));
static LEAD_STATES: LazyLock<Table> = LazyLock::new(|| Table::lines(include_str!("../../data/lead_states.txt")));
static PRODUCT_CODES: LazyLock<Table> = LazyLock::new(|| {
    let spellings =
        |product: &'static Product| [&product.code, &product.name].map(|spelling| (&*product.code, &**spelling));
    Table::of(products().flat_map(spellings))
});

/// A country: the API takes its code, the files its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166.
    pub code: &'static str,
    /// The name that is written into files.
    pub name: &'static str,
}

/// The countries that AWS knows.
pub fn countries() -> impl Iterator<Item = Country> {
    COUNTRY.values().map(|code| Country { code, name: COUNTRY.to_file(code) })
}

/// An AWS product that can be associated with an opportunity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Product {
    /// What files and API call it.
    #[serde(rename = "Identifier")]
    pub code: Cow<'static, str>,
    /// What people call it.
    pub name: Cow<'static, str>,
    /// The group of products to which it belongs.
    pub family: Cow<'static, str>,
}

/// The AWS products that were known when this was built, by code.
///
/// AWS publishes them as `resources/aws_products.json` in `aws-samples/partner-crm-integration-samples`. To take over
/// a newer list:
///
/// ```sh
/// jq -r '.[] | [.Identifier, .Name, .Family] | @tsv' aws_products.json | LC_ALL=C sort > data/aws_products.tsv
/// ```
pub fn products() -> impl Iterator<Item = &'static Product> {
    static PRODUCTS: LazyLock<Vec<Product>> = LazyLock::new(|| {
        let read = |line: &'static str| {
            let mut columns = line.split('\t').map(Cow::Borrowed);
            Some(Product { code: columns.next()?, name: columns.next()?, family: columns.next()? })
        };
        include_str!("../../data/aws_products.tsv").lines().filter_map(read).collect()
    });
    PRODUCTS.iter()
}

/// The AWS products in the JSON that AWS publishes, for a list newer than [`products`].
pub fn read_products(bytes: &[u8]) -> Result<Vec<Product>, serde_json::Error> {
    serde_json::from_slice(bytes)
}

// Identity and standing

/// Who brought the deal.
pub static ORIGIN: Picklist = list("origins", &["AWS Referral", "Partner Referral"]);

/// The partner's answer to a referral or a lead.
pub static ACCEPTANCE: Picklist = list("acceptance", &["Accepted", "Rejected"]);

/// Steps of AWS's review.
pub static REVIEW_STATUS: Picklist = list(
    "review statuses",
    &["Pending Submission", "Submitted", "In review", "Action Required", "Approved", "Rejected"],
)
.spelled(&[("Pending Submission", "Draft")]);

/// What AWS wants clarified.
pub static REVIEW_STATUS_REASON: Picklist = list(
    "reasons of the review",
    &[
        "Bulk Upload Response",
        "Clarify Revenue",
        "Clarify Solution",
        "Forecast Conflict",
        "Other",
        "Other - Internal Review",
    ],
)
.open();

/// Why a partner declines a referral.
pub static REJECTION_REASON: Picklist = list(
    "rejection reasons",
    &["Customer problem unclear", "Next steps unclear", "Unable to support", "Duplicate of partner referral", "Other"],
)
.spelled(&[("Duplicate of partner referral", "Duplicate of Partner Referral")])
.files_only(&["Renewal opportunity"]);

// Customer

/// Lines of business of an opportunity's customer.
pub static INDUSTRY: Picklist = list(
    "industries",
    &[
        "Aerospace",
        "Agriculture",
        "Automotive",
        "Computers and Electronics",
        "Consumer Goods",
        "Education",
        "Energy - Oil and Gas",
        "Energy - Power and Utilities",
        "Financial Services",
        "Gaming",
        "Government",
        "Healthcare",
        "Hospitality",
        "Life Sciences",
        "Manufacturing",
        "Marketing and Advertising",
        "Media and Entertainment",
        "Mining",
        "Non-Profit Organization",
        "Professional Services",
        "Real Estate and Construction",
        "Retail",
        "Software and Internet",
        "Telecommunications",
        "Transportation and Logistics",
        "Travel",
        "Wholesale and Distribution",
        "Other",
    ],
)
// The files write an ampersand.
.spelled(&[
    ("Computers and Electronics", "Computers & Electronics"),
    ("Energy - Oil and Gas", "Energy - Oil & Gas"),
    ("Energy - Power and Utilities", "Energy - Power & Utilities"),
    ("Marketing and Advertising", "Marketing & Advertising"),
    ("Media and Entertainment", "Media & Entertainment"),
    ("Real Estate and Construction", "Real Estate & Construction"),
    ("Software and Internet", "Software & Internet"),
    ("Transportation and Logistics", "Transportation & Logistics"),
    ("Wholesale and Distribution", "Wholesale & Distribution"),
]);

/// Countries of opportunities: the API takes ISO 3166 codes, the files names.
pub static COUNTRY: Picklist = table("countries", &COUNTRIES);

/// The only values for the state when the country is the United States: states, territories and military mail.
pub static US_STATE: Picklist = list(
    "US states",
    &[
        "Alabama",
        "Alaska",
        "American Samoa",
        "Arizona",
        "Arkansas",
        "California",
        "Colorado",
        "Connecticut",
        "Delaware",
        "Dist. of Columbia",
        "Federated States of Micronesia",
        "Florida",
        "Georgia",
        "Guam",
        "Hawaii",
        "Idaho",
        "Illinois",
        "Indiana",
        "Iowa",
        "Kansas",
        "Kentucky",
        "Louisiana",
        "Maine",
        "Marshall Islands",
        "Maryland",
        "Massachusetts",
        "Michigan",
        "Minnesota",
        "Mississippi",
        "Missouri",
        "Montana",
        "Nebraska",
        "Nevada",
        "New Hampshire",
        "New Jersey",
        "New Mexico",
        "New York",
        "North Carolina",
        "North Dakota",
        "Northern Mariana Islands",
        "Ohio",
        "Oklahoma",
        "Oregon",
        "Palau",
        "Pennsylvania",
        "Puerto Rico",
        "Rhode Island",
        "South Carolina",
        "South Dakota",
        "Tennessee",
        "Texas",
        "Utah",
        "Vermont",
        "Virgin Islands",
        "Virginia",
        "Washington",
        "West Virginia",
        "Wisconsin",
        "Wyoming",
        "APO/AE",
        "AFO/FPO",
        "FPO, AP",
    ],
);

// Project

/// What a workload is for.
pub static USE_CASE: Picklist = list(
    "use cases",
    &[
        "AI Machine Learning and Analytics",
        "Archiving",
        "Big Data: Data Warehouse / Data Integration / ETL / Data Lake / BI",
        "Blockchain",
        "Business Applications: Mainframe Modernization",
        "Business Applications & Contact Center",
        "Business Applications & SAP Production",
        "Centralized Operations Management",
        "Cloud Management Tools",
        "Cloud Management Tools & DevOps with Continuous Integration & Continuous Delivery (CICD)",
        "Configuration, Compliance & Auditing",
        "Connected Services",
        "Containers & Serverless",
        "Content Delivery & Edge Services",
        "Database",
        "Edge Computing / End User Computing",
        "Energy",
        "Enterprise Governance & Controls",
        "Enterprise Resource Planning",
        "Financial Services",
        "Healthcare and Life Sciences",
        "High Performance Computing",
        "Hybrid Application Platform",
        "Industrial Software",
        "IOT",
        "Manufacturing, Supply Chain and Operations",
        "Media & High performance computing (HPC)",
        "Migration / Database Migration",
        "Monitoring, logging and performance",
        "Monitoring & Observability",
        "Networking",
        "Outpost",
        "SAP",
        "Security & Compliance",
        "Storage & Backup",
        "Training",
        "VMC",
        "VMWare",
        "Web development & DevOps",
    ],
)
.open();

/// How the solution is delivered.
pub static DELIVERY_MODEL: Picklist = list(
    "delivery models",
    &["SaaS or PaaS", "BYOL or AMI", "Managed Services", "Professional Services", "Resell", "Other"],
);

/// What has been done with the customer.
pub static SALES_ACTIVITY: Picklist = list(
    "sales activities",
    &[
        "Initialized discussions with customer",
        "Customer has shown interest in solution",
        "Conducted POC / Demo",
        "In evaluation / planning stage",
        "Agreed on solution to Business Problem",
        "Completed Action Plan",
        "Finalized Deployment Need",
        "SOW Signed",
    ],
);

/// Currencies, by ISO 4217 code.
pub static CURRENCY: Picklist = table("currencies", &CURRENCIES);

/// Periods of an amount: `None` is for the total of a contract.
pub static SPEND_FREQUENCY: Picklist = list("spend frequencies", &["Monthly", "None"]);

/// Units of the length of a contract.
pub static CONTRACT_TERM: Picklist = list("contract terms", &["Months"]);

/// AWS partitions other than the usual one.
pub static PARTITION: Picklist = list("partitions", &["aws-eusc"]);

/// Kinds of business.
pub static OPPORTUNITY_TYPE: Picklist = list("opportunity types", &["Net New Business", "Flat Renewal", "Expansion"]);

/// What the partner wants AWS to do.
pub static PRIMARY_NEED: Picklist = list(
    "needs from AWS",
    &[
        "Co-Sell - Architectural Validation",
        "Co-Sell - Business Presentation",
        "Co-Sell - Competitive Information",
        "Co-Sell - Pricing Assistance",
        "Co-Sell - Technical Consultation",
        "Co-Sell - Total Cost of Ownership Evaluation",
        "Co-Sell - Deal Support",
        "Co-Sell - Support for Public Tender / RFx",
    ],
)
.none("Do Not Need Support from AWS Sales Rep");

/// APN programmes behind a deal.
pub static APN_PROGRAM: Picklist = list(
    "APN programmes",
    &[
        "APN Immersion Days",
        "APN Solution Space",
        "ATO (Authority to Operate)",
        "AWS Marketplace Campaign",
        "IS Immersion Day SFID Program",
        "ISV Workload Migration",
        "Migration Acceleration Program",
        "P3",
        "Partner Launch Initiative",
        "Partner Opportunity Acceleration Funded",
        "The Next Smart",
        "VMware Cloud on AWS",
        "Well-Architected",
        "Windows",
        "Workspaces/AppStream Accelerator Program",
        "WWPS NDPP",
    ],
)
.spelled(&[("IS Immersion Day SFID Program", "ISV Immersion Day SFID Program")])
.open();

/// Whom a deal competes with.
pub static COMPETITOR: Picklist = list(
    "competitors",
    &[
        "Oracle Cloud",
        "On-Prem",
        "Co-location",
        "Akamai",
        "AliCloud",
        "Google Cloud Platform",
        "IBM Softlayer",
        "Microsoft Azure",
        "Other- Cost Optimization",
        "No Competition",
        "*Other",
    ],
);

/// Codes of the AWS products in a deal. Names of products are read, codes are written.
pub static AWS_PRODUCT: Picklist = table("AWS products", &PRODUCT_CODES).open();

// Life cycle

/// The partner's sales stages.
pub static STAGE: Picklist = list(
    "stages",
    &["Prospect", "Qualified", "Technical Validation", "Business Validation", "Committed", "Launched", "Closed Lost"],
);

/// Why the partner lost a deal.
pub static CLOSED_LOST_REASON: Picklist = list(
    "closed lost reasons",
    &[
        "Customer Deficiency",
        "Delay / Cancellation of Project",
        "Legal / Tax / Regulatory",
        "Lost to Competitor - Google",
        "Lost to Competitor - Microsoft",
        "Lost to Competitor - SoftLayer",
        "Lost to Competitor - VMWare",
        "Lost to Competitor - Other",
        "No Opportunity",
        "On Premises Deployment",
        "Partner Gap",
        "Price",
        "Security / Compliance",
        "Technical Limitations",
        "Customer Experience",
        "Other",
        "People/Relationship/Governance",
        "Product/Technology",
        "Financial/Commercial",
    ],
)
// The files write an en dash.
.spelled(&[
    ("Lost to Competitor - Google", "Lost to Competitor – Google"),
    ("Lost to Competitor - Microsoft", "Lost to Competitor – Microsoft"),
    ("Lost to Competitor - SoftLayer", "Lost to Competitor – SoftLayer"),
    ("Lost to Competitor - VMWare", "Lost to Competitor – VMWare"),
    ("Lost to Competitor - Other", "Lost to Competitor – Other"),
]);

// Marketing and software revenue

/// Whether a campaign led to the deal.
pub static MARKETING_SOURCE: Picklist = list("marketing sources", &["Marketing Activity", "None"])
    .spelled(&[("Marketing Activity", "Yes"), ("None", "No")]);

/// Topics of a campaign.
pub static MARKETING_USE_CASE: Picklist = list(
    "marketing use cases",
    &[
        "AI/ML",
        "Analytics",
        "Application Integration",
        "Blockchain",
        "Business Applications",
        "Cloud Financial Management",
        "Compute",
        "Containers",
        "Customer Engagement",
        "Databases",
        "Developer Tools",
        "End User Computing",
        "Front End Web & Mobile",
        "Game Tech",
        "IoT",
        "Management & Governance",
        "Media Services",
        "Migration & Transfer",
        "Networking & Content Delivery",
        "Quantum Technologies",
        "Robotics",
        "Satellite",
        "Security",
        "Serverless",
        "Storage",
        "VR & AR",
    ],
)
.open();

/// Channels of a campaign.
pub static MARKETING_CHANNEL: Picklist = list(
    "marketing channels",
    &[
        "AWS Marketing Central",
        "Content Syndication",
        "Display",
        "Email",
        "Live Event",
        "Out Of Home (OOH)",
        "Print",
        "Search",
        "Social",
        "Telemarketing",
        "TV",
        "Video",
        "Virtual Event",
    ],
);

/// How the customer pays for the software.
pub static PROCUREMENT: Picklist = list("procurement types", &["Contract", "Pay-as-you-go", "Subscription"]);

// AWS's side

/// AWS's own sales stages.
pub static AWS_STAGE: Picklist = list(
    "AWS's stages",
    &[
        "Building Integration",
        "Business Validation",
        "Closed Incomplete",
        "Closed Lost",
        "Committed",
        "Completed",
        "Contract Negotiation",
        "Deferred to Partner",
        "Engaged",
        "Evaluating",
        "Identified",
        "In Progress",
        "Launched",
        "Not Started",
        "On-hold",
        "Onboarding",
        "Prospect",
        "Qualified",
        "Qualify",
        "Research",
        "Seller Engaged",
        "Seller Registered",
        "Technical Validation",
        "Term Sheet Negotiation",
    ],
)
.open();

/// Why AWS lost a deal.
pub static AWS_CLOSED_LOST_REASON: Picklist = list(
    "AWS's closed lost reasons",
    &[
        "Administrative",
        "Business Associate Agreement",
        "Company Acquired/Dissolved",
        "Competitive Offering",
        "Customer Data Requirement",
        "Customer Deficiency",
        "Customer Experience",
        "Delay / Cancellation of Project",
        "Duplicate",
        "Duplicate Opportunity",
        "Executive Blocker",
        "Failed Vetting",
        "Feature Limitation",
        "Financial/Commercial",
        "Insufficient AWS Value",
        "Insufficient Amazon Value",
        "International Constraints",
        "Legal / Tax / Regulatory",
        "Legal Terms and Conditions",
        "Lost to Competitor",
        "Lost to Competitor - Google",
        "Lost to Competitor - Microsoft",
        "Lost to Competitor - Other",
        "Lost to Competitor - Rackspace",
        "Lost to Competitor - SoftLayer",
        "Lost to Competitor - VMWare",
        "No Customer Reference",
        "No Integration Resources",
        "No Opportunity",
        "No Perceived Value of MP",
        "No Response",
        "No Update",
        "Not Committed to AWS",
        "On Premises Deployment",
        "Other",
        "Other (Details in Description)",
        "Partner Gap",
        "Past Due",
        "People/Relationship/Governance",
        "Platform Technology Limitation",
        "Preference for Competitor",
        "Price",
        "Product Not on AWS",
        "Product/Technology",
        "Security / Compliance",
        "Self-Service",
        "Technical Limitations",
        "Term Sheet Impasse",
    ],
)
.open();

/// Whether AWS sells along or only looks on.
pub static INVOLVEMENT: Picklist = list("involvement types", &["For Visibility Only", "Co-Sell"]);

/// How much of a deal AWS's sellers see.
pub static VISIBILITY: Picklist = list("visibilities", &["Full", "Limited"]);

/// Why AWS turned a deal into a co-sell.
pub static CO_SELL_REASON: Picklist = list(
    "co-sell reasons",
    &[
        "Expansion Opportunity",
        "Change in Deal Information",
        "Customer Requested",
        "Technical Complexity",
        "Risk Mitigation",
    ],
);

/// How likely the customer buys through AWS Marketplace.
pub static ENGAGEMENT_SCORE: Picklist = list("engagement scores", &["High", "Medium", "Low"]);

// Leads

/// Where a lead stands.
pub static LEAD_STATUS: Picklist = list("lead statuses", &["Open", "Research", "Disqualified", "Qualified"]);

/// Lines of business of a lead's customer.
pub static LEAD_INDUSTRY: Picklist = list(
    "lead industries",
    &[
        "Agriculture & Mining",
        "Biotechnology",
        "Business & Consumer Services",
        "Business Serv.",
        "Communications",
        "Computer Hardware",
        "Computers & Electronics",
        "Computer Software",
        "Consumer Goods",
        "Consumer Related",
        "Education",
        "Energy & Utilities",
        "Financial Services",
        "Gaming",
        "Government",
        "Government, Education & Public Services",
        "Healthcare",
        "Healthcare, Pharmaceuticals and Biotech",
        "Industrial/Energy",
        "Internet Specific",
        "Life Sciences",
        "Manufacturing",
        "Media, Entertainment & Leisure",
        "Media & Entertainment",
        "Medical/Health",
        "Non-Profit Organization",
        "Professional Services",
        "Public Services",
        "Real Estate & Construction",
        "Retail",
        "Retail, Wholesale & Distribution",
        "Semiconductor/Electr",
        "Software & Internet",
        "Telecommunications",
        "Transportation & Logistics",
        "Travel & Hospitality",
        "Wholesale & Distribution",
    ],
);

/// What a lead's customer wants to run.
pub static LEAD_USE_CASE: Picklist = list(
    "lead use cases",
    &[
        "Big Data",
        "Content Delivery",
        "DR/Archive/Backup",
        "High Performance Computing (HPC)",
        "IOT",
        "Marketplace",
        "Microsoft Apps",
        "Oracle/SAP/Enterprise Apps",
        "Other",
        "Web Application",
    ],
);

/// Countries of leads: the codes of [`COUNTRY`], two of them with other names in the files.
pub static LEAD_COUNTRY: Picklist = table("lead countries", &COUNTRIES)
    .spelled(&[("BQ", "Bonaire,Sint Eustatius and Saba"), ("MF", "Saint Martin (French Part )")]);

/// States of leads, of several countries in one, spelled as AWS spells them: `Orrisa` is right here.
pub static LEAD_STATE: Picklist = table("lead states", &LEAD_STATES).open();

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const ALL: &[&Picklist] = &[
        &ORIGIN,
        &ACCEPTANCE,
        &REVIEW_STATUS,
        &REVIEW_STATUS_REASON,
        &REJECTION_REASON,
        &INDUSTRY,
        &COUNTRY,
        &US_STATE,
        &USE_CASE,
        &DELIVERY_MODEL,
        &SALES_ACTIVITY,
        &CURRENCY,
        &SPEND_FREQUENCY,
        &CONTRACT_TERM,
        &PARTITION,
        &OPPORTUNITY_TYPE,
        &PRIMARY_NEED,
        &APN_PROGRAM,
        &COMPETITOR,
        &AWS_PRODUCT,
        &STAGE,
        &CLOSED_LOST_REASON,
        &MARKETING_SOURCE,
        &MARKETING_USE_CASE,
        &MARKETING_CHANNEL,
        &PROCUREMENT,
        &AWS_STAGE,
        &AWS_CLOSED_LOST_REASON,
        &INVOLVEMENT,
        &CO_SELL_REASON,
        &ENGAGEMENT_SCORE,
        &LEAD_STATUS,
        &LEAD_INDUSTRY,
        &LEAD_USE_CASE,
        &LEAD_COUNTRY,
        &LEAD_STATE,
    ];

    #[test]
    fn no_list_says_a_thing_twice() {
        for list in ALL {
            let (mut folded, mut spelled) = (HashSet::new(), HashSet::new());
            let all = list.values().chain(list.none).chain(list.files_only.iter().copied());
            assert!(list.values().count() > 0, "{} is empty", list.name);
            for value in all {
                assert!(folded.insert(fold(value)), "{}: {value} twice", list.name);
                assert!(spelled.insert(list.to_file(value)), "{}: {value} is spelled like another", list.name);
                assert_eq!(list.from_file(list.to_file(value)), value, "{}", list.name);
                assert_eq!(value, value.trim(), "{}", list.name);
            }
            for (api, file) in list.in_files {
                assert!(list.values.have(api) && !list.values.have(file), "{}: {api}, {file}", list.name);
            }
        }
        let names: HashSet<_> = ALL.iter().map(|list| list.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn spellings_that_people_mix_up_lead_to_the_value() {
        for (list, given, expected) in [
            (&INDUSTRY, "software & internet", Some("Software and Internet")),
            (&INDUSTRY, "Energy – Oil and Gas", Some("Energy - Oil and Gas")),
            (&INDUSTRY, "Non profit organization", Some("Non-Profit Organization")),
            (&INDUSTRY, "Baking", None),
            (&INDUSTRY, "", None),
            (&CLOSED_LOST_REASON, "Lost to Competitor—Google", Some("Lost to Competitor - Google")),
            (&CLOSED_LOST_REASON, "Legal/Tax/Regulatory", Some("Legal / Tax / Regulatory")),
            (&REVIEW_STATUS, "In Review", Some("In review")),
            (&REVIEW_STATUS, "draft", Some("Pending Submission")),
            (&PRIMARY_NEED, "Do not need support from AWS Sales Rep", Some("Do Not Need Support from AWS Sales Rep")),
            (&INVOLVEMENT, "For visibility only", Some("For Visibility Only")),
            (&COUNTRY, "de", Some("DE")),
            (&COUNTRY, "GERMANY", Some("DE")),
            (&LEAD_COUNTRY, "Bonaire, Sint Eustatius & Saba", Some("BQ")),
            (&CURRENCY, "eur ", Some("EUR")),
            (&AWS_PRODUCT, "aws lambda", Some("AWSLambda")),
        ] {
            assert_eq!(list.nearest(given), expected, "{} {given}", list.name);
        }
    }

    #[test]
    fn countries_have_a_code_in_the_api_and_a_name_in_files() {
        for (list, code, name) in [
            (&COUNTRY, "DE", "Germany"),
            (&COUNTRY, "BQ", "Bonaire, Sint Eustatius and Saba"),
            (&COUNTRY, "MF", "Saint Martin (French Part)"),
            (&LEAD_COUNTRY, "DE", "Germany"),
            (&LEAD_COUNTRY, "BQ", "Bonaire,Sint Eustatius and Saba"),
            (&LEAD_COUNTRY, "MF", "Saint Martin (French Part )"),
        ] {
            assert_eq!(list.to_file(code), name);
        }
        for list in [&COUNTRY, &LEAD_COUNTRY] {
            for (name, code) in [
                ("Bonaire, Sint Eustatius and Saba", "BQ"),
                ("Bonaire,Sint Eustatius and Saba", "BQ"),
                ("Saint Martin (French Part)", "MF"),
                ("Saint Martin (French Part )", "MF"),
                ("Great Britain", "GB"),
                ("United Kingdom", "GB"),
                ("Serbia and Montenegro", "RS"),
                ("Atlantis", "Atlantis"),
            ] {
                assert_eq!(list.from_file(name), code);
            }
            assert_eq!(list.values().count(), 249);
            assert!(list.has("US") && !list.has("United States") && !list.has("XX"));
        }
    }

    #[test]
    fn none_is_everywhere_and_some_values_are_in_files_only() {
        let none = PRIMARY_NEED.none.unwrap();
        assert!(
            PRIMARY_NEED.has(none)
                && PRIMARY_NEED.has_in_files(none)
                && PRIMARY_NEED.values().all(|value| value != none)
        );
        assert!(!REJECTION_REASON.has("Renewal opportunity") && REJECTION_REASON.has_in_files("Renewal opportunity"));
        assert!(REJECTION_REASON.has_in_files("Other") && !REJECTION_REASON.has_in_files("Novel"));
        assert!(USE_CASE.has("Novel") && !STAGE.has("Novel"));
    }

    #[test]
    fn products_are_sorted_and_read_from_json() {
        assert!(products().is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(AWS_PRODUCT.from_file("AWS Lambda"), "AWSLambda");
        assert_eq!(AWS_PRODUCT.to_file("AWSLambda"), "AWSLambda");
        let json = br#"[{"Identifier":"AWSLambda","Name":"AWS Lambda","Family":"Compute","Description":"x"}]"#;
        let read = read_products(json).unwrap();
        assert_eq!(
            read.iter().collect::<Vec<_>>(),
            products().filter(|product| product.code == "AWSLambda").collect::<Vec<_>>()
        );
        assert!(read_products(b"[{}]").is_err());
    }
}
