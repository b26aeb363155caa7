//! Fuzz target: values that are hashed, signed or kept: decoded, encoded again, verified. See `waxwing_fuzz::values`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: waxwing_fuzz::write_seeds(waxwing_fuzz::values::seeds),
    |data: &[u8]| waxwing_fuzz::values::run(data)
);
