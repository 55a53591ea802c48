use std::{collections::HashMap, sync::LazyLock};

/// A list of values that AWS accepts, in the API's spelling.
#[derive(Debug, PartialEq, Eq)]
pub struct Picklist {
    /// What messages call it.
    pub name: &'static str,
    /// The values.
    pub values: &'static [&'static str],
    /// Values that the S3 files spell differently: (API, file).
    pub in_files: &'static [(&'static str, &'static str)],
    /// Whether AWS keeps the list on its servers and may lengthen it: a value that is not here may still be right, and
    /// AWS's own answer decides.
    pub open: bool,
}

impl Picklist {
    /// Whether AWS takes `value`, as far as is known here.
    pub fn has(&self, value: &str) -> bool {
        if std::ptr::eq(self, &raw const COUNTRY) {
            return COUNTRIES.by_code.contains_key(value);
        }
        self.open || self.values.contains(&value)
    }

    /// The values that are known here.
    pub fn values(&self) -> impl Iterator<Item = &'static str> {
        let countries = std::ptr::eq(self, &raw const COUNTRY).then(countries);
        self.values.iter().copied().chain(countries.into_iter().flatten().map(|country| country.code))
    }

    /// The API's spelling of a value from a file; unknown values stay as they are.
    pub fn from_file<'v>(&self, value: &'v str) -> &'v str {
        if std::ptr::eq(self, &raw const COUNTRY) {
            return COUNTRIES.by_name.get(value).copied().unwrap_or(value);
        }
        self.in_files.iter().find(|(_, file)| *file == value).map_or(value, |(api, _)| api)
    }

    /// The files' spelling of a value of the API; unknown values stay as they are.
    pub fn to_file<'v>(&self, value: &'v str) -> &'v str {
        if std::ptr::eq(self, &raw const COUNTRY) {
            return COUNTRIES.by_code.get(value).copied().unwrap_or(value);
        }
        self.in_files.iter().find(|(api, _)| *api == value).map_or(value, |(_, file)| file)
    }
}

/// A country: the API takes its code, the files its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166.
    pub code: &'static str,
    /// The name that is written into files.
    pub name: &'static str,
    /// Other names that files carry, separated by `|`.
    others: &'static str,
}

impl Country {
    /// Whether a file means this country.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.others.split('|').any(|other| !other.is_empty() && other == name)
    }
}

/// The countries that AWS knows.
pub fn countries() -> impl Iterator<Item = Country> {
    COUNTRIES.all.iter().copied()
}

struct Countries {
    all: Vec<Country>,
    by_name: HashMap<&'static str, &'static str>,
    by_code: HashMap<&'static str, &'static str>,
}

static COUNTRIES: LazyLock<Countries> = LazyLock::new(|| {
    let read = |line: &'static str| {
        let mut columns = line.split('\t');
        let (code, name) = (columns.next()?, columns.next()?);
        Some(Country { code, name, others: columns.next().unwrap_or_default() })
    };
    let all: Vec<Country> = include_str!("../../data/countries.tsv").lines().filter_map(read).collect();
    let names = |country: &Country| {
        let code = country.code;
        let others = country.others.split('|').filter(|name| !name.is_empty());
        std::iter::once(country.name).chain(others).map(move |name| (name, code)).collect::<Vec<_>>()
    };
    Countries {
        by_name: all.iter().flat_map(names).collect(),
        by_code: all.iter().map(|country| (country.code, country.name)).collect(),
        all,
    }
});

const fn open(name: &'static str, values: &'static [&'static str]) -> Picklist {
    Picklist { name, values, in_files: &[], open: true }
}

const fn list(name: &'static str, values: &'static [&'static str]) -> Picklist {
    Picklist { name, values, in_files: &[], open: false }
}

pub static COUNTRY: Picklist = list("countries", &[]);
pub static ORIGIN: Picklist = list("origins", &["AWS Referral", "Partner Referral"]);
pub static ACCEPTANCE: Picklist = list("acceptance", &["Accepted", "Rejected"]);
pub static MARKETING_SOURCE: Picklist = Picklist {
    name: "marketing sources",
    values: &["Marketing Activity", "None"],
    in_files: &[("Marketing Activity", "Yes"), ("None", "No")],
    open: false,
};
pub static REVIEW_STATUS: Picklist = Picklist {
    name: "review statuses",
    values: &["Pending Submission", "Submitted", "In review", "Action Required", "Approved", "Rejected"],
    in_files: &[("Pending Submission", "Draft")],
    open: false,
};
pub static REJECTION_REASON: Picklist = Picklist {
    name: "rejection reasons",
    values: &[
        "Customer problem unclear",
        "Next steps unclear",
        "Unable to support",
        "Duplicate of partner referral",
        "Other",
    ],
    in_files: &[("Duplicate of partner referral", "Duplicate of Partner Referral")],
    open: false,
};
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
    open: false,
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
    open: false,
};
// AWS keeps these lists on its servers and changes them: its own answer decides.
pub static USE_CASE: Picklist = open(
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
);
pub static APN_PROGRAM: Picklist = Picklist {
    name: "APN programmes",
    values: &[
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
    in_files: &[("IS Immersion Day SFID Program", "ISV Immersion Day SFID Program")],
    open: true,
};
pub static MARKETING_USE_CASE: Picklist = open(
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
);
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
