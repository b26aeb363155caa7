//! `waxwing chat`: the light client on a command line. The person's data is `HOME/chat`.
//!
//! Whatever others wrote passes through `display_safe` before it meets a screen; JSON carries it exactly, with everything
//! that a terminal could obey escaped.

mod account;
mod attach;
mod channels;
mod contacts;
mod device;
mod devices;
mod events;
mod export;
mod groups;
mod link;
mod manners;
mod mentions;
mod messages;
mod nodes;
mod phrase;
mod profiles;
mod proof;
mod qr;
mod screen;
mod search;
mod sending;
pub(crate) mod show;
mod tail;
mod verify;
mod which;

pub(crate) use nodes::parse as parse_node;

use std::cell::OnceCell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use waxwing_light::{AskError, ChannelId, ChannelView, Client, Cost, Error, FileError, MessageId, Options, Passphrase};

use crate::Done;
use crate::args::{Chat, ChatVerb, ProofVerb, WhoVerb};
use crate::failure::Failure;
use crate::home::Home;
use crate::ids::{self, Kind, Typed};
use crate::output::Output;
use crate::passphrase::{self, Purpose};

pub(crate) fn run(chat: &Chat, home: &Home, output: &Output) -> Done {
    let home = &home.with_profile(chat.profile.as_deref())?;
    let session = Session {
        file: chat.passphrase_file.as_deref(),
        home,
        output,
        opened: OnceCell::new(),
    };
    crate::on_runtime(async {
        let done = act(chat, &session).await;
        if let Some(client) = session.opened.get() {
            client.leave().await;
        }
        done
    })
}

async fn act(chat: &Chat, session: &Session<'_>) -> Done {
    match &chat.verb {
        None => screen::open(chat.plain, session).await,
        Some(_) if chat.plain => Err(Failure::usage(
            "--plain is the line mode of `waxwing chat` without a verb: leave one of them out",
        )),
        Some(verb) => act_on(verb, session).await,
    }
}

async fn act_on(verb: &ChatVerb, session: &Session<'_>) -> Done {
    match verb {
        ChatVerb::New(new) => channels::new(new, session).await,
        ChatVerb::Group(verb) => groups::act(verb, session).await,
        ChatVerb::Channels => channels::list(session).await,
        ChatVerb::Say(verb) => sending::act(verb, session).await,
        ChatVerb::File(verb) => attach::act(verb, session).await,
        ChatVerb::Read {
            channel,
            last,
            proofs,
            offline,
            peek,
        } => {
            let wanted = messages::Wanted {
                last: *last,
                proofs: *proofs,
                offline: *offline,
                peek: *peek,
            };
            messages::read(channel.as_deref(), &wanted, session).await
        }
        ChatVerb::Tail(tail) => tail::tail(tail, session).await,
        ChatVerb::Search(search) => search::search(search, session).await,
        ChatVerb::Keep(verb) => device::act(verb, session).await,
        ChatVerb::Manner(verb) => manners::act(verb, session).await,
        ChatVerb::Who(verb) => act_on_people(verb, session).await,
        ChatVerb::Proof(verb) => act_on_proof(verb, session).await,
    }
}

/// What is proven, and what shows it to others.
async fn act_on_proof(verb: &ProofVerb, session: &Session<'_>) -> Done {
    match verb {
        ProofVerb::Why { which } => proof::why(&which.message, session).await,
        ProofVerb::Receipt { which, out } => proof::receipt(&which.message, out.as_deref(), session).await,
        ProofVerb::Evidence { out } => proof::evidence(out.as_deref(), session).await,
    }
}

async fn act_on_people(verb: &WhoVerb, session: &Session<'_>) -> Done {
    match verb {
        WhoVerb::Account(verb) => account::act(verb, session).await,
        WhoVerb::Accounts => profiles::list(session),
        WhoVerb::Devices(devices) => devices::act(devices, session).await,
        WhoVerb::Link(link) => link::act(link, session).await,
        WhoVerb::Recover(recover) => account::recover(recover, session).await,
        WhoVerb::Contacts => contacts::list(session).await,
        WhoVerb::Contact(verb) => contacts::act(verb, session).await,
        WhoVerb::Verify(verify) => verify::verify(verify, session).await,
        WhoVerb::Report { contact, why } => contacts::report(contact, why, session).await,
    }
}

