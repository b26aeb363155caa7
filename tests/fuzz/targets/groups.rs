//! Fuzz target: what groups are sent, by strangers and by members who keep to no rule. See `waxwing_fuzz::groups`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: waxwing_fuzz::write_seeds(waxwing_fuzz::groups::seeds),
    |data: &[u8]| waxwing_fuzz::groups::run(data)
);
