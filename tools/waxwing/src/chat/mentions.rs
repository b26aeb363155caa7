//! Texts with mentions: each part that stands for somebody is shown by the name that this home knows them by.
//!
//! The parts are cut before anything is neutralised, so that no filter moves them, and each piece is made harmless by itself.
//! What is written in such a part is the writer's: where it is another name than the one that is meant, both are shown.

use waxwing_light::{MentionView, MessageView};
use waxwing_seal::display::{display_safe, display_safe_lines, display_safe_name};

/// A piece of a text, harmless.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// What is shown.
    pub(crate) text: String,
    /// Whether it stands for somebody.
    pub(crate) is_mention: bool,
}

/// The text of a message in pieces.
pub(crate) fn pieces(view: &MessageView) -> Vec<Piece> {
    let text = view.text.as_deref().unwrap_or_default();
    let mut pieces = Vec::new();
    let mut at = 0;
    let part = |from: usize, to: usize| {
        text.chars()
            .skip(from)
            .take(to.saturating_sub(from))
            .collect::<String>()
    };
    for mention in &view.mentions {
        let before = part(at, mention.begin);
        pieces.push(plain(&before));
        pieces.push(Piece {
            text: label(mention, &part(mention.begin, mention.end)),
            is_mention: true,
        });
        at = mention.end;
    }
    pieces.push(plain(&part(at, usize::MAX)));
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

fn plain(text: &str) -> Piece {
    Piece {
        text: display_safe_lines(text).into_owned(),
        is_mention: false,
    }
}

/// Who is meant, as this home knows them; and what was written for them, where that is something else.
fn label(mention: &MentionView, written: &str) -> String {
    let typed = written.strip_prefix('@').unwrap_or(written);
    match &mention.name {
        Some(name) if name.to_lowercase() == typed.to_lowercase() => format!("@{}", display_safe_name(name)),
        Some(name) => format!("@{} (written \"{}\")", display_safe_name(name), display_safe(written)),
        None => format!("{} (nobody who has written here)", display_safe(written)),
    }
}

/// The text on its lines, each mention marked.
pub(crate) fn marked(view: &MessageView, mark: impl Fn(&str) -> String) -> String {
    let shown = |piece: Piece| {
        if piece.is_mention {
            mark(&piece.text)
        } else {
            piece.text
        }
    };
    pieces(view).into_iter().map(shown).collect()
}
