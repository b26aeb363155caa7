//! The open channel and those who are in it, in lines: comparing, blocking, who may do what, how long messages stay.

use core::fmt::Write as _;

use waxwing_core::envelope::KeepFor;
use waxwing_light::{ContactId, Error, Query};
use waxwing_seal::display::display_safe_name;

use super::super::model::{Event, GroupChange};
use super::super::people;
use super::super::search::HITS_MAX;
use super::typed::About;
use super::{Room, Stop, speak};
use crate::chat::groups::who::{self, Someone};
use crate::chat::manners::timer_says;
use crate::words::{count, grouped};

/// Hits that are read out without being asked for more.
const SPOKEN: usize = 20;

impl Room<'_> {
    /// What is typed about the open channel and those who are in it.
    pub(super) async fn about_channel(&mut self, about: About) -> Result<(), Stop> {
        match about {
            About::Compare(name) => self.compare(&name).await,
            About::Match(name) => self.noted(&name, true).await,
            About::Differ(name) => self.noted(&name, false).await,
            About::Block(name, is_blocked) => {
                let contact = self.contact(&self.someone(&name).await?).await?;
                let event = people::blocked(self.client, contact, is_blocked).await?;
                self.told(event)
            }
            About::Timer(wanted) => self.timer(wanted).await,
            About::Receipts(wanted) => self.receipts(wanted).await,
            About::New(name) => {
                let network = self.channel()?.network.clone();
                let id = people::found(self.client, &network, &name).await?;
                let channel = crate::chat::channel_of(self.client, id).await?;
                Ok(self.enter(channel).await?)
            }
            change => self.about_group(change).await,
        }
    }

    /// What all members see.
    async fn about_group(&self, about: About) -> Result<(), Stop> {
        let wanted = match about {
            About::Admin(name, is_admin) => GroupChange::Appoint(self.someone(&name).await?.account, is_admin),
            About::Remove(name, true) => GroupChange::Remove(self.someone(&name).await?.account),
            About::Remove(name, false) => {
                let called = self.someone(&name).await?.name();
                let says = format!("{called} would read nothing that is said from then on. Type /remove {name} yes");
                return Ok(self.say(&says)?);
            }
            About::Rename(name) => GroupChange::Rename(name),
            About::Leave(true) => GroupChange::Leave,
            _ => return Ok(self.say("The members would see that you leave. Type /leave yes")?),
        };
        self.change(wanted).await
    }

    /// Somebody in the open channel, by a name that could mean nobody else.
    async fn someone(&self, name: &str) -> Result<Someone, Stop> {
        let group = self.client.group(self.channel()?.id).await?.ok_or(Error::NoGroup)?;
        let people = who::of(self.client, &group).await?;
        Ok(who::find(&people, name)?.clone())
    }

    async fn contact(&self, someone: &Someone) -> Result<ContactId, Stop> {
        Ok(people::contact(self.client, &someone.account).await?)
    }

    async fn compare(&self, name: &str) -> Result<(), Stop> {
        let someone = self.someone(name).await?;
        let person = people::person(self.client, self.channel()?.id, &someone.account).await?;
        let called = display_safe_name(&person.detail.contact.name);
        self.say(&format!(
            "You and {called} see the same digits if nobody stands between you. Read them to each other in person or by \
             voice, never in a message:"
        ))?;
        for line in person.digits.chunks(4) {
            self.say(&line.join(" "))?;
        }
        for change in &person.detail.changes {
            let warning = if change.breaks { "warning: " } else { "" };
            let when = self.zone.whole(change.time_ms);
            self.say(&format!("{warning}{when}: {}", change.sentence))?;
        }
        Ok(self.say(&format!("All the same: /match {name}. If any differ: /differ {name}"))?)
    }

    async fn noted(&self, name: &str, matches: bool) -> Result<(), Stop> {
        let contact = self.contact(&self.someone(name).await?).await?;
        if matches {
            let event = people::compared(self.client, contact, true).await?;
            return self.told(event);
        }
        let known = self.client.contact(contact).await?.contact;
        if known.compared_ms.is_some() && known.standstill == waxwing_light::Standstill::None {
            people::compared(self.client, contact, false).await?;
        }
        Ok(self.say(
            "Nothing is noted. Read them once more; if they differ again, somebody may stand between you: say nothing here \
             that matters, and speak over another way. /block shows nothing more of whoever it is.",
        )?)
    }

    async fn change(&self, wanted: GroupChange) -> Result<(), Stop> {
        let event = people::changed(self.client, self.channel()?.id, &wanted).await?;
        self.told(event)
    }

    /// Says what the client said of what was done.
    fn told(&self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Told(_, says) => Ok(self.say(&says)?),
            _ => Ok(()),
        }
    }

    async fn timer(&self, wanted: Option<KeepFor>) -> Result<(), Stop> {
        let channel = self.channel()?.id;
        if let Some(keep_for) = wanted {
            self.client.set_timer(channel, keep_for).await?;
            return Ok(self.say("asked for: it binds honest members and nodes only")?);
        }
        let manners = self.client.manners(channel).await?;
        Ok(self.say(&timer_says(manners.timer_days))?)
    }

    async fn receipts(&self, wanted: Option<bool>) -> Result<(), Stop> {
        let channel = self.channel()?.id;
        if let Some(has) = wanted {
            self.client.set_receipts(channel, has).await?;
        }
        let manners = self.client.manners(channel).await?;
        let word = if manners.receipts { "on" } else { "off" };
        self.say(&format!("receipts are {word}"))?;
        for member in manners.members.iter().filter(|member| !member.own) {
            let name = match member.name.as_str() {
                "" => "somebody who has not written".to_owned(),
                name => display_safe_name(name),
            };
            let mut says = format!("{name} holds {}", count(member.held, "entry", "entries"));
            if member.delivered > 0 {
                let _ = write!(
                    says,
                    ", got {}, read {}",
                    grouped(member.delivered),
                    grouped(member.read)
                );
            }
            self.say(&says)?;
        }
        Ok(())
    }

    pub(super) async fn search(&mut self, words: String) -> Result<(), Stop> {
        let query = Query {
            words: words.split_whitespace().map(str::to_owned).collect(),
            channel: None,
            most: HITS_MAX,
        };
        let hits = self.client.search(query).await?;
        let found = u64::try_from(hits.len()).unwrap_or(u64::MAX);
        self.say(&count(found, "message", "messages"))?;
        let channels = self.client.channels().await?;
        for hit in hits.iter().rev().take(SPOKEN) {
            let channel = channels.iter().find(|channel| channel.id == hit.message.channel);
            let name = channel.map_or_else(String::new, |channel| display_safe_name(&channel.name));
            let says = speak::message(&hit.message, &self.names, &self.zone);
            self.output.text(&format!("{name}, {says}"))?;
        }
        Ok(())
    }
}
