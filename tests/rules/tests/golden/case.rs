//! What a vector is, and how a file of them is read, written and run.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::check::run;
use crate::folder;

/// What comes of a check: facts, or the rule that refuses.
pub(crate) type Outcome = Result<Value, String>;

/// One vector.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) check: String,
    pub(crate) given: Value,
    pub(crate) outcome: Outcome,
}

/// A file of vectors.
#[derive(PartialEq, Debug)]
pub(crate) struct File {
    pub(crate) story: String,
    /// Stands in for what a case does not give itself.
    pub(crate) shared: Value,
    pub(crate) cases: Vec<Case>,
}

impl File {
    pub(crate) fn run(&self, case: &Case) -> Outcome {
        run(&case.check, &merged(&self.shared, &case.given))
    }

    pub(crate) fn read(name: &str) -> Self {
        let path = folder().join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let value: Value = serde_json::from_str(&text).unwrap();
        let case = |value: &Value| Case {
            name: text_of(&value["name"]),
            check: text_of(&value["check"]),
            given: value["given"].clone(),
            outcome: match (value.get("accepted"), value.get("refused")) {
                (Some(facts), None) => Ok(facts.clone()),
                (None, Some(rule)) => Err(text_of(rule)),
                _ => panic!("{name}.json: a case is accepted or refused"),
            },
        };
        Self {
            story: text_of(&value["story"]),
            shared: value["shared"].clone(),
            cases: value["cases"].as_array().unwrap().iter().map(case).collect(),
        }
    }

    /// One case a line, so that a change shows as the lines it changes.
    pub(crate) fn write(&self, name: &str) {
        let mut text = String::new();
        writeln!(text, "{{\"story\":{},", json!(self.story)).unwrap();
        writeln!(text, "\"shared\":{},\n\"cases\":[", self.shared).unwrap();
        for (number, case) in self.cases.iter().enumerate() {
            let (verdict, detail) = match &case.outcome {
                Ok(facts) => ("accepted", facts.clone()),
                Err(rule) => ("refused", json!(rule)),
            };
            let comma = if number + 1 == self.cases.len() { "" } else { "," };
            writeln!(
                text,
                "{{\"name\":{},\"check\":{},\"given\":{},\"{verdict}\":{detail}}}{comma}",
                json!(case.name),
                json!(case.check),
                case.given
            )
            .unwrap();
        }
        text.push_str("]}\n");
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(folder().join(format!("{name}.json")), text).unwrap();
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn merged(shared: &Value, given: &Value) -> Value {
    let mut all: Map<String, Value> = shared.as_object().unwrap().clone();
    all.extend(given.as_object().unwrap().clone());
    Value::Object(all)
}

/// A file in the making. Every case is run as it is added: who adds it says what must come of it.
pub(crate) struct Cases(File);

impl Cases {
    pub(crate) fn new(story: &str, shared: Value) -> Self {
        Self(File {
            story: story.to_owned(),
            shared,
            cases: Vec::new(),
        })
    }

    fn add(&mut self, name: &str, check: &str, given: Value) -> &Outcome {
        let outcome = run(check, &merged(&self.0.shared, &given));
        self.0.cases.push(Case {
            name: name.to_owned(),
            check: check.to_owned(),
            given,
            outcome,
        });
        &self.0.cases.last().unwrap().outcome
    }

    /// A case that is accepted.
    pub(crate) fn accept(&mut self, name: &str, check: &str, given: Value) {
        let outcome = self.add(name, check, given);
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }

    /// A case that is refused, by this rule.
    pub(crate) fn refuse(&mut self, rule: &str, name: &str, check: &str, given: Value) {
        let outcome = self.add(name, check, given);
        assert_eq!(outcome.as_ref().unwrap_err(), rule, "{name}");
    }

    /// The two refusals that every format has: a byte missing, a byte too many.
    pub(crate) fn cut_and_extended(&mut self, format: &str, bytes: &[u8]) {
        let given = |bytes: &[u8]| json!({"format": format, "bytes": hex(bytes)});
        let cut = &bytes[..bytes.len() - 1];
        let longer = [bytes, &[0]].concat();
        self.refuse(
            "Codec(Truncated)",
            &format!("{format}: the bytes end too early"),
            "decode",
            given(cut),
        );
        self.refuse(
            "Codec(Trailing)",
            &format!("{format}: a byte is left over"),
            "decode",
            given(&longer),
        );
    }

    pub(crate) fn into_file(self) -> File {
        self.0
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
