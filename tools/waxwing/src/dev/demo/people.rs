//! The people of the demonstration: light clients, each with a home and a device of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::genesis::Genesis;
use waxwing_core::limits::DAY_MS;
use waxwing_light::limits::Pace;
use waxwing_light::{ChannelId, Client, Cost, Inviting, Joined, Ladder, Options, Passphrase, Uses};
use waxwing_seal::NodeAddress;
use zeroize::Zeroizing;

use super::super::network::Member;
use crate::chat::parse_node;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::ids;

/// On loopback a node that says nothing for a second is gone. People on real lines wait longer.
const PACE: Pace = Pace {
    connect: Duration::from_secs(1),
    answer: Duration::from_secs(1),
    inclusion: Duration::from_secs(1),
    compare: Duration::from_secs(1),
    telling: Duration::from_secs(20),
};

/// How long somebody may wait to be let in. It bounds a failure, it paces nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody with a device.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) channel: ChannelId,
    home: PathBuf,
}

/// Everybody.
pub(super) struct People {
    /// In the order of the conversation's speakers.
    pub(super) writers: Vec<Person>,
    /// Writes nothing.
    pub(super) reader: Person,
    /// Writes nothing either, and does not stay.
    pub(super) guest: Person,
    /// Lets them in, one after the other.
    pub(super) link: Zeroizing<String>,
    network: Hash,
    passphrase: Passphrase,
}

impl People {
    /// Makes everybody's home and lets them into one group. The first speaker founds it and invites the others; the invitation
    /// names the followers, so that it is them whom people ask first.
    ///
    /// # Errors
    /// If a home cannot be made, or no node serves.
    pub(super) async fn gather(
        dir: &Path,
        genesis: &Genesis,
        followers: &[Member],
        speakers: &[String],
        channel: &str,
    ) -> Result<Self, Failure> {
        let passphrase = random_word(8)?;
        files::write_new(
            &dir.join("passphrase"),
            format!("{passphrase}\n").as_bytes(),
            Readers::Owner,
        )?;
        let passphrase = Passphrase::new(&passphrase).map_err(|error| Failure::failed(error.to_string()))?;
        let followers: Vec<NodeAddress> = followers
            .iter()
            .map(|member| parse_node(&member.address, "a node"))
            .collect::<Result<_, _>>()?;
        let network = genesis.network();
        let (first, others) = speakers.split_first().ok_or_else(|| Failure::failed("nobody speaks"))?;

        let home = home_of(dir, 1, first);
        let client = create(&home, &passphrase, first).await?;
        client.add_network(genesis, &followers).await.map_err(failed)?;
        let id = client.found_group(network, channel).await.map_err(failed)?;
        client.start();
        let founder = Person {
            name: first.clone(),
            client,
            channel: id,
            home,
        };
        let uses = u32::try_from(others.len())
            .ok()
            .and_then(|others| Uses::new(others + 2));
        let inviting = Inviting {
            uses: uses.ok_or_else(|| Failure::failed("too many people for one invitation"))?,
            valid_ms: DAY_MS,
            asks: false,
        };
        let link = invite(&founder, inviting).await?;
        let mut asking = Vec::new();
        for (number, name) in (2..).zip(others) {
            asking.push(ask(home_of(dir, number, name), &passphrase, name, &link).await?);
        }
        for name in ["reader", "guest"] {
            asking.push(ask(dir.join("people").join(name), &passphrase, name, &link).await?);
        }
        let mut writers = vec![founder];
        for asking in asking {
            writers.push(asking.answered().await?);
        }
        let nobody = || Failure::failed("nobody reads");
        let guest = writers.pop().ok_or_else(nobody)?;
        let reader = writers.pop().ok_or_else(nobody)?;
        Ok(Self {
            writers,
            reader,
            guest,
            link,
            network,
            passphrase,
        })
    }

    /// Who founded the group.
    ///
    /// # Errors
    /// Never: somebody did.
    pub(super) fn founder(&self) -> Result<&Person, Failure> {
        self.writers
            .first()
            .ok_or_else(|| Failure::failed("nobody founded the group"))
    }

