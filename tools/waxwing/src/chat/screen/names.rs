//! Who is who: claimed names, and which of them can be taken for each other.
//!
//! A name is what somebody typed. Two devices whose names look alike are told apart by the beginning of their device
//! ids, and nobody can pass for this device's owner by adding the words that the screen adds.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_light::Author;
use waxwing_seal::display::{display_safe_name, look_alike};

use crate::ids::{self, Kind};

/// Names that are compared with each other. Beyond that every name gets its device: comparing costs the square.
const COMPARED_MAX: usize = 64;

/// Letters of a device's id that tell it from another one: 25 bits of chance, behind the six of `device1`.
const TAG_LETTERS: usize = 12;

/// Behind the own name.
const OWN: &str = " (you)";

/// This device and the name it shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Me {
    /// As messages name it.
    pub(super) device: String,
    /// What members see.
    pub(super) name: String,
}

/// The names that were met.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    met: BTreeMap<String, BTreeSet<String>>,
    alike: BTreeSet<String>,
}

/// A name as the screen shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Label {
    /// Harmless.
    pub(super) name: String,
    /// The beginning of the device's id, where the name alone could mislead.
    pub(super) tag: Option<String>,
}

impl Names {
    /// Nobody but this device.
    pub(super) fn with(me: &Me) -> Self {
        let mut names = Self::default();
        names.learn(&me.device, &me.name);
        names.learn(&me.device, &format!("{}{OWN}", me.name));
        names
    }

    /// Remembers a name that a device claims.
    pub(super) fn learn(&mut self, device: &str, name: &str) {
        // Whoever has not written, but changed the group, may have none here.
        if name.is_empty() {
            return;
        }
        let is_known = self.met.get(device).is_some_and(|names| names.contains(name));
        if is_known {
            return;
        }
        if self.met.values().map(BTreeSet::len).sum::<usize>() >= COMPARED_MAX {
            self.alike.insert(device.to_owned());
            return;
        }
        let others = self.met.iter().filter(|(other, _)| other.as_str() != device);
        let alike: Vec<String> = others
            .filter(|(_, names)| names.iter().any(|other| look_alike(name, other)))
            .map(|(other, _)| other.clone())
            .collect();
        if !alike.is_empty() {
            self.alike.insert(device.to_owned());
            self.alike.extend(alike);
        }
        self.met.entry(device.to_owned()).or_default().insert(name.to_owned());
    }

    /// How to show who wrote something.
    pub(super) fn label(&self, author: &Author, own: bool) -> Label {
        let mut name = display_safe_name(&author.name);
        if own {
            name.push_str(OWN);
        }
        let tag = self.alike.contains(&author.device).then(|| tag(&author.device));
        Label { name, tag }
    }
}

/// The beginning of a device's id.
pub(super) fn tag(device: &str) -> String {
    let short = ids::hex_32(device).map_or_else(|| device.to_owned(), |id| ids::short(Kind::Device, &id));
    short.chars().take(TAG_LETTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(device: u8, name: &str) -> Author {
        Author {
            device: ids::hex(&[device; 32]),
            account: None,
            name: name.to_owned(),
        }
    }

    fn met(authors: &[Author]) -> Names {
        let mut names = Names::with(&Me {
            device: ids::hex(&[1; 32]),
            name: "alice".to_owned(),
        });
        for author in authors {
            names.learn(&author.device, &author.name);
        }
        names
    }

    #[test]
    fn names_that_look_alike_carry_their_devices() {
        let (bob, other, carol) = (author(2, "bob"), author(3, "b\u{043e}b"), author(4, "carol"));
        let names = met(&[bob.clone(), other.clone(), carol.clone()]);
        let tagged = |author: &Author| names.label(author, false).tag.is_some();
        assert!(tagged(&bob) && tagged(&other) && !tagged(&carol));
        assert_ne!(names.label(&bob, false).tag, names.label(&other, false).tag);
    }

    #[test]
    fn nobody_passes_for_the_owner() {
        let (same, dressed) = (author(2, "Alice"), author(3, "alice (you)"));
        let names = met(&[same.clone(), dressed.clone()]);
        assert!(names.label(&same, false).tag.is_some());
        assert!(names.label(&dressed, false).tag.is_some());
        assert_eq!(names.label(&author(1, "alice"), true).name, "alice (you)");
    }

    #[test]
    fn a_crowd_of_names_is_tagged_rather_than_compared() {
        let crowd: Vec<_> = (2..120)
            .map(|number| author(number, &format!("somebody {number}")))
            .collect();
        let names = met(&crowd);
        assert!(names.label(&author(119, "somebody 119"), false).tag.is_some());
        assert!(names.label(&author(2, "somebody 2"), false).tag.is_none());
    }
}
