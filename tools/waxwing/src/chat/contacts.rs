//! `waxwing chat contacts|contact|report`: the people this device knows. Nobody else ever sees this list.

use serde_json::json;
use waxwing_light::{Client, Consent, ContactDetail, ContactId, ContactView, Standstill};
use waxwing_seal::display::{display_safe, display_safe_lines, display_safe_name};
use waxwing_seal::identity::AccountId;

use super::show::json_of;
use super::{Session, fault};
use crate::args::ContactVerb;
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::output::{Output, Tone};
use crate::{Done, clock, confirm, files};

/// Why somebody was reported: a few sentences.
const WHY_MAX: u64 = 64 << 10;

pub(super) async fn act(verb: &ContactVerb, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let (text, change) = match verb {
        ContactVerb::Add { account, name } => return add(account, name, &client, output).await,
        ContactVerb::Show { contact } => return show(contact, &client, output).await,
        ContactVerb::Forget { contact } => return forget(contact, &client, output).await,
        ContactVerb::Rename { contact, name } => (contact, Change::Name(name)),
        ContactVerb::Accept { contact } => (contact, Change::Accepted),
        ContactVerb::Block { contact } => (contact, Change::Blocked),
        ContactVerb::Unblock { contact } => (contact, Change::Unblocked),
    };
    let view = find(&client, text).await?;
    let (schema, done) = change.make(&client, view.id).await?;
    tell(&client, &view, schema, done, output).await
}

/// What becomes of a person on this device.
#[derive(Clone, Copy)]
enum Change<'a> {
    Name(&'a str),
    Accepted,
    Blocked,
    Unblocked,
}

impl Change<'_> {
    /// Makes it; returns its schema and what to say.
    async fn make(self, client: &Client, id: ContactId) -> Result<(&'static str, &'static str), Failure> {
        let (made, said) = match self {
            Self::Name(name) => {
                let said = ("chat.contact.rename", "is what they are called here now");
                (client.rename_contact(id, name).await, said)
            }
            Self::Accepted => {
                let said = ("chat.contact.accept", "may write to you");
                (client.accept_contact(id).await, said)
            }
            Self::Blocked => {
                let said = ("chat.contact.block", "is blocked on this device, and not told");
                (client.block_contact(id).await, said)
            }
            Self::Unblocked => {
                let said = ("chat.contact.unblock", "is blocked no more");
                (client.unblock_contact(id).await, said)
            }
        };
        made.map_err(|error| fault(&error))?;
        Ok(said)
    }
}

/// The person that somebody means: what they are called, their number, or their account in any form.
///
/// # Errors
/// If nobody or several are meant.
pub(super) async fn find(client: &Client, text: &str) -> Result<ContactView, Failure> {
    let views = client.contacts().await.map_err(|error| fault(&error))?;
    if views.is_empty() {
        return Err(Failure::usage(
            "there are no contacts in this home yet: `waxwing chat contact add ACCOUNT NAME` adds one",
        ));
    }
    let typed = ids::parse(Kind::Account, text).ok();
    let is_meant = |view: &&ContactView| {
        let account = ids::hex_32(&view.account);
        let by_id = typed.zip(account).is_some_and(|(typed, account)| typed.names(&account));
        by_id || text.parse() == Ok(view.id.0)
    };
    let named: Vec<&ContactView> = views.iter().filter(|view| view.name == text).collect();
    let found = if named.is_empty() {
        views.iter().filter(is_meant).collect()
    } else {
        named
    };
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Failure::usage(format!(
            "there is no contact {text}: `waxwing chat contacts` lists them"
        ))),
        _ => Err(Failure::usage(format!(
            "several contacts are called {text}: `waxwing chat contacts` lists their numbers"
        ))),
    }
}

/// Says what was done, and shows the person as they stand now.
async fn tell(client: &Client, before: &ContactView, schema: &str, done: &str, output: &Output) -> Done {
    let detail = client.contact(before.id).await.map_err(|error| fault(&error))?;
    let text = format!("{} {done}", display_safe_name(&detail.contact.name));
    output.result(schema, json_of(&detail.contact), &text)?;
    Ok(0)
}

async fn add(account: &str, name: &str, client: &Client, output: &Output) -> Done {
    let account = ids::parse_full(Kind::Account, account).map_err(|error| Failure::usage(error.to_string()))?;
    if name.trim().is_empty() {
        return Err(Failure::usage("the name is empty: say what to call them here"));
    }
    let id = client.add_contact(AccountId(account.0), name).await;
    let id = id.map_err(|error| fault(&error))?;
    let view = client.contact(id).await.map_err(|error| fault(&error))?.contact;
    output.note("nobody compared yet whether this account is theirs: `waxwing chat verify` does, with them");
    tell(client, &view, "chat.contact.add", "is a contact now", output).await
}

