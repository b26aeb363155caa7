//! Where the time of a client goes, by the spans that it opens around its layers.
//!
//! They cost nothing where nobody listens. This listens: it adds up for each name how long spans of this name were entered,
//! on whatever thread, with the spans inside of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

use crate::clock::now;

/// Spans that are open, and what is known of those that were.
#[derive(Default)]
struct Books {
    open: BTreeMap<u64, (&'static str, Option<Instant>)>,
    times: BTreeMap<&'static str, Duration>,
}

/// Adds up the time in spans of the light client.
#[derive(Clone, Default)]
pub(crate) struct Layers {
    books: Arc<Mutex<Books>>,
    last: Arc<AtomicU64>,
}

impl Layers {
    /// Listens on this thread until what is returned is dropped, and on the threads on which [`Self::here`] was called.
    pub(crate) fn here(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    /// A runtime on all of whose threads this listens.
    pub(crate) fn runtime(&self) -> anyhow::Result<tokio::runtime::Runtime> {
        thread_local! {
            static LISTENING: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
        }
        let layers = self.clone();
        let listen = move || {
            LISTENING.set(Some(layers.here()));
        };
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Ok(builder.enable_all().on_thread_start(listen).build()?)
    }

    /// How long spans of a name were entered so far.
    pub(crate) fn time(&self, name: &str) -> Duration {
        self.books().times.get(name).copied().unwrap_or_default()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Layers {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("waxwing_light")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let number = self.last.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.books().open.insert(number, (span.metadata().name(), None));
        Id::from_u64(number)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        if let Some((_, since)) = self.books().open.get_mut(&span.into_u64()) {
            *since = Some(now());
        }
    }

    fn exit(&self, span: &Id) {
        let mut books = self.books();
        let ended = books.open.get_mut(&span.into_u64());
        if let Some((name, Some(since))) = ended.map(|(name, since)| (*name, since.take())) {
            *books.times.entry(name).or_default() += since.elapsed();
        }
    }

    fn try_close(&self, span: Id) -> bool {
        self.books().open.remove(&span.into_u64());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_spans_of_the_client_is_added_up_and_in_no_others() {
        let layers = Layers::default();
        let listening = layers.here();
        let wait = || std::thread::sleep(Duration::from_millis(2));
        for _ in 0..2 {
            tracing::trace_span!(target: "waxwing_light::x", "open").in_scope(wait);
            tracing::trace_span!(target: "other", "open").in_scope(wait);
        }
        drop(listening);
        tracing::trace_span!(target: "waxwing_light::x", "open").in_scope(wait);
        let time = layers.time("open");
        assert!(time >= Duration::from_millis(4), "{time:?}");
        assert_eq!(
            (layers.time("closed"), layers.last.load(Ordering::Relaxed)),
            (Duration::ZERO, 2)
        );
    }
}
