//! Every seed of every target is played once, and twenty times with a byte changed: an ordinary test.

use waxwing_fuzz::TARGETS;

fn play(name: &str) {
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("it is a target");
    let seeds = (target.seeds)();
    assert!(seeds.len() >= 6, "{name}: only {} seeds", seeds.len());
    let mut state = 1_u64;
    let mut lot = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits")
    };
    for seed in &seeds {
        (target.run)(seed);
        for _ in 0..20 {
            let mut other = seed.clone();
            let place = lot() % other.len();
            other[place] = u8::try_from(lot() % 256).expect("a byte");
            (target.run)(&other);
        }
    }
}

#[test]
fn values() {
    play("values");
}

#[test]
fn proofs() {
    play("proofs");
}

#[test]
fn wire() {
    play("wire");
}

#[test]
fn order() {
    play("order");
}

#[test]
fn seal() {
    play("seal");
}

#[test]
fn groups() {
    play("groups");
}

#[test]
fn files() {
    play("files");
}
