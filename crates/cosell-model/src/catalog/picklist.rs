use std::sync::LazyLock;

/// A list of values that AWS accepts, in the API's spelling.
#[derive(Debug, PartialEq, Eq)]
pub struct Picklist {
    /// What messages call it.
    pub name: &'static str,
    /// The values. None means that AWS keeps the list and may change it: nothing is checked here.
    pub values: &'static [&'static str],
    /// Values that the S3 files spell differently: (API, file).
    pub in_files: &'static [(&'static str, &'static str)],
}

impl Picklist {
    /// Whether AWS takes `value`.
    pub fn has(&self, value: &str) -> bool {
        if std::ptr::eq(self, &raw const COUNTRY) {
            return countries().any(|(code, _)| code == value);
        }
        self.values.is_empty() || self.values.contains(&value)
    }

    /// The API's spelling of a value from a file; unknown values stay as they are.
    pub fn from_file<'v>(&self, value: &'v str) -> &'v str {
        if std::ptr::eq(self, &raw const COUNTRY) {
            return countries().find(|(_, name)| *name == value).map_or(value, |(code, _)| code);
        }
        self.in_files.iter().find(|(_, file)| *file == value).map_or(value, |(api, _)| api)
    }
}

/// Countries: (ISO 3166 code, English name).
pub fn countries() -> impl Iterator<Item = (&'static str, &'static str)> {
    static COUNTRIES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        include_str!("../../data/countries.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
    });
    COUNTRIES.iter().copied()
}

const fn list(name: &'static str, values: &'static [&'static str]) -> Picklist {
    Picklist { name, values, in_files: &[] }
}

pub static COUNTRY: Picklist = list("countries", &[]);
pub static ORIGIN: Picklist = list("origins", &["AWS Referral", "Partner Referral"]);
pub static ACCEPTANCE: Picklist = list("acceptance", &["Accepted", "Rejected"]);
pub static YES_NO_SOURCE: &[(&str, &str)] = &[("Marketing Activity", "Yes"), ("None", "No")];
pub static MARKETING_SOURCE: Picklist =
    Picklist { name: "marketing sources", values: &["Marketing Activity", "None"], in_files: YES_NO_SOURCE };
pub static REVIEW_STATUS: Picklist = Picklist {
    name: "review statuses",
    values: &["Pending Submission", "Submitted", "In review", "Action Required", "Approved", "Rejected"],
    in_files: &[("Pending Submission", "Draft")],
};
pub static REJECTION_REASON: Picklist = list(
    "rejection reasons",
    &["Customer problem unclear", "Next steps unclear", "Unable to support", "Duplicate of partner referral", "Other"],
);
pub static LEAD_STATUS: Picklist = list("lead statuses", &["Open", "Research", "Disqualified", "Qualified"]);
pub static STAGE: Picklist = list(
    "stages",
    &["Prospect", "Qualified", "Technical Validation", "Business Validation", "Committed", "Launched", "Closed Lost"],
);
pub static OPPORTUNITY_TYPE: Picklist = list("opportunity types", &["Net New Business", "Flat Renewal", "Expansion"]);
pub static ENGAGEMENT_SCORE: Picklist = list("engagement scores", &["High", "Medium", "Low"]);
pub static PROCUREMENT: Picklist = list("procurement types", &["Contract", "Pay-as-you-go", "Subscription"]);
pub static DELIVERY_MODEL: Picklist = list(
    "delivery models",
    &["SaaS or PaaS", "BYOL or AMI", "Managed Services", "Professional Services", "Resell", "Other"],
);
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
);
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
pub static CLOSED_LOST_REASON: Picklist = Picklist {
    name: "closed lost reasons",
    values: &[
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
    // The files write an en dash.
    in_files: &[
        ("Lost to Competitor - Google", "Lost to Competitor – Google"),
        ("Lost to Competitor - Microsoft", "Lost to Competitor – Microsoft"),
        ("Lost to Competitor - SoftLayer", "Lost to Competitor – SoftLayer"),
        ("Lost to Competitor - VMWare", "Lost to Competitor – VMWare"),
        ("Lost to Competitor - Other", "Lost to Competitor – Other"),
    ],
};
pub static INDUSTRY: Picklist = Picklist {
    name: "industries",
    values: &[
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
    // The files write an ampersand.
    in_files: &[
        ("Computers and Electronics", "Computers & Electronics"),
        ("Energy - Oil and Gas", "Energy - Oil & Gas"),
        ("Energy - Power and Utilities", "Energy - Power & Utilities"),
        ("Marketing and Advertising", "Marketing & Advertising"),
        ("Media and Entertainment", "Media & Entertainment"),
        ("Real Estate and Construction", "Real Estate & Construction"),
        ("Software and Internet", "Software & Internet"),
        ("Transportation and Logistics", "Transportation & Logistics"),
        ("Wholesale and Distribution", "Wholesale & Distribution"),
    ],
};
// AWS keeps these lists on its servers and changes them: its own answer decides.
pub static USE_CASE: Picklist = list("use cases", &[]);
pub static APN_PROGRAM: Picklist = list("APN programmes", &[]);
pub static MARKETING_USE_CASE: Picklist = list("marketing use cases", &[]);
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