async fn show(contact: &str, client: &Client, output: &Output) -> Done {
    let view = find(client, contact).await?;
    let detail = client.contact(view.id).await.map_err(|error| fault(&error))?;
    let text = detailed(&detail, output);
    output.result("chat.contact", json_of(&detail), &text)?;
    Ok(0)
}

fn detailed(detail: &ContactDetail, output: &Output) -> String {
    let view = &detail.contact;
    let account = ids::hex_32(&view.account).map_or_else(|| view.account.clone(), |id| output.id(Kind::Account, &id));
    let mut facts = vec![("account", account), ("met", clock::local(view.met_ms))];
    if view.petname.is_some() && !view.claimed.is_empty() {
        facts.push(("claims to be", display_safe_name(&view.claimed)));
    }
    facts.push(("compared", compared(view)));
    facts.extend(
        view.blocked_ms
            .map(|since| ("blocked", format!("since {}", clock::local(since)))),
    );
    facts.extend(
        view.report
            .as_ref()
            .map(|why| ("reported", display_safe_lines(why).into_owned())),
    );
    let mut text = output.facts(&display_safe_name(&view.name), &facts);
    for keys in &detail.keys {
        let network =
            ids::hex_32(&keys.network).map_or_else(|| keys.network.clone(), |id| output.id(Kind::Network, &id));
        text.push_str(&format!("  on {network}, card {}\n", keys.card));
        for device in &keys.devices {
            let id =
                ids::hex_32(&device.device).map_or_else(|| device.device.clone(), |id| output.id(Kind::Device, &id));
            let name = device.name.as_deref().map(display_safe_name);
            let name = name.map_or_else(String::new, |name| format!("{name}  "));
            text.push_str(&format!("    {id}  {name}{}\n", device.standing));
        }
    }
    for change in &detail.changes {
        let tone = if change.breaks { Tone::Bad } else { Tone::Faint };
        let line = format!(
            "  {}  {}",
            clock::day_and_minute(change.time_ms),
            display_safe(&change.sentence)
        );
        text.push_str(&format!("{}\n", output.paint(tone, &output.wrapped(&line, 4))));
    }
    text.push_str(&against(view, output));
    text
}

fn compared(view: &ContactView) -> String {
    view.compared_ms.map_or_else(|| "not yet".to_owned(), clock::local)
}

/// What speaks against a person, below them: nothing for almost all.
fn against(view: &ContactView, output: &Output) -> String {
    let mut text = String::new();
    let mut say = |words: &str| text.push_str(&format!("  {}\n", output.paint(Tone::Bad, &format!("! {words}"))));
    if view.standstill == Standstill::KeysChanged {
        say("their keys changed after you had compared: nothing is sent to them until you compare again");
    }
    if view.consent == Consent::Asks {
        say("they ask to write to you: accept or block them");
    }
    for other in &view.alike {
        say(&format!("contact {} has a name that looks like this one", other.0));
    }
    text
}

pub(super) async fn list(session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let views = client.contacts().await.map_err(|error| fault(&error))?;
    let mut text = String::new();
    for view in &views {
        let account = ids::hex_32(&view.account).map_or_else(String::new, |id| output.id(Kind::Account, &id));
        let standing = match (view.blocked_ms, view.compared_ms) {
            (Some(_), _) => "blocked",
            (None, Some(_)) => "compared",
            (None, None) => "not compared",
        };
        text.push_str(&format!(
            "{:>3}  {}  {account}  {standing}\n{}",
            view.id.0,
            output.paint(Tone::Strong, &display_safe_name(&view.name)),
            against(view, output)
        ));
    }
    if text.is_empty() {
        text.push_str("no contacts yet\n");
    }
    output.result("chat.contacts", json!({ "contacts": json_of(&views) }), &text)?;
    Ok(0)
}

async fn forget(contact: &str, client: &Client, output: &Output) -> Done {
    let view = find(client, contact).await?;
    let name = display_safe_name(&view.name);
    confirm::ask(
        &format!(
            "{name} is forgotten: names, what was compared, what became of their keys, and that they were blocked. Channels \
             and messages are not touched"
        ),
        output,
    )?;
    client.forget_contact(view.id).await.map_err(|error| fault(&error))?;
    output.result("chat.contact.forget", json_of(&view), &format!("forgot {name}"))?;
    Ok(0)
}

/// `waxwing chat report`.
pub(super) async fn report(contact: &str, why: &[String], session: &Session<'_>) -> Done {
    let why = match why {
        [only] if only == "-" => files::read_text(std::path::Path::new("-"), "reason", WHY_MAX)?,
        words => words.join(" "),
    };
    let client = session.open().await?;
    let view = find(&client, contact).await?;
    let done = client.report_contact(view.id, &why).await;
    done.map_err(|error| fault(&error))?;
    session
        .output
        .note("there is nobody to report to: the reason is kept on this device alone");
    tell(
        &client,
        &view,
        "chat.report",
        "is blocked, and the reason noted",
        session.output,
    )
    .await
}
