//! `docs/simulator.md` names every field, and its examples are documents.

use std::collections::BTreeSet;
use std::fs;

use feeway_simulator::Rules;

fn manual() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/simulator.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_example_is_a_document() {
    let manual = manual();
    let spans = manual.split(['`', '\'']);
    let inline = spans.filter(|span| span.starts_with("{\"") && span.ends_with('}'));
    let block = manual.split("```json").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let mut read = 0;
    for document in inline.chain([block]) {
        let rules: Result<Rules, _> = document.parse();
        assert!(rules.is_ok(), "{document}: {}", rules.unwrap_err());
        read += 1;
    }
    assert!(read > 30, "{read}");
}

#[test]
fn every_field_is_in_the_manual() {
    let manual = manual();
    let mut fields = BTreeSet::new();
    for document in [
        r#"{"?":0}"#,
        r#"{"rules":[{"post":{},"?":0}]}"#,
        r#"{"rules":[{"post":{"?":0}}]}"#,
        r#"{"rules":[{"lookUp":{"?":0}}]}"#,
        r#"{"health":{"?":0}}"#,
    ] {
        let error = document.parse::<Rules>().unwrap_err().to_string();
        let known = error.split("allowed are ").nth(1).unwrap();
        fields.extend(known.split(", ").map(str::to_owned));
    }
    assert!(fields.len() > 25, "{fields:?}");
    for field in fields {
        assert!(manual.contains(&format!("| `{field}` |")), "{field}");
    }
}
