//! Reaching another validator, hearing what it says, and reaching it again when the connection is over.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::Notify;
use waxwing_core::codec::Decode;
use waxwing_core::keys::ValidatorId;
use waxwing_net::quic::{Connection, RequestError, Subscription};
use waxwing_net::wire::{Push, Refusal, Request};
use waxwing_store::Tables;

use super::allowance::Allowance;
use super::limits::NO_ROOM_MS;
use super::spread::{Outgoing, carry};
use super::{Links, Reached, Stopped};
use crate::address::NodeAddress;
use crate::faults::{LINK_BROKE, Seldom};
use crate::order::event::{Event, Frame};
use crate::reach::{Unreached, reach};

/// Time for a handshake, and for an answer that needs no disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time for a connection to show that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// First and longest wait before a validator is dialled again. One that comes back says hello itself, which ends the wait.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A link that lasted so long starts again with the shortest wait.
const LASTING_MS: u64 = 10_000;

/// Waits that double, with jitter.
fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(SHORTEST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Why there is no link, or not any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    /// It cannot be reached.
    Unreached(Unreached),
    /// It does not answer, or refuses.
    Request(RequestError),
    /// It ended the conversation.
    Ended(Option<Refusal>),
    /// It did not prove the key of a validator of this network.
    Stranger,
    /// It said something that is no message between validators.
    Nonsense,
    /// This node does not vote any more, or cannot say hello.
    Silent,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreached(unreached) => unreached.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Ended(Some(refusal)) => write!(f, "it ended the conversation: {refusal}"),
            Self::Ended(None) => f.write_str("it ended the conversation"),
            Self::Stranger => f.write_str("it did not prove the key of a validator of this network"),
            Self::Nonsense => f.write_str("it sent something that is no message between validators"),
            Self::Silent => f.write_str("this node does not vote"),
        }
    }
}

