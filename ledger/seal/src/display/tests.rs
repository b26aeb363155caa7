//! Hostile text, one accident per case, and the laws that hold for any text.

use proptest::prelude::*;

use super::*;

#[test]
fn usual_text_of_many_scripts_stays_as_it_is() {
    for text in [
        "hello, world",
        "Straße, naïve, Việt Nam, Ångström",
        "привет, мир",
        "こんにちは世界。",
        "한국어",
        "مرحبا بالعالم",
        "שלום עולם",
        "می‌خواهم", // a Persian word that needs its zero-width non-joiner
        "क्‍ष क्षि",  // Devanagari with a joiner
        "ภาษาไทยที่ดี",
        "👍🏽 ❤️ 1️⃣ 🇨🇭",
        "👩‍👩‍👧‍👦 🏳️‍🌈 ❤️‍🔥",
        "e\u{301} and Z\u{324}\u{30c}",
    ] {
        assert_eq!(display_safe(text), text);
        assert_eq!(display_safe_lines(text), text);
    }
}

#[test]
fn what_moves_a_terminal_is_shown_instead_of_obeyed() {
    for (text, expected) in [
        ("\u{1b}[2J\u{1b}[H", "␛[2J␛[H"),
        ("\u{1b}]0;title\u{7}", "␛]0;title␇"),
        ("\u{1b}]8;;http://evil\u{1b}\\link", "␛]8;;http://evil␛\\link"),
        ("\u{9b}31m", "⟨009B⟩31m"),
        ("safe\rfake", "safe␍fake"),
        ("pass\u{8}\u{8}", "pass␈␈"),
        ("nul\0 del\u{7f} nel\u{85}", "nul␀ del␡ nel⟨0085⟩"),
        ("a\tb", "a b"),
        ("one\ntwo", "one␊two"),
        ("one\u{2028}two\u{2029}", "one⟨2028⟩two⟨2029⟩"),
    ] {
        assert_eq!(display_safe(text), expected, "{text:?}");
    }
}

#[test]
fn what_turns_text_around_is_shown() {
    for control in
        "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}".chars()
    {
        let expected = format!("invoice⟨{:04X}⟩gpj.exe", u32::from(control));
        assert_eq!(display_safe(&format!("invoice{control}gpj.exe")), expected);
        assert_eq!(display_safe_lines(&format!("invoice{control}gpj.exe")), expected);
    }
}

#[test]
fn what_cannot_be_seen_is_shown() {
    for (text, expected) in [
        ("ali\u{200b}ce", "ali⟨200B⟩ce"),
        ("ali\u{200c}ce", "ali⟨200C⟩ce"),
        ("ali\u{200d}ce", "ali⟨200D⟩ce"),
        ("\u{feff}alice", "⟨FEFF⟩alice"),
        ("al\u{ad}ice", "al⟨00AD⟩ice"),
        ("a\u{2060}\u{2061}\u{2064}b", "a⟨2060+2⟩b"),
        ("\u{3164}\u{115f}\u{ffa0}", "⟨3164+2⟩"),
        ("a\u{fe0f}b\u{fe00}c\u{e0100}d", "a⟨FE0F⟩b⟨FE00⟩c⟨E0100⟩d"),
        ("hi\u{e0041}\u{e0042}\u{e0043}", "hi⟨E0041+2⟩"),
        ("note\u{fff9}reading\u{fffb}", "note⟨FFF9⟩reading⟨FFFB⟩"),
        ("\u{1d173}beam\u{13430}", "⟨1D173⟩beam⟨13430⟩"),
        ("\u{e000}\u{f8ff}\u{10fffd}", "⟨E000+2⟩"),
        ("\u{378}\u{fdd0}\u{ffff}", "⟨0378+2⟩"),
        ("a\u{a0}b\u{2003}c\u{3000}d\u{2800}e", "a b c d e"),
        ("👩\u{200d}", "👩⟨200D⟩"),
        ("👩\u{200d}a", "👩⟨200D⟩a"),
        ("👩\u{200d}\u{200d}👧", "👩⟨200D+1⟩👧"),
        ("❤\u{fe0f}\u{fe0f}", "❤\u{fe0f}⟨FE0F⟩"),
        ("ب\u{200c}\u{200c}ب", "ب⟨200C+1⟩ب"),
        ("ب\u{200c}", "ب⟨200C⟩"),
        ("\u{200d}ب", "⟨200D⟩ب"),
    ] {
        assert_eq!(display_safe(text), expected, "{text:?}");
    }
}

#[test]
fn accents_stay_on_their_own_letter_and_on_their_own_line() {
    assert_eq!(
        display_safe("\u{301}x"),
        "◌\u{301}x",
        "not on what the screen put before"
    );
    assert_eq!(display_safe("a \u{301}"), "a ◌\u{301}");
    assert_eq!(display_safe_lines("a\n\u{301}"), "a\n◌\u{301}");
    assert_eq!(display_safe("a\u{200b}\u{301}"), "a⟨200B⟩◌\u{301}");
    let eight = "\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}";
    assert_eq!(display_safe(&format!("Z{eight}a")), format!("Z{eight}a"));
    assert_eq!(
        display_safe(&format!("Z{eight}{eight}{eight}a")),
        format!("Z{eight}⟨0300+15⟩a")
    );
}

