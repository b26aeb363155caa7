//! Fuzz target: what validators say to each other, and the host that listens to them. See `waxwing_fuzz::order`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: waxwing_fuzz::write_seeds(waxwing_fuzz::order::seeds),
    |data: &[u8]| waxwing_fuzz::order::run(data)
);
