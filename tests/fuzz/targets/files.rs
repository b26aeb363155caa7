//! Fuzz target: files that people hand each other: bundles, policies, evidence, receipts; and rows of the store. See `waxwing_fuzz::files`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: waxwing_fuzz::write_seeds(waxwing_fuzz::files::seeds),
    |data: &[u8]| waxwing_fuzz::files::run(data)
);