/// How a conversation ended.
enum End {
    /// The node stops.
    Stopped,
    /// There will be another one.
    Broken(Broken),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl<T: Tables> Links<T> {
    /// Stays with one address until the node stops, unless somebody does already.
    pub(super) fn dial(self: &Arc<Self>, address: NodeAddress) {
        let poke = Arc::new(Notify::new());
        let mut state = self.state();
        if state.dialled.contains_key(&address.node) {
            return;
        }
        state.dialled.insert(address.node, Arc::clone(&poke));
        drop(state);
        tokio::spawn(attend(Arc::clone(self), address, poke));
    }

    /// Makes whoever dials a node look whether its connection lives, or dial at once if there is none.
    pub(super) fn poke(&self, node: &waxwing_core::keys::NodeId) {
        if let Some(poke) = self.state().dialled.get(node) {
            poke.notify_one();
        }
    }

    fn is_wanted(&self, address: &NodeAddress) -> bool {
        self.state().dialled.contains_key(&address.node)
    }

    /// Waits until this node votes.
    async fn until_voting(&self) -> Result<(), Stopped> {
        let mut tips = self.chain.tips();
        while self.own().is_none() {
            tokio::select! {
                changed = tips.changed() => changed.map_err(|_| Stopped)?,
                () = self.lifeline.stopped() => return Err(Stopped),
            }
        }
        Ok(())
    }
}

async fn attend<T: Tables>(links: Arc<Links<T>>, address: NodeAddress, poke: Arc<Notify>) {
    let (mut waits, seldom) = (waits(), Seldom::default());
    while links.is_wanted(&address) && links.until_voting().await.is_ok() {
        let before = links.clock.steady_ms();
        match converse(&links, &address, &poke).await {
            End::Stopped => return,
            End::Broken(broken) => {
                if seldom.is_due(links.clock.steady_ms()) {
                    tracing::warn!(code = LINK_BROKE, node = %address.node, "another validator: {broken}");
                }
            }
        }
        if links.clock.steady_ms().saturating_sub(before) > LASTING_MS {
            waits = self::waits();
        }
        tokio::select! {
            () = tokio::time::sleep(waits.next().unwrap_or(LONGEST_WAIT)) => {}
            () = poke.notified() => waits = self::waits(),
            () = links.lifeline.stopped() => return,
        }
    }
}

async fn converse<T: Tables>(links: &Arc<Links<T>>, address: &NodeAddress, poke: &Notify) -> End {
    let met = tokio::select! {
        met = meet(links, address) => met,
        () = links.lifeline.stopped() => return End::Stopped,
    };
    let (validator, connection, mut subscription) = match met {
        Ok(met) => met,
        Err(broken) => return broken.into(),
    };
    let outgoing = Arc::new(Outgoing::default());
    let reached = Reached {
        connection: connection.clone(),
        outgoing: Arc::clone(&outgoing),
    };
    links.state().reached.insert(validator, reached);
    if let Some(begun) = links.begun.get() {
        (begun.greet)(connection.clone());
    }
    let end = tokio::select! {
        broken = hear(links, validator, &mut subscription) => broken.into(),
        () = links.lifeline.stopped() => End::Stopped,
        () = carry(links, &outgoing, &connection) => Broken::Ended(None).into(),
        broken = look_after(&connection, poke) => broken.into(),
    };
    connection.close();
    let mut state = links.state();
    // Another connection to the same validator may have taken the place meanwhile.
    if state
        .reached
        .get(&validator)
        .is_some_and(|reached| Arc::ptr_eq(&reached.outgoing, &outgoing))
    {
        state.reached.remove(&validator);
    }
    end
}

/// Connects, says hello, and checks the hello that comes back.
async fn meet<T: Tables>(
    links: &Links<T>,
    address: &NodeAddress,
) -> Result<(ValidatorId, Connection, Subscription), Broken> {
    let connection = connect(links, address).await?;
    let hello = links.hello(&address.node).ok_or(Broken::Silent)?;
    let asked = connection.subscribe(&Request::Order { hello }, PATIENCE).await;
    let mut subscription = asked.map_err(Broken::Request)?;
    let answer = tokio::time::timeout(PATIENCE, subscription.next()).await;
    match answer.map_err(|_| Broken::Request(RequestError::TimedOut))? {
        Ok(Some(Push::Order(hello))) => {
            let hello = links.meet(&hello, &address.node).ok_or(Broken::Stranger)?;
            Ok((hello.validator, connection, subscription))
        }
        Ok(Some(Push::Ended(refusal))) => Err(Broken::Ended(Some(refusal))),
        Ok(Some(_)) => Err(Broken::Nonsense),
        Ok(None) => Err(Broken::Ended(None)),
        Err(error) => Err(Broken::Request(error)),
    }
}

async fn connect<T: Tables>(links: &Links<T>, address: &NodeAddress) -> Result<Connection, Broken> {
    let dialer = &links.begun.get().ok_or(Broken::Silent)?.dialer;
    reach(dialer, address, PATIENCE).await.map_err(Broken::Unreached)
}

/// Reads frames no faster than one validator may talk, and as long as there is room for them.
async fn hear<T: Tables>(links: &Links<T>, validator: ValidatorId, subscription: &mut Subscription) -> Broken {
    let mut allowance = Allowance::new(links.clock.steady_ms());
    loop {
        let bytes = match subscription.next().await {
            Ok(Some(Push::Order(bytes))) => bytes,
            Ok(Some(Push::Ended(refusal))) => return Broken::Ended(Some(refusal)),
            Ok(Some(_)) => return Broken::Nonsense,
            Ok(None) => return Broken::Ended(None),
            Err(error) => return Broken::Request(error),
        };
        let wait = allowance.pay(links.clock.steady_ms(), bytes.len());
        let Ok(frame) = Frame::from_bytes(&bytes) else {
            return Broken::Nonsense;
        };
        drop(bytes);
        let event = Event::Frame { from: validator, frame };
        // What finds no room is lost, as on a bad line: the agreement says again what counts.
        let had_room = (links.deliver)(event);
        let wait = if had_room { wait } else { wait.max(NO_ROOM_MS) };
        if wait > 0 {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }
}

/// Returns when a connection turns out to be dead, after somebody had reason to doubt it: the other validator has said hello
/// anew, perhaps because it was restarted and does not know this connection any more.
async fn look_after(connection: &Connection, poke: &Notify) -> Broken {
    loop {
        poke.notified().await;
        match connection.request(&Request::Status, SIGN_OF_LIFE).await {
            // A refusal is a sign of life.
            Ok(_) | Err(RequestError::Refused(_)) => {}
            Err(error) => return Broken::Request(error),
        }
    }
}
