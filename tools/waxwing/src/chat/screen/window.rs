//! The messages around where somebody reads: a window of a few hundred rows onto a conversation of any length.
//!
//! ```text
//!  0 ........ start [======= rows =======] end ........ entries | on their way
//!                     ^ near an edge: ask for a page more there; far from it: let go
//! ```
//!
//! Rows are in the order of the log, what is on its way behind them. Pages are asked for by index, because messages
//! that only do something to others (edits, reactions) have an index and no row.

use waxwing_light::{ChannelId, MessageId, MessageView, Range};

use crate::chat::events;

/// Entries asked for at once: several screens of the largest terminal that is meant.
pub(super) const PAGE: u32 = 100;

/// Rows that are kept.
const ROWS_MAX: usize = 400;

/// Bytes of text that are kept: one message may be half a megabyte.
const BYTES_MAX: usize = 8 << 20;

/// Rows between the selection and the edge at which more is asked for.
const MARGIN: usize = 40;

/// Which messages a page holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Edge {
    /// Further up.
    Older,
    /// Further down.
    Newer,
}

/// The window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The conversation.
    pub(super) channel: ChannelId,
    rows: Vec<MessageView>,
    /// The first entry that was looked at.
    start: u64,
    /// The entry behind the last one that was looked at; `None` if everything up to the end was, with what is on its way.
    end: Option<u64>,
    /// A page that is on its way.
    asked: Option<Range>,
}

/// What became of a changed message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// It stands in the window now.
    Shown,
    /// It does something to this one, which has to be read again.
    About(MessageId),
    /// It stands further down than the window reaches.
    Below,
    /// It is of no concern here.
    Elsewhere,
}

/// The place in the log: what this device noticed by itself stands in front of an entry, what is on its way behind all.
fn place(view: &MessageView) -> u64 {
    view.log_index.or(view.beside).unwrap_or(u64::MAX)
}

fn key(view: &MessageView) -> (u64, bool, MessageId) {
    (place(view), view.beside.is_none(), view.id)
}

/// Whether a message only does something to another one.
pub(super) fn is_about(view: &MessageView) -> bool {
    matches!(view.kind, Some("reaction" | "edit" | "retraction"))
}

fn bytes(view: &MessageView) -> usize {
    view.text.as_ref().map_or(0, String::len)
}

impl Window {
    /// An empty window at the end of a conversation, and what to read for it.
    pub(super) const fn newest(channel: ChannelId) -> (Self, Range) {
        let range = Range::Last(PAGE);
        let window = Self {
            channel,
            rows: Vec::new(),
            start: u64::MAX,
            end: None,
            asked: Some(range),
        };
        (window, range)
    }

    /// An empty window with an entry of the log in its middle, and what to read for it.
    pub(super) fn around(channel: ChannelId, index: u64) -> (Self, Range) {
        let first = index.saturating_sub(u64::from(PAGE / 2));
        let range = Range::From(first, PAGE);
        let window = Self {
            channel,
            rows: Vec::new(),
            start: first,
            end: Some(first),
            asked: Some(range),
        };
        (window, range)
    }

    /// The rows, oldest first.
    pub(super) fn rows(&self) -> &[MessageView] {
        &self.rows
    }

    /// Whether nothing stands above.
    pub(super) const fn is_at_start(&self) -> bool {
        self.start == 0
    }

    /// Whether nothing stands below.
    pub(super) const fn is_at_end(&self) -> bool {
        self.end.is_none()
    }

    /// Whether its first page is still on its way.
    pub(super) const fn is_waiting(&self) -> bool {
        self.rows.is_empty() && self.asked.is_some()
    }

    /// Where a message stands.
    pub(super) fn position(&self, message: MessageId) -> Option<usize> {
        self.rows.iter().position(|row| row.id == message)
    }

    /// The message with this content id.
    pub(super) fn with_content(&self, content: &str) -> Option<&MessageView> {
        self.rows.iter().find(|row| row.content_id.as_deref() == Some(content))
    }

