//! An inbox that was made for one other: the answer to a request comes here, or what a contact has to say later.
//!
//! Its address was sealed to the other alone, so what is posted is the other's. `// SPEC 28.7`

use waxwing_core::Hash;
use waxwing_core::codec::{CodecError, Decode, Encode, Reader, put_list};

use crate::identity::AccountId;

use super::body::{Outer, read};
use super::limits::REMEMBERED_MAX;
use super::post::{Declined, Greeting, Post, Spot};
use super::recipient::Recipient;
use super::state::{At, Event};
use super::void::Void;
use super::welcome::{Step, Transfers, WelcomePart};

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Answers {
    with: AccountId,
    /// The id of the request, or of the greeting that handed this inbox over.
    occasion: Hash,
    is_declined: bool,
    /// The ids of the newest welcomes and greetings, the oldest first.
    remembered: Vec<Hash>,
    transfers: Transfers,
}

impl Answers {
    pub(super) fn new(with: AccountId, occasion: Hash) -> Self {
        Self {
            with,
            occasion,
            is_declined: false,
            remembered: Vec::new(),
            transfers: Transfers::default(),
        }
    }

    pub(super) fn apply(&mut self, at: &At<'_>) -> Result<Event, Void> {
        let Outer::Post(inner) = read(at.hash_keys, at.keys, at.header, at.body)? else {
            return Err(Void::OutOfPlace);
        };
        match inner.open(at.key, self.occasion)? {
            Post::Part(part) => self.part(at, part),
            Post::Declined(declined) => self.decline(declined),
            Post::Greeting(greeting) => self.greet(at, greeting),
            Post::Request(_) | Post::HandOver(_) | Post::Offer(_) | Post::Accepting(_) => Err(Void::OutOfPlace),
        }
    }

    fn part(&mut self, at: &At<'_>, part: WelcomePart) -> Result<Event, Void> {
        if self.remembered.contains(&part.whole()) {
            return Err(Void::Repeated);
        }
        match self.transfers.take(at.hash_keys.network(), part)? {
            Step::Part { have, of } => Ok(Event::Part { have, of }),
            Step::Whole { whole, .. } if whole.answers != self.occasion => Err(Void::OtherOccasion),
            Step::Whole { id, whole } => {
                self.remember(id);
                Ok(Event::Welcome(whole))
            }
        }
    }

    fn decline(&mut self, declined: Declined) -> Result<Event, Void> {
        if declined.request != self.occasion {
            return Err(Void::OtherOccasion);
        }
        if self.is_declined {
            return Err(Void::Repeated);
        }
        self.is_declined = true;
        Ok(Event::Declined(declined.reason))
    }

    fn greet(&mut self, at: &At<'_>, greeting: Box<Greeting>) -> Result<Event, Void> {
        let spot = Spot {
            network: at.hash_keys.network(),
            log: at.keys.log(),
            occasion: self.occasion,
        };
        let id = greeting.id(&spot);
        if self.remembered.contains(&id) {
            return Err(Void::Repeated);
        }
        greeting.verify(&spot, self.with, at.time_ms)?;
        if !greeting.inbox.public.is_usable() {
            return Err(Void::Unanswerable);
        }
        self.remember(id);
        let recipient = Recipient::new(spot.network, self.with, greeting.inbox.clone(), id);
        Ok(Event::Greeting(greeting, recipient))
    }

    fn remember(&mut self, id: Hash) {
        if u32::try_from(self.remembered.len()).is_ok_and(|count| count >= REMEMBERED_MAX) {
            self.remembered.remove(0);
        }
        self.remembered.push(id);
    }
}

impl Encode for Answers {
    fn encode(&self, out: &mut Vec<u8>) {
        self.with.encode(out);
        self.occasion.encode(out);
        out.push(u8::from(self.is_declined));
        put_list(out, &self.remembered);
        self.transfers.encode(out);
    }
}

impl Decode for Answers {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            with: AccountId::decode(reader)?,
            occasion: reader.hash()?,
            is_declined: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(CodecError::BadValue),
            },
            remembered: reader.list(REMEMBERED_MAX, 32)?,
            transfers: Transfers::decode(reader)?,
        })
    }
}
