//! The directory of some blocks ago, put in the place of the present one: the damage that nothing inside can tell.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use waxwing_core::block::CertifiedBlock;
use waxwing_core::envelope::{Body, Carried};
use waxwing_core::ledger::Ledger;
use waxwing_store::{Family, Options, RocksTables, Store, StoreError};

use super::{Choice, TamperError};
use crate::finding::At;

/// Builds the ledger again up to an earlier block, by the very calls of a node, and puts it in the present one's place.
pub(super) fn put_back(
    directory: &Path,
    store: Store<RocksTables>,
    choice: &Choice,
) -> Result<(Option<At>, String), TamperError> {
    let head = store.applied();
    let heights = sound_heights(&store)?;
    let count = u64::try_from(heights.len()).unwrap_or(u64::MAX);
    let chosen = usize::try_from(choice.below("height", count)).unwrap_or(0);
    let height = *heights.get(chosen).ok_or(TamperError::Nothing {
        needs: "two blocks, the first of them with all its bodies or their excuses",
    })?;
    let (older, newer) = (beside(directory, "older"), beside(directory, "newer"));
    let copy = Store::create(&older, store.genesis(), &Options::default()).map_err(TamperError::Open)?;
    replay(&store, &copy, height)?;
    let time = copy.header(height)?.map(|header| header.time);
    // Both are closed before their directories move.
    drop((store, copy));
    let file = |error: std::io::Error| TamperError::File(error.to_string());
    std::fs::rename(directory, &newer).map_err(file)?;
    std::fs::rename(&older, directory).map_err(file)?;
    std::fs::remove_dir_all(&newer).map_err(file)?;
    let what = format!("the directory of block {height} put in the place of that of block {head}");
    Ok((Some(At::block(height, time)), what))
}

fn beside(directory: &Path, word: &str) -> PathBuf {
    let mut name = directory.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{word}"));
    directory.with_file_name(name)
}

/// Heights below the newest at which no body was missing yet that is missing now: an old directory has its old bodies, and
/// they cannot be made anew.
fn sound_heights(store: &Store<RocksTables>) -> Result<Vec<u64>, TamperError> {
    let (mut heights, mut latest) = (Vec::new(), 0);
    for height in 1..store.applied() {
        let block = block(store, height)?;
        let time = block.head.header.time;
        for entry in &block.entries {
            if matches!(entry.body, Body::Expired | Body::Withheld) {
                latest = latest.max(entry.signed.header.keep_for.expiry(time).unwrap_or(u64::MAX));
            }
        }
        if latest <= time {
            heights.push(height);
        }
    }
    Ok(heights)
}

fn replay(from: &Store<RocksTables>, to: &Store<RocksTables>, height: u64) -> Result<(), TamperError> {
    let unsound = || TamperError::Store(StoreError::Malformed(Family::Block));
    let mut ledger = Ledger::new(from.genesis());
    for height in 1..=height {
        let CertifiedBlock {
            head,
            entries,
            evidence,
        } = block(from, height)?;
        let (keys, bits) = (ledger.keys(), ledger.parameters().stamp_bits);
        let verify = |entry: Carried| entry.verify(keys, bits).map(Arc::new).map_err(|_| unsound());
        let entries = entries.into_iter().map(verify).collect::<Result<_, _>>()?;
        let step = ledger
            .check(to, &head.header, entries, evidence)
            .map_err(|_| unsound())?;
        to.commit(&step, &head.certificate)?;
        ledger.advance(step);
    }
    Ok(())
}

fn block(store: &Store<RocksTables>, height: u64) -> Result<CertifiedBlock, TamperError> {
    let block = store.block(height)?;
    block.ok_or(TamperError::Store(StoreError::Missing(Family::Block)))
}
