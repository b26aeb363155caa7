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
mod find;
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
mod told;
mod verify;
mod which;

pub(crate) use nodes::parse as parse_node;

use find::{channel_of, digits_of, find_channel, find_channel_or_only, find_message, find_message_in};

use std::cell::OnceCell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use waxwing_light::{AskError, ChannelId, Client, Cost, Error, FileError, Options, Passphrase};

use crate::Done;
use crate::args::{Chat, ChatVerb, ProofVerb, WhoVerb};
use crate::failure::Failure;
use crate::home::Home;
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
            blocked,
        } => {
            let wanted = messages::Wanted {
                last: *last,
                proofs: *proofs,
                offline: *offline,
                peek: *peek,
                blocked: *blocked,
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
                 `waxwing chat join LINK --as YOU`; who had an account before brings it back with `waxwing chat recover \
                 --name YOU`. Another home is named with --home DIR or WAXWING_HOME",
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

/// A channel's number in this home.
const fn number(channel: ChannelId) -> i64 {
    channel.0
}
