//! Who is in a channel, person by person, and whom somebody means by a name or an id.
//!
//! Names are claims. Whoever is to be removed or appointed is named by one only if no other member could be meant by it, not
//! even at a glance: where names are equal or look alike, nothing is done, and all are listed with what tells them apart.

use waxwing_light::{Client, ContactView, GroupView, Standstill};
use waxwing_seal::display::{display_safe_name, look_alike};

use crate::chat::fault;
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::words::nearest;

/// Letters of an account's short id that tell it from another one: 25 bits of chance, behind the seven of `account1`.
const TAG_LETTERS: usize = 13;

/// The fewest digits that name somebody.
const DIGITS_MIN: usize = 4;

/// A person in a channel: one account, with all its devices there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Someone {
    /// The account.
    pub(crate) account: String,
    /// Its devices in the channel.
    pub(crate) devices: Vec<String>,
    /// What its devices call themselves, those that wrote.
    pub(crate) claimed: Vec<String>,
    /// What this person calls them.
    pub(crate) petname: Option<String>,
    /// Whether they may remove, rename and appoint.
    pub(crate) admin: bool,
    /// Whether this device is theirs.
    pub(crate) own: bool,
    /// Whether they have said that they wish to leave.
    pub(crate) leaving: bool,
    /// Whether somebody compared with them, and it still stands.
    pub(crate) compared: bool,
    /// What a reader must know of them: keys that changed, or that they are blocked.
    pub(crate) warning: Option<&'static str>,
}

/// The people of a group, in the order in which they came.
pub(crate) fn people(group: &GroupView, contacts: &[ContactView]) -> Vec<Someone> {
    let mut people: Vec<Someone> = Vec::new();
    for member in &group.members {
        let name = member.name.clone().filter(|name| !name.is_empty());
        if let Some(known) = people.iter_mut().find(|known| known.account == member.account) {
            known.devices.push(member.device.clone());
            known.own |= member.own;
            known.leaving |= member.leaving;
            known.claimed.extend(name.filter(|name| !known.claimed.contains(name)));
            continue;
        }
        let contact = contacts.iter().find(|contact| contact.account == member.account);
        people.push(Someone {
            account: member.account.clone(),
            devices: vec![member.device.clone()],
            claimed: name.into_iter().collect(),
            petname: contact.and_then(|contact| contact.petname.clone()),
            admin: member.admin,
            own: member.own,
            leaving: member.leaving,
            compared: contact.is_some_and(|contact| contact.compared_ms.is_some()),
            warning: contact.and_then(|contact| warning(contact.standstill)),
        });
    }
    people
}

const fn warning(standstill: Standstill) -> Option<&'static str> {
    match standstill {
        Standstill::None => None,
        Standstill::KeysChanged => Some("their keys changed since you compared: compare again"),
        Standstill::Blocked => Some("you have blocked them"),
    }
}

/// The same, asked of the client.
pub(crate) async fn of(client: &Client, group: &GroupView) -> Result<Vec<Someone>, Failure> {
    let contacts = client.contacts().await.map_err(|error| fault(&error))?;
    Ok(people(group, &contacts))
}

impl Someone {
    /// What they are called on a screen, harmless: the petname, else what they claim, else the account.
    pub(crate) fn name(&self) -> String {
        match self.petname.as_ref().or(self.claimed.first()) {
            Some(name) => display_safe_name(name),
            None => self.tag(),
        }
    }

    /// The beginning of the account's id.
    pub(crate) fn tag(&self) -> String {
        let short = ids::hex_32(&self.account).map(|id| ids::short(Kind::Account, &id));
        let short = short.unwrap_or_else(|| self.account.clone());
        short.chars().take(TAG_LETTERS).collect()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.petname.iter().chain(&self.claimed).map(String::as_str)
    }

    /// Whether a name can be taken for one of theirs.
    fn looks_like(&self, name: &str) -> bool {
        self.names().any(|own| own == name || look_alike(own, name))
    }

    /// Whether two people can be taken for each other.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.account != other.account && self.names().any(|name| other.looks_like(name))
    }

    /// Whether an id, or its beginning, is theirs or one of their devices'.
    fn is_named_by(&self, text: &str) -> bool {
        let ids = [
            (Kind::Account, std::slice::from_ref(&self.account)),
            (Kind::Device, &self.devices),
        ];
        let is_digits = text.len() >= DIGITS_MIN && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        ids.into_iter().any(|(kind, ids)| {
            let typed = ids::parse(kind, text).ok();
            ids.iter().any(|id| {
                let bytes = ids::hex_32(id);
                let is_id = typed.zip(bytes).is_some_and(|(typed, bytes)| typed.names(&bytes));
                is_id || (is_digits && id.starts_with(&text.to_ascii_lowercase()))
            })
        })
    }
}

