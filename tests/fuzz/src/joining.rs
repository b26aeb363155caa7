//! A node that joins by a snapshot, and strangers that answer its questions: truthfully, spoilt, or something else.
//!
//! A part is judged when it comes, so a true one is never refused and a spoilt one costs a question. Whatever was
//! answered before, honest answers lead to the end, and the end is the certified head's.

use waxwing_core::history;
use waxwing_core::keys::LogId;
use waxwing_core::ledger::LedgerReader;
use waxwing_core::merkle::{Frontier, Sha256Tree};
use waxwing_core::snapshot::{Answer, Ascent, Ask, Assembly, Cutter, LogRow, Opening, Rows, WindowBlock, WindowEntry};
use waxwing_rules::world::{World, log_key};

use crate::script::Script;

/// Questions that a script may spoil; what follows is answered truthfully.
const LIES_MAX: usize = 24;

/// Plays a whole joining of `world`.
pub(crate) fn joining(script: &mut Script<'_>, world: &World) {
    let now = world.ledger.head().time + 1;
    let mut ascent = Ascent::new(&world.genesis);
    let steps = [script.below(world.height()).max(1), world.height()];
    for height in steps {
        let held = ascent.held();
        if height > held {
            ascent
                .accept(&world.update(held, height), now)
                .expect("the world's own head");
        }
    }
    let mut assembly = ascent.begin().expect("there are blocks");
    for _ in 0..LIES_MAX {
        if script.is_over() {
            break;
        }
        one_answer(script, world, &mut assembly);
    }
    // From here on nobody lies: a few questions, and it is done.
    for _ in 0..64 {
        let Some(question) = assembly.next_question() else {
            break;
        };
        let (answer, begun) = (honest(world, &question.ask).to_bytes(), is_begun_outline(&question.ask));
        let taken = assembly.take(question, &answer);
        assert!(taken.is_ok() || begun, "a true answer was refused: {taken:?}");
    }
    assert!(assembly.is_complete(), "true answers do not lead to the end");
    let joint = assembly.finish().expect("it is complete");
    assert_eq!(joint.head, world.head(world.height()));
    assert_eq!(joint.ladder.current(), world.ledger.committee());
    assert_eq!(joint.change, None);
}

/// Whether the question goes on with an outline that somebody else began: then a true answer may not fit, and the outline
/// is asked for from its start.
const fn is_begun_outline(ask: &Ask) -> bool {
    matches!(ask, Ask::Outline { first: 1.. })
}

fn one_answer(script: &mut Script<'_>, world: &World, assembly: &mut Assembly) {
    let Some(question) = assembly.next_question() else {
        return;
    };
    let truth = honest(world, &question.ask).to_bytes();
    let mut answer = match script.byte() % 8 {
        0 => {
            let length = script.place(300);
            script.bytes(length).to_vec()
        }
        1 => honest(world, &Ask::Headers { from: 1, count: 2 }).to_bytes(),
        2 => return assembly.failed(question),
        _ => truth.clone(),
    };
    script.spoil(&mut answer);
    let is_outline = matches!(question.ask, Ask::Outline { .. });
    let begun = is_begun_outline(&question.ask);
    let outcome = assembly.take(question, &answer);
    if answer == truth {
        assert!(begun || outcome.is_ok(), "a true answer was refused: {outcome:?}");
    } else if !is_outline {
        // An outline is only a way to cut; what it leads to is judged by itself.
        assert!(outcome.is_err(), "a spoilt answer was taken");
    }
    if let Ok(Rows::Logs(states)) = outcome {
        for (_, state) in states {
            assert_eq!(Some(&state), log(world, &state.log).as_ref());
        }
    }
}

fn log(world: &World, log: &LogId) -> Option<waxwing_core::log::LogState> {
    world.rows.log(log).expect("memory can be read")
}

/// What an honest node answers. The world is small: one slot, one page of everything.
fn honest(world: &World, ask: &Ask) -> Answer {
    let keys = world.keys();
    let mut logs: Vec<LogRow> = (0..8)
        .filter_map(|writer| log(world, &log_key(writer).public()))
        .map(|state| LogRow::of(keys, &state))
        .collect();
    logs.sort_by_key(|row| row.leaf.map_key(keys));
    match ask {
        Ask::Opening { size } => {
            let mut history = Frontier::empty();
            let count = usize::try_from(*size).expect("a small history");
            for header in world.headers().take(count) {
                history.append(&Sha256Tree, history::leaf(&header));
            }
            Answer::Opening(Box::new(Opening { history, change: None }))
        }
        Ask::Outline { first } => {
            let mut cutter = Cutter::new(keys);
            logs.iter()
                .for_each(|row| cutter.push(row.leaf.map_key(keys), row.leaf.hash(keys)));
            let skipped = usize::try_from(*first).expect("few slots");
            Answer::Outline(cutter.finish().into_iter().skip(skipped).collect())
        }
        Ask::Logs(span) => Answer::Logs(
            logs.into_iter()
                .filter(|row| span.contains(&row.leaf.map_key(keys)))
                .collect(),
        ),
        Ask::Headers { from, count } => Answer::Headers(
            (*from..*from + u64::from(*count))
                .map(|height| world.header(height))
                .collect(),
        ),
        Ask::Window { from, count } => Answer::Window(
            (*from..*from + u64::from(*count))
                .map(|height| window(world, height))
                .collect(),
        ),
    }
}

fn window(world: &World, height: u64) -> WindowBlock {
    let entries = (0..)
        .zip(&world.block(height).entries)
        .map(|(in_block, entry)| WindowEntry {
            signed: entry.signed.clone(),
            log_index: world.receipt(height, in_block).log_index,
        });
    WindowBlock {
        entries: entries.collect(),
    }
}
