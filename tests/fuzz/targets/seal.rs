//! Fuzz target: what stands inside an envelope, invitations, and texts of others. See `waxwing_fuzz::seal`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: waxwing_fuzz::write_seeds(waxwing_fuzz::seal::seeds),
    |data: &[u8]| waxwing_fuzz::seal::run(data)
);
