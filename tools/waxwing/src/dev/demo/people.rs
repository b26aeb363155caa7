//! The people of the demonstration: light clients, each with a home and a device of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::genesis::Genesis;
use waxwing_light::limits::Pace;
use waxwing_light::{ChannelId, Client, Cost, Joined, Options, Passphrase};
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
    /// Lets one in.
    pub(super) link: Zeroizing<String>,
    network: Hash,
}

impl People {
    /// Makes everybody's home and lets them join one channel. The first speaker opens it and invites the others; the
    /// invitation names the followers, so that it is them whom people ask first.
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
        let id = client.create_channel(network, channel).await.map_err(failed)?;
        let link = client.invite(id).await.map_err(failed)?;
        let mut writers = vec![Person {
            name: first.clone(),
            client,
            channel: id,
            home,
        }];
        for (number, name) in (2..).zip(others) {
            writers.push(join(home_of(dir, number, name), &passphrase, name, &link).await?);
        }
        let reader = join(dir.join("people").join("reader"), &passphrase, "reader", &link).await?;
        for person in writers.iter().chain([&reader]) {
            person.client.start();
        }
        Ok(Self {
            writers,
            reader,
            link,
            network,
        })
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
        for person in self.writers.iter().chain([&self.reader]) {
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

async fn join(home: PathBuf, passphrase: &Passphrase, name: &str, link: &str) -> Result<Person, Failure> {
    let client = create(&home, passphrase, name).await?;
    let (Joined::New(channel) | Joined::Known(channel)) = client.join(link).await.map_err(failed)? else {
        return Err(Failure::failed("that invitation only asks to be let in: invite to a channel"));
    };
    Ok(Person {
        name: name.to_owned(),
        client,
        channel,
        home,
    })
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
