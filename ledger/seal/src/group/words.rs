//! What people are told: each refusal in words, what is wrong and, where they can do something, what to do next.

use core::fmt;

use super::GroupError;
use super::join::JoinError;
use super::key_package::KeyPackageFault;
use super::member::LeafFault;
use super::process::Void;
use super::rules::Breach;

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage => "the local store refused: look at its own error",
            Self::Library => "the group's state is not usable: be added afresh",
            Self::NotRestored => "an entry failed and its traces were not rolled back: restore the group first",
            Self::NotAMember => "this device is not in the group: ask a member to add it",
            Self::CommitPending => "a change of the group is on its way: try again when it is final",
            Self::AlreadyLeaving => "the wish to leave is on its way: any member can now remove this device",
            Self::Refused(breach) => return write!(f, "the group does not allow this change: {breach}"),
            Self::UnknownMember => "no such device in the group",
            Self::TooLong => "the message is too long: shorten it, or send it as a file",
            Self::TooManyOutstanding => "too many messages wait to be final: try again when some are",
            Self::SameAuthenticator => "the change left the group's secrets as they were: it was not made",
            Self::BadRecord(_) => "the stored group is not readable: be added afresh",
            Self::OtherSuite => "the group was made by a newer version: update to use it",
            Self::NoSuchGroup => "the stored group is incomplete: be added afresh",
        })
    }
}

impl core::error::Error for GroupError {}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherProposal => "it asks for something that groups here do not do",
            Self::NoPath => "it does not renew its author's keys",
            Self::OtherIdentity => "a device cannot become another one",
            Self::Leaf(fault) => return fmt::Display::fmt(fault, f),
            Self::TooManyAdds => "more than 32 devices at once: add them in several steps",
            Self::TooManyMembers => "a group has at most 256 devices",
            Self::KeyPackage(fault) => return fmt::Display::fmt(fault, f),
            Self::NotAdmin => "only an admin can do this: ask one",
            Self::BadCharter => "no group can have this charter",
            Self::FixedCharter => "this can never be changed: found another group",
            Self::NoAdminLeft => "no admin would be left: make somebody else an admin first",
            Self::ThirdAccount => "a direct channel has two people: found a group instead",
        })
    }
}

impl fmt::Display for KeyPackageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the key package is damaged: fetch it again",
            Self::OtherSuite => "the device speaks another version: one of you has to update",
            Self::Lifetime => "the key package has a lifetime that none may have",
            Self::NotNow => "the key package has expired or is not valid yet: wait until the device offers a new one",
            Self::Extensions => "the key package carries what no key package here does",
            Self::Leaf(fault) => return fmt::Display::fmt(fault, f),
        })
    }
}

impl core::error::Error for KeyPackageFault {}

impl fmt::Display for LeafFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "the device has no certificate",
            Self::OtherDevice => "the certificate is another device's",
            Self::Certificate(error) => return fmt::Display::fmt(error, f),
            Self::OtherAbilities => "the device announces other abilities than all have",
        })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the welcome is damaged: ask for it again",
            Self::NotForUs => "the welcome is not for this device, or its key package is gone: be added again",
            Self::AlreadyMember => "this device is in the group",
            Self::NotReplaceable => "this device can still follow the group: there is nothing to replace",
            Self::OtherSuite => "the group was made by another version: update to join it",
            Self::BadWelcome => "the welcome does not hold: ask for it again",
            Self::BadCharter => "the welcome is to something that is no group",
            Self::Leaf(fault) => return write!(f, "the welcome lists a member who is none: {fault}"),
            Self::Breach(breach) => return write!(f, "the welcome is to no group that can be: {breach}"),
            Self::OtherDevice => "the welcome is for another device",
            Self::Group(error) => return fmt::Display::fmt(error, f),
        })
    }
}

impl core::error::Error for JoinError {}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outer(error) => return fmt::Display::fmt(error, f),
            Self::Malformed(_) => "the inside is not a message",
            Self::OtherEpoch => "it belongs to another group, or to an epoch that is over",
            Self::OtherTerms => "somebody reposted it under other terms",
            Self::NotKept => "it has to stay, and could vanish",
            Self::NotOpened => "it does not open: a replay, a forgery, or too late",
            Self::ChangeNotOpened => {
                "it does not open, and may be a change of the group: a copy, a forgery, or this device has lost keys"
            }
            Self::BadSignature => "the signature of the device does not count",
            Self::BadCommit => "it is a change of the group that is not well formed",
            Self::Breach(breach) => return write!(f, "it is a change that the group does not allow: {breach}"),
        })
    }
}