    /// The link of a further invitation, ready to be used.
    ///
    /// # Errors
    /// If its inbox does not become final.
    pub(super) async fn invite(&self, inviting: Inviting) -> Result<Zeroizing<String>, Failure> {
        invite(self.founder()?, inviting).await
    }

    /// Somebody asks by a link, and is let in.
    ///
    /// # Errors
    /// If nobody lets them in.
    pub(super) async fn let_in(&self, home: &Path, name: &str, link: &str) -> Result<Person, Failure> {
        ask(home.to_owned(), &self.passphrase, name, link)
            .await?
            .answered()
            .await
    }

    /// The newest head that the reader has checked.
    ///
    /// # Errors
    /// If the reader's store fails.
    pub(super) async fn head_of_reader(&self) -> Result<(u64, Hash), Failure> {
        let status = self.reader.client.status(self.network).await.map_err(failed)?;
        let id = ids::hex_32(&status.head).ok_or_else(|| Failure::failed("the head has no id"))?;
        Ok((status.height, Hash(id)))
    }

    pub(super) fn home_of_reader(&self) -> &Path {
        &self.reader.home
    }

    /// Ends all connections and says so to the nodes; the homes stay.
    pub(super) async fn say_goodbye(&self) {
        for person in self.writers.iter().chain([&self.reader, &self.guest]) {
            person.client.leave().await;
        }
    }
}

async fn create(home: &Path, passphrase: &Passphrase, name: &str) -> Result<Client, Failure> {
    // As `waxwing chat` lays out a home, so that it can be opened with it afterwards.
    let options = Options {
        pace: PACE,
        ..Options::new(&home.join("chat"), passphrase.clone())
    };
    Client::create(options, name, Cost::RECOMMENDED).await.map_err(failed)
}

/// Makes an invitation, and waits until whoever has its link can ask.
async fn invite(founder: &Person, inviting: Inviting) -> Result<Zeroizing<String>, Failure> {
    let invited = founder
        .client
        .invite_to_group(founder.channel, inviting)
        .await
        .map_err(failed)?;
    let opened = founder.client.settle(invited.opening, PATIENCE).await.map_err(failed)?;
    match opened.state {
        Ladder::Final | Ladder::SeenByAll => Ok(invited.link),
        _ => Err(Failure::failed("the invitation did not become final")),
    }
}

/// Somebody who has asked, and is connected.
struct Asking {
    name: String,
    client: Client,
    home: PathBuf,
    asked: i64,
}

async fn ask(home: PathBuf, passphrase: &Passphrase, name: &str, link: &str) -> Result<Asking, Failure> {
    let client = create(&home, passphrase, name).await?;
    let Joined::Asked(asked) = client.join(link).await.map_err(failed)? else {
        return Err(Failure::failed("that invitation leads to no group"));
    };
    client.start();
    Ok(Asking {
        name: name.to_owned(),
        client,
        home,
        asked,
    })
}

impl Asking {
    async fn answered(self) -> Result<Person, Failure> {
        let answered = self.client.answered(self.asked, PATIENCE).await.map_err(failed)?;
        let reason = answered.reason.unwrap_or_else(|| "no reason is known".to_owned());
        let channel = answered.channel;
        Ok(Person {
            channel: channel.ok_or_else(|| Failure::failed(format!("{} was not let in: {reason}", self.name)))?,
            name: self.name,
            client: self.client,
            home: self.home,
        })
    }
}

pub(super) fn failed(error: waxwing_light::Error) -> Failure {
    Failure::failed(error.to_string())
}

/// Names from a log are others' words: only letters and digits of theirs become part of a path.
fn home_of(dir: &Path, number: usize, name: &str) -> PathBuf {
    let safe: String = name.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    dir.join("people").join(format!("{number}-{safe}"))
}

/// So many random bytes in hexadecimal.
///
/// # Errors
/// If the system has none.
pub(super) fn random_word(bytes: usize) -> Result<String, Failure> {
    let mut word = vec![0; bytes];
    getrandom::fill(&mut word)
        .map_err(|error| Failure::failed(format!("the system has no random numbers: {error}")))?;
    Ok(ids::hex(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert_eq!(home_of(Path::new("d"), 3, "../../x|y"), Path::new("d/people/3-xy"));
    }
}
