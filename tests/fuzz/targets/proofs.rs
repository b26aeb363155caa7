//! Fuzz target: proofs, receipts and light client sessions, with true ones to start from. See `waxwing_fuzz::proofs`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: waxwing_fuzz::write_seeds(waxwing_fuzz::proofs::seeds),
    |data: &[u8]| waxwing_fuzz::proofs::run(data)
);
