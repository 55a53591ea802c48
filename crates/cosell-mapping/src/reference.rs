//! The reference page: what people wrote about the file, and what the types and the catalog say.

use std::fmt::Write;

use cosell_model::Kind;
use serde_json::{Map, Value as Json};

use crate::schema::{plural, schema};

const TEXT: &str = include_str!("reference.md");

/// One page in Markdown.
pub fn reference() -> String {
    let schema = schema();
    let mut page = TEXT.trim_end().to_owned();
    page.push_str("\n\n## Every option of a line\n\n| Option | What it is |\n|---|---|\n");
    for (name, about) in described(&schema["definitions"]["FullLine"]["properties"]) {
        let _ = writeln!(page, "| `{name}` | {} |", cell(about));
    }
    page.push_str("\n## Every setting of a section\n\n| Setting | What it is |\n|---|---|\n");
    for (name, about) in described(&schema["properties"]["lead"]["properties"]) {
        let _ = writeln!(page, "| `{name}` | {} |", cell(about));
    }
    for (table, name) in [
        ("status", "StatusFields"),
        ("referral", "ReferralFields"),
        ("referral.rules[]", "ReferralRule"),
        ("convert", "ConvertFields"),
        ("related.…", "Related"),
    ] {
        for (key, about) in described(&schema["definitions"][name]["properties"]) {
            let key = format!("{table}.{key}");
            let _ = writeln!(page, "| `{key}` | {} |", cell(about));
        }
    }
    for (table, name) in [("files", "FileExchange"), ("retry", "Retry")] {
        for (key, about) in described(&schema["definitions"][name]["properties"]) {
            let _ = writeln!(page, "| `{table}.{key}` | {} |", cell(about));
        }
    }
    for kind in [Kind::Opportunity, Kind::Lead] {
        fields(&mut page, kind);
    }
    page
}

fn described(properties: &Json) -> impl Iterator<Item = (&str, &str)> {
    let members = properties.as_object().map(Map::iter).into_iter().flatten();
    members.map(|(name, schema)| (name.as_str(), schema["description"].as_str().unwrap_or_default()))
}

fn fields(page: &mut String, kind: Kind) {
    let _ = writeln!(page, "\n## ACE fields of {}\n", plural(kind));
    page.push_str("| Field | Type | Direction | Required | What it is |\n|---|---|---|---|---|\n");
    for field in kind.fields() {
        let cells = [
            format!("`{}`", field.key),
            cell(&field.ty.shown()),
            field.direction().as_str().to_owned(),
            cell(&field.required_when()),
            cell(field.about),
        ];
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}

/// A text that ends no cell and starts no list.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|").replace("*Other", "\\*Other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mapping;

    const HEAD: &str = "version = 1\n[opportunity]\nobject = \"Opportunity\"\nace_id = \"Ace_Id__c\"\n";

    /// The page's examples, each as a whole file.
    fn examples() -> Vec<String> {
        let blocks = TEXT.split("```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        let whole = |block: &str| match block {
            file if file.starts_with("version") => file.to_owned(),
            setting if setting.starts_with('#') => format!("{HEAD}{setting}\n[opportunity.fields]\n"),
            table if table.contains("[opportunity.fields]") => format!("{HEAD}{table}"),
            lead if lead.starts_with("[lead.") => {
                let own = "[lead]\nobject = \"Lead\"\nace_id = \"Lead_Id__c\"\n[lead.fields]\n";
                format!("{HEAD}[opportunity.fields]\n{own}{lead}")
            }
            table if table.starts_with('[') => format!("{HEAD}{table}\n[opportunity.fields]\n"),
            lines => format!("{HEAD}[opportunity.fields]\n{lines}"),
        };
        blocks.map(whole).collect()
    }

    #[test]
    fn every_example_can_be_used() {
        assert!(examples().len() > 10);
        for example in examples() {
            let (_, findings) = Mapping::read(&example);
            assert!(findings.is_empty(), "{example}\n{findings:?}");
        }
    }

    #[test]
    fn every_option_has_an_example() {
        let examples = examples().concat();
        let schema = schema();
        for path in [
            "FileExchange",
            "FullLine",
            "StatusFields",
            "ReferralFields",
            "ReferralRule",
            "ConvertFields",
            "Related",
            "Retry",
        ] {
            for (option, about) in described(&schema["definitions"][path]["properties"]) {
                assert!(!about.is_empty(), "{path}.{option}");
                let written =
                    [format!("{option} = "), format!(".{option}]")].iter().any(|text| examples.contains(text));
                assert!(written, "{path}.{option}");
            }
        }
        for (setting, about) in described(&schema["properties"]["lead"]["properties"]) {
            let written = [format!("{setting} = "), format!(".{setting}")].iter().any(|text| examples.contains(text));
            assert!(written && !about.is_empty(), "{setting}");
        }
    }
}
