//! Finding messages again by their words, in this home and without a network.
//!
//! Every word that is looked for must occur, each from the beginning of a word: `ros` finds `roses` and `Röschen`. What
//! stands in one argument (`"the roses"`) must follow each other. Scripts that put no space between words are found from
//! the beginning of a run of letters only.

use serde::Serialize;
use waxwing_seal::content::TooLong;

use crate::chance;
use crate::chat::whole;
use crate::client::Client;
use crate::error::Error;
use crate::limits::{MESSAGES_PER_READ_MAX, SEARCH_BYTES_MAX};
use crate::message::{ChannelId, MessageView};
use crate::store::search::{self, Marks};
use crate::store::{aftermath, messages};

/// What is looked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    /// Words, and groups of words that follow each other.
    pub words: Vec<String>,
    /// One conversation, or all.
    pub channel: Option<ChannelId>,
    /// The newest so many.
    pub most: u32,
}

/// Never what somebody looks for.
impl core::fmt::Debug for Query {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Query({} words, {:?}, {})",
            self.words.len(),
            self.channel,
            self.most
        )
    }
}

/// A message that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Hit {
    /// The message, as it is shown.
    pub message: MessageView,
    /// Where in its text the matches stand: the first character of each, and the one behind its last, counted in Unicode
    /// characters.
    pub matches: Vec<(usize, usize)>,
}

impl Hit {
    /// The text in pieces, each with whether it is a match.
    pub fn pieces(&self) -> impl Iterator<Item = (String, bool)> {
        let text: Vec<char> = self.message.text.as_deref().unwrap_or_default().chars().collect();
        let mut cuts = vec![(0, false)];
        for (begin, end) in &self.matches {
            cuts.extend([(*begin, true), (*end, false)]);
        }
        let ends: Vec<usize> = cuts.iter().skip(1).map(|(at, _)| *at).chain([text.len()]).collect();
        let pieces: Vec<(String, bool)> = cuts
            .into_iter()
            .zip(ends)
            .map(|((begin, is_match), end)| (text.get(begin..end).unwrap_or_default().iter().collect(), is_match))
            .filter(|(piece, _): &(String, bool)| !piece.is_empty())
            .collect();
        pieces.into_iter()
    }
}

impl Client {
    /// The newest messages that say all of this, oldest first. What was taken back, replaced, erased or has expired is
    /// not found.
    ///
    /// # Errors
    /// [`Error::NothingToFind`] if there is no letter or digit to look for; if it is too long.
    pub async fn search(&self, query: Query) -> Result<Vec<Hit>, Error> {
        let expression = expression(&query.words)?;
        let mut token = [0; 8];
        chance::fill(&mut token);
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let (begin, end) = (format!("\u{1}{token}<"), format!("\u{1}{token}>"));
        if !self.core.read(|tx| search::waiting(tx)).await?.is_empty() {
            self.core.write(|tx| aftermath::index_waiting(tx)).await?;
        }
        self.core
            .read::<_, Error>(move |tx| {
                let marks = Marks {
                    begin: &begin,
                    end: &end,
                };
                let most = query.most.min(MESSAGES_PER_READ_MAX);
                let mut hits = Vec::new();
                for (message, marked) in search::find(tx, &expression, query.channel, most, &marks)? {
                    let row = messages::load(tx, message)?.ok_or(Error::UnknownMessage)?;
                    let message = whole(tx, &row)?;
                    // Whoever is blocked is not heard here either.
                    if message.blocked {
                        continue;
                    }
                    let shown = message.text.as_deref().map_or(0, |text| text.chars().count());
                    let mut matches = matches(&marked, &marks);
                    // Behind the text stands the name of a file, by which it is found as well.
                    matches.retain(|(_, end)| *end <= shown);
                    hits.push(Hit { message, matches });
                }
                hits.reverse();
                Ok(hits)
            })
            .await
    }
}

/// In the language of FTS5: each argument a phrase whose last word may go on, all of them needed. Nothing that somebody
/// types is an operator.
fn expression(words: &[String]) -> Result<String, Error> {
    let mut expression = String::new();
    for phrase in words.iter().filter(|phrase| phrase.contains(char::is_alphanumeric)) {
        let plain = phrase.replace(char::is_control, " ").replace('"', "\"\"");
        expression.push_str(&format!("\"{plain}\" * "));
    }
    if expression.is_empty() {
        return Err(Error::NothingToFind);
    }
    if expression.len() > SEARCH_BYTES_MAX {
        let limit = u32::try_from(SEARCH_BYTES_MAX).unwrap_or(u32::MAX);
        return Err(Error::TooLong(TooLong { limit }));
    }
    Ok(expression)
}

/// Reads the marks back out of a text, as numbers of characters.
fn matches(marked: &str, marks: &Marks<'_>) -> Vec<(usize, usize)> {
    let (mut at, mut found) = (0, Vec::new());
    for (index, piece) in marked.split(marks.begin).enumerate() {
        let (inside, outside) = match piece.split_once(marks.end) {
            Some((inside, outside)) if index > 0 => (inside, outside),
            _ => ("", piece),
        };
        let end = at + inside.chars().count();
        if end > at {
            found.push((at, end));
        }
        at = end + outside.chars().count();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_somebody_types_is_looked_for_and_never_an_operator() {
        assert_eq!(expression(&words(&["rose"])), Ok("\"rose\" * ".to_owned()));
        assert_eq!(
            expression(&words(&["a\"b", "NEAR(x", "…", "the  roses"])),
            Ok("\"a\"\"b\" * \"NEAR(x\" * \"the  roses\" * ".to_owned())
        );
        assert_eq!(expression(&words(&["a\0b\n"])), Ok("\"a b \" * ".to_owned()));
        for nothing in [&[][..], &[""], &["!", "👍", " "]] {
            assert_eq!(expression(&words(nothing)), Err(Error::NothingToFind), "{nothing:?}");
        }
        let long = expression(&words(&["x".repeat(SEARCH_BYTES_MAX).as_str()]));
        assert!(matches!(long, Err(Error::TooLong(_))));
    }

    #[test]
    fn marks_are_read_back_as_places_in_the_text() {
        let marks = Marks { begin: "<<", end: ">>" };
        assert_eq!(matches("die <<Röschen>> und <<Rosen>>", &marks), [(4, 11), (16, 21)]);
        assert_eq!(matches("<<a>><<b>>", &marks), [(0, 1), (1, 2)]);
        assert_eq!(matches("none >> here", &marks), []);
    }
}
