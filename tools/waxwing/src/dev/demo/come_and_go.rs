//! Members who come late and who are taken out: what each of them can read, and what not.

use std::path::Path;
use std::time::Duration;

use waxwing_core::limits::DAY_MS;
use waxwing_light::{Inviting, Range, Uses};

use super::people::{People, Person, failed};
use super::replay::Replay;
use super::story::{Story, seconds};
use crate::clock;
use crate::failure::Failure;

/// How long it may take until somebody is out. It bounds a failure, it paces nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// More messages than any conversation here has.
const ALL: u32 = 1000;

/// Who came and who went, and how much had been said by then.
pub(super) struct ComeAndGone {
    late: Person,
    said_before: usize,
    said_until: usize,
}

/// Lets one more in, and takes the guest out.
///
/// # Errors
/// If either does not happen.
pub(super) async fn come_and_go(
    dir: &Path,
    people: &People,
    replay: &Replay<'_>,
    story: &Story<'_>,
) -> Result<ComeAndGone, Failure> {
    story.chapter("One comes late, and one is taken out")?;
    let founder = people.founder()?;
    let one = Inviting {
        uses: Uses::ONE,
        valid_ms: DAY_MS,
        asks: false,
    };
    let started = clock::steady();
    let link = people.invite(one).await?;
    let late = people.let_in(&dir.join("people").join("late"), "late", &link).await?;
    late.client.start();
    story.fact(
        "came late",
        &format!(
            "let in {} after the invitation was made; reads what is said from here on",
            seconds(clock::steady().duration_since(started))
        ),
    )?;
    let (guest, started) = (&people.guest, clock::steady());
    let account = guest.client.account().await.map_err(failed)?.id;
    let removed = founder.client.remove_member(founder.channel, account).await;
    removed.map_err(failed)?;
    until_removed(guest).await?;
    story.fact(
        "taken out",
        &format!(
            "the guest, by {}: out after {}, and the rest speak under keys that it never had",
            founder.name,
            seconds(clock::steady().duration_since(started))
        ),
    )?;
    Ok(ComeAndGone {
        late,
        said_before: replay.said(),
        said_until: replay.said(),
    })
}

async fn until_removed(guest: &Person) -> Result<(), Failure> {
    let started = clock::steady();
    while clock::steady().duration_since(started) < PATIENCE {
        let group = guest.client.group(guest.channel).await.map_err(failed)?;
        if group.is_some_and(|group| group.standing == "removed") {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::failed("the guest is still in"))
}

impl ComeAndGone {
    /// Looks at what both have, now that everything was said.
    ///
    /// # Errors
    /// If one of them has a message too many, or too few.
    pub(super) async fn compare(&self, people: &People, all: &[&str], story: &Story<'_>) -> Result<(), Failure> {
        let (before, after) = (
            all.get(..self.said_until).unwrap_or_default(),
            all.get(self.said_before..).unwrap_or_default(),
        );
        let guests = words(&people.guest).await?;
        if guests != before {
            return Err(Failure::failed(
                "the guest should have what was said while it was in, and no word more",
            ));
        }
        let started = clock::steady();
        let mut lates = words(&self.late).await?;
        while lates.len() < after.len() && clock::steady().duration_since(started) < PATIENCE {
            tokio::time::sleep(PAUSE).await;
            lates = words(&self.late).await?;
        }
        if lates != after {
            return Err(Failure::failed(
                "whoever came late should have all that was said since, and no word from before",
            ));
        }
        story.fact(
            "they have",
            &format!(
                "the guest the first {} messages and none after, the latecomer the last {} and none before",
                guests.len(),
                lates.len()
            ),
        )
    }

    /// Ends the latecomer's connections.
    pub(super) async fn say_goodbye(&self) {
        self.late.client.leave().await;
    }
}

/// What a person can read.
async fn words(person: &Person) -> Result<Vec<String>, Failure> {
    let views = person
        .client
        .read(person.channel, Range::Last(ALL))
        .await
        .map_err(failed)?;
    let said = views.into_iter().filter(|view| view.event.is_none());
    Ok(said.map(|view| view.text.unwrap_or_default()).collect())
}
