//! Threads for work that needs processors: checking signatures and hashes.
//!
//! A job on them may split itself over all of them. While such a job waits for its parts, its thread takes up whatever else
//! is queued, on top of the same stack; with thousands of submissions queued that would go as deep. So only a few jobs are
//! let in at a time, and the others wait outside, in the order in which they came.

use std::io;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

/// Jobs that are let in for each thread: one to work on, and one so that no thread waits for the next.
const JOBS_PER_THREAD: usize = 2;

/// How much the threads for everything else give way: each step is a quarter more or less of a processor, so ten are a factor of ten.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// The threads.
#[derive(Debug)]
pub(crate) struct Workers {
    pool: ThreadPool,
    turns: Semaphore,
    urgent: ThreadPool,
}

impl Workers {
    /// So many threads; 0 for one per core.
    ///
    /// # Errors
    /// If the system gives none.
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("verify-{number}"))
            .start_handler(|_| give_way())
            .build()
            .map_err(io::Error::other)?;
        let urgent = ThreadPoolBuilder::new()
            .num_threads(pool.current_num_threads())
            .thread_name(|number| format!("urgent-{number}"))
            .build()
            .map_err(io::Error::other)?;
        let turns = Semaphore::new(JOBS_PER_THREAD * pool.current_num_threads());
        Ok(Self { pool, turns, urgent })
    }

    /// Runs a job when it is its turn; `None` if it panicked. It runs to its end even if nobody waits for it any more.
    pub(crate) async fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        let _turn = self.turns.acquire().await.ok()?;
        answer_of(&self.pool, job).await
    }

    /// Runs a job for a block under way, past all who wait for a turn; `None` if it panicked. Whoever calls sees to it that
    /// there are few such jobs.
    pub(crate) async fn run_first<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        answer_of(&self.urgent, job).await
    }

    /// Runs a job now, and waits for it on the caller's thread.
    pub(crate) fn run_here<R: Send>(&self, job: impl FnOnce() -> R + Send) -> R {
        self.pool.install(job)
    }
}

/// Runs a job on the threads; it runs to its end even if nobody waits for it any more.
async fn answer_of<R: Send + 'static>(threads: &ThreadPool, job: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (answer, answered) = oneshot::channel();
    threads.spawn_fifo(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        // Whoever asked may have gone meanwhile; the work counts all the same.
        let _ = answer.send(outcome.ok());
    });
    answered.await.ok()?
}

/// Lets the process's other threads go first: the calling thread gets a tenth of the share of one that does not.
#[cfg(target_os = "linux")]
fn give_way() {
    // Here a priority is a thread's. Without it checking takes its share like everything else: slower, never wrong.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

#[cfg(not(target_os = "linux"))]
const fn give_way() {}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn few_jobs_run_at_once_however_many_are_asked_for() {
        let workers = Arc::new(Workers::new(2).unwrap());
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut jobs = tokio::task::JoinSet::new();
        for number in 0..500_u64 {
            let (workers, running, most) = (Arc::clone(&workers), Arc::clone(&running), Arc::clone(&most));
            jobs.spawn(async move {
                let job = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let sum: u64 = (0..100_u64).into_par_iter().map(|part| part + number).sum();
                    running.fetch_sub(1, Ordering::SeqCst);
                    sum
                };
                workers.run(job).await
            });
        }
        let sums = jobs.join_all().await;
        assert_eq!(sums.iter().map(|sum| sum.unwrap()).max(), Some(4950 + 100 * 499));
        assert!(most.load(Ordering::SeqCst) <= 2 * JOBS_PER_THREAD);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn checking_gives_way_and_nothing_else_does() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        let workers = Workers::new(1).unwrap();
        assert_eq!(workers.run(niceness).await, Some(NICENESS.max(before)));
        assert_eq!(workers.run_first(niceness).await, Some(before));
        assert_eq!(niceness(), before);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_block_waits_for_passes_everything_that_waits_for_a_turn() {
        let workers = Arc::new(Workers::new(1).unwrap());
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let mut queued = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (workers, held) = (Arc::clone(&workers), Arc::clone(&held));
            queued.spawn(async move { workers.run(move || held.lock().unwrap().recv().is_ok()).await });
        }
        // Not one of the twenty ends before this is answered: what holds them is let go only afterwards.
        assert_eq!(workers.run_first(|| 7).await, Some(7));
        for _ in 0..20 {
            hold.send(()).unwrap();
        }
        assert_eq!(queued.join_all().await, vec![Some(true); 20]);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_told_and_harms_no_other() {
        let workers = Workers::new(1).unwrap();
        assert_eq!(workers.run(|| -> u8 { panic!("on purpose") }).await, None);
        assert_eq!(workers.run_first(|| -> u8 { panic!("on purpose") }).await, None);
        assert_eq!(
            (workers.run(|| 7).await, workers.run_first(|| 8).await),
            (Some(7), Some(8))
        );
    }
}