#[test]
fn line_breaks_stay_where_lines_are_wanted() {
    assert_eq!(display_safe_lines("one\r\ntwo\nthree\rfour"), "one\ntwo\nthree␍four");
    assert_eq!(display_safe_lines("one\u{1b}\n\u{202e}two"), "one␛\n⟨202E⟩two");
}

#[test]
fn a_flood_of_hidden_characters_becomes_one_mark() {
    let flood = "\u{200b}\u{202e}".repeat(30_000);
    assert_eq!(display_safe(&format!("a{flood}b")), "a⟨200B+59999⟩b");
}

#[test]
fn a_name_is_one_short_line_and_never_nothing() {
    for (name, expected) in [
        ("Ada", "Ada"),
        ("  Ada \n Lovelace\t", "Ada ␊ Lovelace"),
        ("Ada   \u{3000} L.", "Ada L."),
        ("", "(no name)"),
        (" \u{2800}\u{a0}", "(no name)"),
        ("\u{200b}", "⟨200B⟩"),
        ("Ada\u{202e}", "Ada⟨202E⟩"),
    ] {
        assert_eq!(display_safe_name(name), expected, "{name:?}");
    }
    assert_eq!(display_safe_name(&"x".repeat(40)), "x".repeat(40));
    assert_eq!(display_safe_name(&"x".repeat(41)), "x".repeat(40) + "…");
    let families = "👩\u{200d}👧\u{200d}".repeat(20) + "👦";
    let cut = display_safe_name(&families);
    assert!(!cut.contains("\u{200d}…"), "{cut}");
}

#[test]
fn names_that_look_alike_are_found_and_others_are_not() {
    for (one, other) in [
        ("Alice", "Alice"),
        ("Alice", "\u{410}lice"), // Cyrillic A
        ("Alice", "alice"),
        ("Alice", "Al\u{200b}ice"),
        ("Alice", " Alice\u{3000}"),
        ("Alice", "AIice"), // capital i
        ("paypal", "р\u{430}ypal"),
        ("modern", "rnodern"),
        ("é", "e\u{301}"),
        ("Ada", "𝐀da"), // mathematical bold
    ] {
        assert!(look_alike(one, other), "{one:?} {other:?}");
        assert!(look_alike(other, one), "{other:?} {one:?}");
    }
    for (one, other) in [("Alice", "Bob"), ("Ada", "Adam"), ("Ben", "Zen"), ("", "A")] {
        assert!(!look_alike(one, other), "{one:?} {other:?}");
    }
}

/// Characters that make trouble, much denser than chance would.
fn hostile() -> impl Strategy<Value = String> {
    let trouble: Vec<char> =
        "\u{1b}\u{9b}\r\n\t\u{200b}\u{200c}\u{200d}\u{202e}\u{fe0f}\u{301}\u{e0041}\u{20e3} \u{3000}👩❤ब\u{93f}با1a"
            .chars()
            .collect();
    let letter = prop_oneof![4 => prop::sample::select(trouble), 1 => any::<char>()];
    prop::collection::vec(letter, 0..40).prop_map(String::from_iter)
}

/// The rule in its own words, for what may still be on the screen afterwards.
fn assert_harmless(safe: &str) -> Result<(), TestCaseError> {
    let letters: Vec<char> = safe.chars().collect();
    for (at, letter) in letters.iter().copied().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1).copied();
        let needed = match letter {
            EMOJI_FORM | TEXT_FORM => before.is_some_and(UnicodeEmoji::is_emoji_char),
            ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => {
                before.is_some_and(|before| before == EMOJI_FORM || is_picture(before) || joins(before))
                    && after.is_some_and(|after| is_picture(after) || joins(after))
            }
            _ => false,
        };
        let plain = !letter.is_control() && !is_hidden(letter) && (letter == ' ' || !is_space(letter));
        prop_assert!(needed || plain, "{:?} in {:?}", letter, safe);
        if is_mark(letter) {
            prop_assert!(
                before.is_some_and(|before| before != ' ' && before != '\n'),
                "{:?}",
                safe
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_goes_in_comes_out_harmless(text in hostile()) {
        assert_harmless(&display_safe(&text))?;
        assert_harmless(&display_safe_name(&text))?;
        for line in display_safe_lines(&text).split('\n') {
            assert_harmless(line)?;
        }
    }

    #[test]
    fn safe_text_stays_as_it_is(text in hostile()) {
        let once = display_safe(&text).into_owned();
        prop_assert_eq!(display_safe(&once), once.as_str());
        let once = display_safe_lines(&text).into_owned();
        prop_assert_eq!(display_safe_lines(&once), once.as_str());
    }

    #[test]
    fn hiding_something_never_makes_two_texts_equal(text in hostile(), at: prop::sample::Index) {
        prop_assume!(!text.is_empty());
        let at = at.index(text.chars().count());
        let hidden: String = text.chars().take(at).chain(['\u{202e}']).chain(text.chars().skip(at)).collect();
        prop_assert_ne!(display_safe(&hidden), display_safe(&text));
    }

    #[test]
    fn the_size_on_screen_is_bounded_by_the_size_sent(text in hostile()) {
        prop_assert!(display_safe(&text).len() <= 12 * text.len());
    }

    #[test]
    fn looking_alike_is_mutual(one in hostile(), other in hostile()) {
        prop_assert!(look_alike(&one, &one));
        prop_assert_eq!(look_alike(&one, &other), look_alike(&other, &one));
    }
}
