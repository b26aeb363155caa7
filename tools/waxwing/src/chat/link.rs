//! `waxwing chat link`: a further device for an account, from both sides.
//!
//! ```text
//! on the new device    waxwing chat link --as NAME --genesis FILE --node ...     shows a link, then who offers; asks
//! on the other one     waxwing chat link LINK                                    offers, adds, hands over
//! ```
//!
//! Both wait for each other; what is interrupted goes on with the next command that connects.

use std::time::Duration;

use serde_json::json;
use waxwing_core::Hash;
use waxwing_light::{Client, Error, LinkingState, LinkingView, OfferView};
use waxwing_seal::display::display_safe_name;
use zeroize::Zeroizing;

use super::{Session, devices, fault, nodes, qr};
use crate::args::LinkDevice;
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::network::{genesis_in, read_genesis};
use crate::output::Output;
use crate::{Done, confirm, files};

/// A link with eight nodes takes less than 1 kB.
const LINK_MAX: u64 = 64 << 10;

/// How often it is looked whether the other side has gone on.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub(super) async fn act(link: &LinkDevice, session: &Session<'_>) -> Done {
    let within = Duration::from_secs(link.timeout);
    match &link.link {
        Some(text) => take_in(text, within, session).await,
        None => tokio::time::timeout(within, be_taken_in(link, within, session))
            .await
            .unwrap_or_else(|_| {
                Err(Failure::failed(
                    "nobody took this device in meanwhile: begin anew when the other device is at hand",
                ))
            }),
    }
}

/// On a device of the account.
async fn take_in(text: &str, within: Duration, session: &Session<'_>) -> Done {
    let link = if text == "-" {
        Zeroizing::new(files::read_text(std::path::Path::new("-"), "link", LINK_MAX)?)
    } else {
        Zeroizing::new(text.to_owned())
    };
    let (client, output) = (session.open().await?, session.output);
    let id = client.link_device(&link).await.map_err(|error| fault(&error))?;
    output.note("this account offers to take the device in; agree to it there");
    let done = client.linking_is(id, &[LinkingState::Done], within).await;
    let done = done.map_err(|error| match error {
        Error::StillWaiting => Failure::failed(
            "the device did not agree: its link was used already, is older than an hour, or nobody said yes there. Begin anew \
             on that device",
        ),
        other => fault(&other),
    })?;
    let told = async {
        while client.answers_waiting().await.map_err(|error| fault(&error))? > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok::<(), Failure>(())
    };
    tokio::time::timeout(within, told).await.unwrap_or_else(|_| {
        Err(Failure::failed(
            "what the device has to know is still on its way: connect again",
        ))
    })?;
    let id = done.device.as_deref().and_then(ids::hex_32);
    let shown = id.map_or_else(String::new, |id| output.id(Kind::Device, &id));
    let object = json!({ "device": done.device, "state": "done" });
    output.result(
        "chat.link",
        object,
        &format!("{shown} is one of this account's devices now"),
    )?;
    Ok(0)
}

/// On the new device.
async fn be_taken_in(link: &LinkDevice, within: Duration, session: &Session<'_>) -> Done {
    let output = session.output;
    let expected = link.account.as_deref().map(|text| ids::parse_full(Kind::Account, text));
    let expected = expected
        .transpose()
        .map_err(|error| Failure::usage(error.to_string()))?;
    let (client, network) = on_network(link, session).await?;
    let begun = client.begin_linking(network, &link.device).await;
    let (id, text) = begun.map_err(|error| fault(&error))?;
    show(&text, link.qr, output)?;
    let offer = offered(&client, id, expected, output).await?;
    let agreed = client.agree_to_link(id, &offer.offer).await;
    agreed.map_err(|error| fault(&error))?;
    output.note("agreed; the other device adds this one");
    let done = client.linking_is(id, &[LinkingState::Done], within).await;
    done.map_err(|error| fault(&error))?;
    let known = client.settle_account(network, within).await;
    devices::tell(&known.map_err(|error| fault(&error))?, &client, "chat.link", output).await?;
    Ok(0)
}

/// The client, and the network on which the other device is looked for.
async fn on_network(link: &LinkDevice, session: &Session<'_>) -> Result<(Client, Hash), Failure> {
    let genesis = match &link.genesis {
        Some(path) => Some(read_genesis(path)?),
        None if genesis_in(session.home.folder()?).exists() => Some(read_genesis(session.home.folder()?)?),
        None => None,
    };
    let named = nodes::wanted(&link.node, session)?;
    let client = session.open_or_create(link.name.as_deref()).await?;
    let network = match genesis {
        Some(genesis) => client
            .add_network(&genesis, &named)
            .await
            .map_err(|error| fault(&error))?,
        None => super::verify::network(&client, None).await?,
    };
    Ok((client, network))
}

fn show(link: &str, as_qr: bool, output: &Output) -> Result<(), Failure> {
    if as_qr {
        match qr::picture(link, output)? {
            Some(picture) => output.text(&picture)?,
            None => output.note("the QR code needs a wider terminal; the link alone:"),
        }
    }
    output.result("chat.link", json!({ "link": link, "state": "looking" }), link)?;
    output.note("on a device of the account: `waxwing chat link LINK`, within the hour. Show the link to nobody else");
    Ok(())
}

/// The offer that the owner of this device agrees to.
async fn offered(client: &Client, id: i64, expected: Option<Hash>, output: &Output) -> Result<OfferView, Failure> {
    loop {
        let view = client.linking(id).await.map_err(|error| fault(&error))?;
        client.start();
        if let Some(offer) = fitting(&view, expected)? {
            if expected.is_none() {
                let account = ids::hex_32(&offer.account)
                    .map_or_else(|| offer.account.clone(), |id| output.id(Kind::Account, &id));
                let name = display_safe_name(&offer.name);
                confirm::ask(
                    &format!(
                        "{name} offers to take this device into {account}. If that is not what `waxwing chat account show` \
                         prints on your other device, somebody else has seen the link"
                    ),
                    output,
                )?;
            }
            return Ok(offer);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The offer that is meant, if it is there.
fn fitting(view: &LinkingView, expected: Option<Hash>) -> Result<Option<OfferView>, Failure> {
    match (expected, view.offers.as_slice()) {
        (Some(account), offers) => Ok(offers
            .iter()
            .find(|offer| offer.account == account.to_string())
            .cloned()),
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only.clone())),
        (None, _) => Err(Failure::usage(
            "several accounts offer to take this device in, so somebody else has seen the link: begin anew, and name your \
             account with --account",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(account: u8) -> OfferView {
        OfferView {
            offer: format!("offer of {account}"),
            account: Hash([account; 32]).to_string(),
            device: String::new(),
            name: String::new(),
        }
    }

    fn view(offers: &[u8]) -> LinkingView {
        LinkingView {
            id: 1,
            state: LinkingState::Offered,
            device: None,
            offers: offers.iter().copied().map(offer).collect(),
        }
    }

    #[test]
    fn the_account_that_was_named_is_waited_for_and_among_several_nobody_guesses() {
        let named = Some(Hash([2; 32]));
        assert_eq!(fitting(&view(&[]), None), Ok(None));
        assert_eq!(fitting(&view(&[1]), None), Ok(Some(offer(1))));
        assert!(matches!(fitting(&view(&[1, 2]), None), Err(Failure::Usage(_))));
        assert_eq!(fitting(&view(&[1]), named), Ok(None), "somebody else was faster");
        assert_eq!(fitting(&view(&[1, 2]), named), Ok(Some(offer(2))));
    }
}