    /// Takes a page in; `entries` is how long the log is. A page that nobody waits for any more changes nothing.
    pub(super) fn take(&mut self, range: Range, views: Vec<MessageView>, entries: u64) {
        if self.asked != Some(range) {
            return;
        }
        self.asked = None;
        let oldest = views.iter().filter_map(|view| view.log_index).min();
        match range {
            Range::Last(most) => {
                let first = oldest.unwrap_or_else(|| entries.saturating_sub(u64::from(most)));
                let is_all = entries <= u64::from(most) && oldest.unwrap_or(0) < u64::from(most);
                self.start = if is_all { 0 } else { self.start.min(first) };
                self.end = None;
            }
            Range::Before(index, most) => self.start = self.start.min(index.saturating_sub(u64::from(most))),
            Range::From(index, most) => {
                let end = index.saturating_add(u64::from(most));
                self.end = self.end.map(|before| before.max(end.min(entries)));
            }
        }
        for view in views {
            self.put(view);
        }
    }

    /// A message as it stands now.
    pub(super) fn change(&mut self, view: MessageView) -> Change {
        if view.channel != self.channel {
            return Change::Elsewhere;
        }
        if is_about(&view) {
            let target = view.about.as_deref().and_then(|about| self.with_content(about));
            return target.map_or(Change::Elsewhere, |target| Change::About(target.id));
        }
        let is_here = self.position(view.id).is_some();
        let (index, reaches) = (place(&view), self.end.unwrap_or(u64::MAX));
        if !is_here && index >= reaches && self.end.is_some() {
            return Change::Below;
        }
        if !is_here && index < self.start {
            return Change::Elsewhere;
        }
        self.put(view);
        Change::Shown
    }

    fn put(&mut self, view: MessageView) {
        // A change of the group that nobody has anything to see in takes no line.
        if events::is_hidden(&view) {
            return;
        }
        if let Some(old) = self.position(view.id) {
            self.rows.remove(old);
        }
        let place = self.rows.partition_point(|row| key(row) < key(&view));
        self.rows.insert(place, view);
    }

    /// What to read next for whoever is at this row; `waiting` own messages are behind the log's `entries`.
    pub(super) fn wants(&mut self, at: usize, entries: u64, waiting: u64) -> Option<Range> {
        if self.asked.is_some() {
            return None;
        }
        let is_near_end = self.rows.len().saturating_sub(at) <= MARGIN;
        let range = match self.end {
            Some(end) if is_near_end => {
                let rest = entries.saturating_sub(end);
                if rest < u64::from(PAGE) {
                    let most = rest.saturating_add(waiting).saturating_add(1);
                    Range::Last(u32::try_from(most).unwrap_or(PAGE).max(PAGE))
                } else {
                    Range::From(end, PAGE)
                }
            }
            _ if at < MARGIN && self.start > 0 && self.start != u64::MAX => Range::Before(self.start, PAGE),
            _ => return None,
        };
        self.asked = Some(range);
        Some(range)
    }

    /// Lets go of what is far from this row. The row itself stays, whatever it weighs.
    pub(super) fn trim(&mut self, at: usize) {
        if self.rows.len() > ROWS_MAX || self.is_heavy() {
            let below = self.rows.len().saturating_sub(at.saturating_add(1));
            self.drop_from(if at > below { Edge::Older } else { Edge::Newer }, at);
        }
    }

    fn is_heavy(&self) -> bool {
        self.rows.len() > 1 && self.rows.iter().map(bytes).sum::<usize>() > BYTES_MAX
    }

    fn drop_from(&mut self, edge: Edge, at: usize) {
        let most = ROWS_MAX.saturating_sub(usize::try_from(PAGE).unwrap_or(0));
        let mut excess = self.rows.len().saturating_sub(most);
        let mut weight: usize = self.rows.iter().map(bytes).sum();
        match edge {
            Edge::Older => {
                let mut gone = 0;
                while gone < at && (excess > 0 || weight > BYTES_MAX / 2) {
                    weight = weight.saturating_sub(self.rows.get(gone).map_or(0, bytes));
                    excess = excess.saturating_sub(1);
                    gone += 1;
                }
                self.rows.drain(..gone);
                if let Some(first) = self.rows.first().and_then(|row| row.log_index) {
                    self.start = first;
                }
            }
            Edge::Newer => {
                while self.rows.len() > at.saturating_add(1) && (excess > 0 || weight > BYTES_MAX / 2) {
                    weight = weight.saturating_sub(self.rows.pop().as_ref().map_or(0, bytes));
                    excess = excess.saturating_sub(1);
                }
                // What is on its way has no index: everything behind the last one that has is looked at anew.
                while self.rows.len() > 1 && self.rows.last().is_some_and(|row| row.log_index.is_none()) {
                    self.rows.pop();
                }
                let last = self.rows.last().and_then(|row| row.log_index);
                self.end = last.map(|last| last.saturating_add(1)).or(self.end);
            }
        }
    }
}