/// What every verb needs.
struct Session<'a> {
    file: Option<&'a Path>,
    home: &'a Home,
    output: &'a Output,
    /// The client, once it was opened: its nodes are told when the command ends.
    opened: OnceCell<Client>,
}

impl Session<'_> {
    fn folder(&self) -> Result<PathBuf, Failure> {
        self.home.chat()
    }

    /// Opens the client in this home.
    async fn open(&self) -> Result<Client, Failure> {
        Ok(self.open_with_passphrase().await?.0)
    }

    /// The same; returns what opened it.
    async fn open_with_passphrase(&self) -> Result<(Client, Passphrase), Failure> {
        let folder = self.folder()?;
        if !Client::exists(&folder) {
            return Err(Failure::usage(format!(
                "there are no channels in {} yet: open one with `waxwing chat new NAME --as YOU`, or join one with \
                 `waxwing chat join LINK --as YOU`",
                folder.display()
            )));
        }
        let passphrase = self.passphrase(Purpose::Open)?;
        let client = Client::open(Options::new(&folder, passphrase.clone()))
            .await
            .map_err(|error| fault(&error))?;
        Ok((self.opened.get_or_init(|| client).clone(), passphrase))
    }

    /// Opens the client, or makes one that shows this name; returns whether it is new.
    async fn open_or_create(&self, name: Option<&str>) -> Result<Client, Failure> {
        let folder = self.folder()?;
        if Client::exists(&folder) {
            let client = self.open().await?;
            if let Some(name) = name {
                client.set_name(name).await.map_err(|error| fault(&error))?;
            }
            return Ok(client);
        }
        let name = &name.map_or_else(ask_name, |name| Ok(name.to_owned()))?;
        let passphrase = self.passphrase(Purpose::Choose)?;
        let client = Client::create(Options::new(&folder, passphrase), name, Cost::RECOMMENDED)
            .await
            .map_err(|error| fault(&error))?;
        Ok(self.opened.get_or_init(|| client).clone())
    }

    fn passphrase(&self, purpose: Purpose) -> Result<Passphrase, Failure> {
        let typed = passphrase::read(self.file, purpose)?;
        Passphrase::new(&typed).map_err(|error| Failure::usage(error.to_string()))
    }
}

/// Asks what members see as this person's name.
fn ask_name() -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("say what members see as your name: --as NAME"));
    }
    crate::output::to_stderr("Your name, as members see it: ");
    let mut name = String::new();
    let read = std::io::stdin().read_line(&mut name);
    match name.trim() {
        "" => Err(Failure::usage("say what members see as your name: --as NAME")),
        name if read.is_ok() => Ok(name.to_owned()),
        _ => Err(Failure::failed("the name cannot be read from the terminal")),
    }
}

/// What the client says is wrong, by whose turn it is.
fn fault(error: &Error) -> Failure {
    let text = error.to_string();
    match error {
        Error::Store(_)
        | Error::NobodyServed(_)
        | Error::NoSocket(_)
        | Error::StillWaiting
        | Error::Ask(AskError::StillAsking)
        | Error::Forked { .. }
        | Error::NotFinal
        | Error::File(
            FileError::Changes
            | FileError::NobodyKeeps(_)
            | FileError::NobodyHas { .. }
            | FileError::Unsound(_)
            | FileError::WrongHash
            | FileError::BeingSaved
            | FileError::SentElsewhere
            | FileError::Write(_)
            | FileError::GivenUp,
        ) => Failure::failed(text),
        _ => Failure::usage(text),
    }
}