/// The member whom somebody means.
///
/// # Errors
/// If nobody or several could be meant, with all who could.
pub(crate) fn find<'a>(people: &'a [Someone], text: &str) -> Result<&'a Someone, Failure> {
    let alike: Vec<&Someone> = people.iter().filter(|someone| someone.looks_like(text)).collect();
    let is_exact = |someone: &&Someone| someone.names().any(|name| name == text);
    match alike.as_slice() {
        [only] if is_exact(only) => return Ok(only),
        [] => {}
        several => {
            return Err(Failure::usage(format!(
                "{} could mean more than one, or only looks like somebody's name: say who is meant by the id of {}",
                display_safe_name(text),
                listed(several)
            )));
        }
    }
    let named: Vec<&Someone> = people.iter().filter(|someone| someone.is_named_by(text)).collect();
    match named.as_slice() {
        [only] => Ok(only),
        [] => {
            let near = nearest(text, people.iter().flat_map(Someone::names));
            let near = near.map_or_else(String::new, |name| {
                format!("did you mean {}? ", display_safe_name(name))
            });
            Err(Failure::usage(format!(
                "nobody here is called {}: {near}`waxwing chat members` lists them",
                display_safe_name(text)
            )))
        }
        several => Err(Failure::usage(format!(
            "{text} begins the id of more than one: {}",
            listed(several)
        ))),
    }
}

/// Names with what tells them apart: `Ben (account1qfr…, aa01…)`.
fn listed(several: &[&Someone]) -> String {
    let one = |someone: &&Someone| {
        let digits = someone.account.get(..12).unwrap_or(&someone.account);
        format!("{} ({digits})", someone.name())
    };
    several.iter().map(one).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn someone(number: u8, claimed: &[&str], petname: Option<&str>) -> Someone {
        Someone {
            account: ids::hex(&[number; 32]),
            devices: vec![ids::hex(&[number + 100; 32])],
            claimed: claimed.iter().map(|name| (*name).to_owned()).collect(),
            petname: petname.map(str::to_owned),
            admin: false,
            own: false,
            leaving: false,
            compared: false,
            warning: None,
        }
    }

    fn found(people: &[Someone], text: &str) -> Result<u8, String> {
        match find(people, text) {
            Ok(someone) => Ok(ids::hex_32(&someone.account).unwrap()[0]),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn a_name_means_its_owner_and_ids_of_account_and_device_do() {
        let people = [
            someone(1, &["Ada"], None),
            someone(2, &["Ben"], Some("Benny")),
            someone(3, &[], None),
        ];
        assert_eq!(found(&people, "Ada"), Ok(1));
        assert_eq!(found(&people, "Ben"), Ok(2));
        assert_eq!(found(&people, "Benny"), Ok(2));
        assert_eq!(found(&people, "0303"), Ok(3));
        assert_eq!(found(&people, &ids::hex(&[103; 32])), Ok(3));
        assert_eq!(found(&people, &ids::short(Kind::Account, &[2; 32])), Ok(2));
        assert_eq!(found(&people, &ids::full(Kind::Device, &[101; 32])), Ok(1));
    }

    #[test]
    fn who_could_be_meant_is_listed_and_nobody_is_chosen() {
        let people = [
            someone(1, &["Ben"], None),
            someone(2, &["B\u{435}n"], None),
            someone(3, &["Cleo"], None),
        ];
        let says = found(&people, "Ben").unwrap_err();
        assert!(says.contains("010101010101") && says.contains("020202020202"), "{says}");
        let twice = [someone(1, &["Ben"], None), someone(2, &["Ben"], None)];
        assert!(found(&twice, "Ben").is_err());
        // A name that only looks like the one of a single member is not taken for it either.
        let says = found(&[someone(3, &["Cleo"], None)], "Cle\u{43e}").unwrap_err();
        assert!(says.contains("only looks like"), "{says}");
    }

    #[test]
    fn nobody_is_meant_by_too_little_or_by_something_else() {
        let people = [someone(1, &["Ada"], None), someone(2, &["Ben"], None)];
        for text in ["", "01", "Dora", "0909"] {
            let says = found(&people, text).unwrap_err();
            assert!(says.contains("nobody here") && !says.contains("did you mean"), "{says}");
        }
        // Who may have been meant is said, and not taken.
        assert!(found(&people, "Bem").unwrap_err().contains("did you mean Ben?"));
    }

    #[test]
    fn a_name_given_here_can_be_taken_for_another_ones_claim() {
        let people = [someone(1, &["x"], Some("Ben")), someone(2, &["Ben"], None)];
        assert!(people[0].is_like(&people[1]) && found(&people, "Ben").is_err());
        assert!(!people[0].is_like(&people[0]));
    }
}
