//! The thread that checks parts of a snapshot and puts them into the store, while others fetch the next ones.
//!
//! It says what to ask for, as many questions at once as may be under way, and judges each answer; who asks whom is not its
//! business.

use tokio::sync::mpsc;
use waxwing_core::snapshot::{Assembly, Joint, Question, SnapshotError};
use waxwing_net::wire::Opaque;
use waxwing_store::{ImportError, Store, Tables};

/// Questions under way: enough to keep a few sources busy while answers are checked. Each answer may take three megabytes.
pub(super) const UNDER_WAY_MAX: usize = 8;

/// What came of a question.
pub(super) struct Answered {
    /// Whom it was asked.
    pub(super) source: usize,
    pub(super) question: Question,
    /// `None` if there was no answer.
    pub(super) answer: Option<Opaque>,
}

/// Whether an answer holds.
pub(super) struct Verdict {
    pub(super) source: usize,
    pub(super) outcome: Result<(), SnapshotError>,
}

/// The ends that the thread holds.
pub(super) struct Ends {
    pub(super) questions: mpsc::Sender<Question>,
    pub(super) answers: mpsc::Receiver<Answered>,
    pub(super) verdicts: mpsc::UnboundedSender<Verdict>,
}

/// Puts the snapshot together and brings it in. `None` if nobody asks any more.
pub(super) fn assemble<T: Tables>(
    store: &Store<T>,
    mut assembly: Assembly,
    mut ends: Ends,
) -> Result<Option<Joint>, ImportError> {
    let mut import = store.begin_import()?;
    let mut under_way = 0;
    loop {
        while under_way < UNDER_WAY_MAX
            && let Some(question) = assembly.next_question()
        {
            if ends.questions.blocking_send(question).is_err() {
                return Ok(None);
            }
            under_way += 1;
        }
        if under_way == 0 {
            break;
        }
        let Some(Answered {
            source,
            question,
            answer,
        }) = ends.answers.blocking_recv()
        else {
            return Ok(None);
        };
        under_way -= 1;
        let Some(answer) = answer else {
            assembly.failed(question);
            continue;
        };
        let outcome = match assembly.take(question, &answer) {
            Ok(rows) => import.put(&rows).map(Ok)?,
            Err(error) => Err(error),
        };
        // Nobody listening any more is noticed with the next question.
        let _ = ends.verdicts.send(Verdict { source, outcome });
    }
    match assembly.finish() {
        Some(joint) => import.finish(&joint).map(|()| Some(joint)).map_err(ImportError::from),
        None => Ok(None),
    }
}
