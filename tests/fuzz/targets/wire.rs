//! Fuzz target: what programs say to each other: frames, requests, replies, pushes, and the ledger values inside. See `waxwing_fuzz::wire`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: waxwing_fuzz::write_seeds(waxwing_fuzz::wire::seeds),
    |data: &[u8]| waxwing_fuzz::wire::run(data)
);
