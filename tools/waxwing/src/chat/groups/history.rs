//! `waxwing chat history`: what newcomers are told of what was said before they came.

use serde_json::json;
use waxwing_light::HistoryRule;
use waxwing_seal::display::display_safe_name;

use super::members::{group_of, opened, settled};
use crate::Done;
use crate::args::History;
use crate::chat::{Session, fault, find_channel, number};

pub(super) async fn history(choice: &History, session: &Session<'_>) -> Done {
    let (settling, output) = (choice.settling, session.output);
    let Some(rule) = choice.rule else {
        let client = session.open().await?;
        let channel = find_channel(&client, &choice.channel).await?;
        let group = group_of(&client, &channel).await?;
        let says = format!("{}: {}\n", display_safe_name(&channel.name), rule_says(&group.history));
        let object = json!({ "channel": number(channel.id), "history": group.history });
        output.result("chat.history", object, &says)?;
        return Ok(0);
    };
    let client = opened(settling, session).await?;
    let channel = find_channel(&client, &choice.channel).await?;
    group_of(&client, &channel).await?;
    if rule != HistoryRule::Nothing {
        output.note(
            "what is said from now on a member may tell newcomers; they see who tells it, and can prove nothing of it. What was \
             said before stays untold",
        );
    }
    client
        .set_history(channel.id, rule)
        .await
        .map_err(|error| fault(&error))?;
    let state = settled(&client, &channel, settling, |group| group.changes_waiting == 0).await?;
    let word = rule_word(rule);
    let says = state.says(&rule_says(&word));
    let object = json!({ "channel": number(channel.id), "history": word, "state": state.word() });
    output.result("chat.history", object, &says)?;
    Ok(0)
}

/// The rule as it is typed.
fn rule_word(rule: HistoryRule) -> String {
    match rule {
        HistoryRule::Nothing => "none".to_owned(),
        HistoryRule::Days(days) => format!("{days}d"),
        HistoryRule::All => "all".to_owned(),
    }
}

/// `newcomers are told what was said in the last 30 days`, from the word for the rule.
pub(crate) fn rule_says(word: &str) -> String {
    match word {
        "none" => "newcomers are told nothing of what was said before them".to_owned(),
        "all" => "newcomers are told what was said before them, up to 500 messages".to_owned(),
        days => {
            let days = days.trim_end_matches('d');
            let unit = if days == "1" { "day" } else { "days" };
            format!("newcomers are told what was said in the last {days} {unit} before them, up to 500 messages")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_said_in_words() {
        for (rule, word, says) in [
            (HistoryRule::Nothing, "none", "nothing"),
            (HistoryRule::All, "all", "before them, up to"),
            (HistoryRule::Days(1), "1d", "the last 1 day before"),
            (HistoryRule::Days(30), "30d", "the last 30 days before"),
        ] {
            assert_eq!(rule_word(rule), word);
            assert!(rule_says(word).contains(says), "{word}");
        }
    }
}
