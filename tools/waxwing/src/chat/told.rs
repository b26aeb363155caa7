//! What was said before this device came: the label that stands beside it wherever it is shown.
//!
//! The label is the program's, and the name in it is the teller's and hostile. It stands behind or below the words, on a line
//! whose sign is that of what was told: no text of another message takes either away.

use waxwing_light::{MessageView, ToldView};

use super::events::called;

/// `as told by bob`; `None` for what this device read itself.
pub(crate) fn label(view: &MessageView) -> Option<String> {
    Some(format!("as told by {}", teller(view.told.as_ref()?)))
}

/// Who tells, by the name that they have here, or by their account.
pub(crate) fn teller(told: &ToldView) -> String {
    called(told.name.as_deref().unwrap_or_default(), &told.account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn a_teller_is_named_and_no_name_says_more() {
        let told = |name: Option<&str>| ToldView {
            device: ids::hex(&[1; 32]),
            account: ids::hex(&[2; 32]),
            name: name.map(str::to_owned),
            ordered_ms: 5,
            differs: false,
        };
        assert_eq!(teller(&told(Some("bob"))), "bob");
        assert_eq!(teller(&told(Some("bob, proven\u{1b}[2J"))).chars().next(), Some('"'));
        assert!(!teller(&told(Some("bob, proven\u{1b}[2J"))).contains('\u{1b}'));
        assert!(teller(&told(None)).starts_with("account1"));
    }
}
