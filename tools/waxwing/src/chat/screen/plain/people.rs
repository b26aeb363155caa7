//! Who is in, who asks, and an invitation, in lines.

use waxwing_light::{Error, Joined, RequestState};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::super::people;
use super::{Room, Stop, Typed};
use crate::chat::channel_of;
use crate::chat::groups::{standing, who, wish, word_of};

impl Room<'_> {
    /// What is typed about people.
    pub(super) async fn about_people(&mut self, typed: Typed) -> Result<(), Stop> {
        match typed {
            Typed::Join(link) => self.join(&link).await,
            Typed::Members => self.members().await,
            Typed::Requests => self.requests().await,
            Typed::Accept(request) => {
                self.client.accept_request(request).await?;
                Ok(self.say("They are let in as soon as the ledger has it.")?)
            }
            Typed::Decline(request) => {
                self.client.decline_request(request).await?;
                Ok(self.say("They are told no.")?)
            }
            _ => self.invite().await,
        }
    }

    async fn join(&mut self, link: &str) -> Result<(), Stop> {
        let (Joined::New(id) | Joined::Known(id)) = self.client.join(link).await? else {
            return Ok(self.say("Asked to be let in: /channels lists the channel once somebody has answered.")?);
        };
        let channel = channel_of(self.client, id).await?;
        Ok(self.enter(channel).await?)
    }

    async fn invite(&self) -> Result<(), Stop> {
        let channel = self.channel()?;
        let link = people::invite(self.client, channel.id).await?;
        self.say(if channel.group {
            "Whoever uses this link first can come in, for seven days, while a member is connected: hand it over in private."
        } else {
            "Whoever has this link reads and writes the channel: hand it over in private."
        })?;
        Ok(self.say(&link)?)
    }

    async fn members(&self) -> Result<(), Stop> {
        let group = self.client.group(self.channel()?.id).await?.ok_or(Error::NoGroup)?;
        let people = who::of(self.client, &group).await?;
        for someone in &people {
            let own = if someone.own { ", you" } else { "" };
            let admin = if someone.admin { ", admin" } else { "" };
            let leaving = if someone.leaving { ", wishes to leave" } else { "" };
            self.say(&format!("{}{own}{admin}{leaving}, {}", someone.name(), someone.tag()))?;
            for other in people.iter().filter(|other| someone.is_like(other)) {
                self.say(&format!("  warning: looks like {}, {}", other.name(), other.tag()))?;
            }
            if let Some(warning) = someone.warning {
                self.say(&format!("  warning: {warning}"))?;
            }
        }
        if group.standing != "member" {
            self.say(&format!("warning: {}", standing(&group)))?;
        }
        Ok(())
    }

    async fn requests(&self) -> Result<(), Stop> {
        let requests = self.client.requests().await?;
        if requests.is_empty() {
            return Ok(self.say("nobody has asked")?);
        }
        for request in requests {
            let note = if request.note.is_empty() {
                String::new()
            } else {
                format!("; says: {}", display_safe(&request.note))
            };
            let invites = match &request.invites {
                Some(_) => format!(" {}", wish(&request, None)),
                None => String::new(),
            };
            let what = if request.state == RequestState::Waiting {
                format!("; /accept {0} or /decline {0}", request.id)
            } else {
                String::new()
            };
            self.say(&format!(
                "{}. {}{invites}, {}{note}{what}",
                request.id,
                display_safe_name(&request.name),
                word_of(&request)
            ))?;
        }
        Ok(())
    }
}