/// The channel that somebody means: its name, number, or log id in any form.
async fn find_channel(client: &Client, text: &str) -> Result<ChannelView, Failure> {
    let views = client.channels().await.map_err(|error| fault(&error))?;
    if views.is_empty() {
        return Err(Failure::usage(
            "there are no channels in this home: open one with `waxwing chat new NAME --as YOU`",
        ));
    }
    let named: Vec<&ChannelView> = views.iter().filter(|view| view.name == text).collect();
    let typed = ids::parse(Kind::Log, text).ok();
    let is_meant = |view: &&ChannelView| {
        let log = ids::hex_32(&view.log);
        let by_id = typed.zip(log).is_some_and(|(typed, log)| typed.names(&log));
        by_id || text.parse() == Ok(view.id.0)
    };
    let found = if named.is_empty() {
        views.iter().filter(is_meant).collect()
    } else {
        named
    };
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Failure::usage(format!(
            "there is no channel {text}: `waxwing chat channels` lists them"
        ))),
        several => {
            let numbers: Vec<_> = several.iter().map(|view| number(view.id).to_string()).collect();
            Err(Failure::usage(format!(
                "several channels are called {text}: use the number of one, {}; `waxwing chat channels` lists them",
                numbers.join(", ")
            )))
        }
    }
}

/// The same; the only one there is, where none is named.
async fn find_channel_or_only(client: &Client, text: Option<&str>) -> Result<ChannelView, Failure> {
    if let Some(text) = text {
        return find_channel(client, text).await;
    }
    let views = client.channels().await.map_err(|error| fault(&error))?;
    match views.as_slice() {
        [only] => Ok(only.clone()),
        [] => find_channel(client, "").await,
        _ => Err(Failure::usage(
            "which channel? There are several in this home: `waxwing chat channels` lists them",
        )),
    }
}

/// The message that somebody means: `CHANNEL#ENTRY`, or its id, short or in hexadecimal.
async fn find_message(client: &Client, text: &str) -> Result<MessageId, Failure> {
    if let Some((channel, entry)) = text.rsplit_once('#') {
        let channel = find_channel(client, channel).await?;
        return client
            .find_message(channel.id, &format!("#{entry}"))
            .await
            .map_err(|error| fault(&error));
    }
    let digits = digits_of(text)?;
    let views = client.channels().await.map_err(|error| fault(&error))?;
    let mut found = Vec::new();
    for ChannelView { id, .. } in views {
        match client.find_message(id, &digits).await {
            Ok(message) => found.push((id, message)),
            Err(Error::UnknownMessage) => {}
            Err(error) => return Err(fault(&error)),
        }
    }
    match found.as_slice() {
        [] => Err(fault(&Error::UnknownMessage)),
        [(_, only)] => Ok(*only),
        several => {
            let channels: Vec<_> = several
                .iter()
                .map(|(channel, _)| number(*channel).to_string())
                .collect();
            Err(Failure::usage(format!(
                "messages of several channels are called {text}: use more digits, or name a channel first, {}",
                channels.join(", ")
            )))
        }
    }
}

/// The message of a channel that somebody means: its entry number, or any other way to name one.
async fn find_message_in(client: &Client, channel: &ChannelView, text: &str) -> Result<MessageId, Failure> {
    let number = text.strip_prefix('#').unwrap_or(text);
    // An id in hexadecimal that has digits only is still longer than any entry number.
    let is_number = !number.is_empty() && number.len() < 16 && number.bytes().all(|digit| digit.is_ascii_digit());
    if is_number {
        return client
            .find_message(channel.id, &format!("#{number}"))
            .await
            .map_err(|error| fault(&error));
    }
    let message = find_message(client, text).await?;
    let view = client.message(message).await.map_err(|error| fault(&error))?;
    if view.channel != channel.id {
        return Err(Failure::usage(format!(
            "{text} is a message of another channel: name that one, or a message of this one"
        )));
    }
    Ok(message)
}

/// The hexadecimal beginning of a content id.
fn digits_of(text: &str) -> Result<String, Failure> {
    let is_hexadecimal = text.len() >= 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hexadecimal {
        return Ok(text.to_owned());
    }
    match ids::parse(Kind::Message, text) {
        Ok(Typed::Short(first)) => Ok(ids::hex(&first)),
        Ok(Typed::Full(_)) => Err(fault(&Error::UnknownMessage)),
        Err(error) => Err(Failure::usage(format!(
            "{text} is no message ({error}); CHANNEL#ENTRY is another way to name one"
        ))),
    }
}

/// A channel's number in this home.
const fn number(channel: ChannelId) -> i64 {
    channel.0
}
