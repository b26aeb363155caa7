//! A name that others chose, made into one that a file here may have.
//!
//! A name can be a path (`../../.ssh/authorized_keys`), an option (`-rf`), a device (`NUL`), hidden (`.profile`), turned
//! around (`photo\u{202e}gpj.exe`) or too long. What is left here is one component that every common file system takes, that
//! no shell and no program reads as something else, and that shows what it is. `// SPEC 29.4`

use crate::display::display_safe;

/// Bytes of a name: what all common file systems take, with room for a number behind it.
const NAME_BYTES_MAX: usize = 200;

/// Bytes of an ending that is kept when a name is cut: longer ones are not endings.
const ENDING_BYTES_MAX: usize = 16;

/// What a file without a usable name is called.
const NAMELESS: &str = "file";

/// Names that are devices on Windows, with any ending and in any case.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Makes a harmless file name of a name that others chose. Never empty, never a path.
#[must_use]
pub fn safe_file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty());
    let shown = display_safe(last.unwrap_or_default());
    let single_spaced = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = single_spaced.chars().map(without_meaning).collect();
    // Dots in front hide a file, dots and spaces behind it are dropped by some systems.
    let bare = plain.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    let named = match bare.chars().next() {
        None => NAMELESS.to_owned(),
        Some('-' | '~') => format!("_{bare}"),
        Some(_) if is_device(bare) => format!("_{bare}"),
        Some(_) => bare.to_owned(),
    };
    cut(&named)
}

/// Characters that mean something to file systems or shells.
fn without_meaning(letter: char) -> char {
    match letter {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '$' | '`' | '\'' | ';' | '&' | '!' => '_',
        letter => letter,
    }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let is_port = |prefix: &str| {
        let rest = stem.strip_prefix(prefix).unwrap_or_default();
        let mut letters = rest.chars();
        matches!(
            (letters.next(), letters.next()),
            (Some('0'..='9' | '¹' | '²' | '³'), None)
        )
    };
    DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt")
}

/// Shortens what is too long, and keeps its ending.
fn cut(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let ending = match name.rsplit_once('.') {
        Some((_, ending)) if ending.len() < ENDING_BYTES_MAX => name.get(name.len() - ending.len() - 1..),
        _ => None,
    }
    .unwrap_or_default();
    let mut stem = String::new();
    for letter in name.chars() {
        if stem.len() + letter.len_utf8() + ending.len() > NAME_BYTES_MAX {
            break;
        }
        stem.push(letter);
    }
    stem.trim_end_matches(['.', ' ']).to_owned() + ending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_name_stays_as_it_is() {
        for name in ["cat.jpg", "Bericht 2026 (final).pdf", "архив.tar.gz", "猫.png", "a'b"] {
            let expected = name.replace('\'', "_");
            assert_eq!(safe_file_name(name), expected);
        }
    }

    #[test]
    fn a_path_loses_its_folders() {
        for (name, expected) in [
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("/etc/passwd", "passwd"),
            ("..\\..\\Windows\\system.ini", "system.ini"),
            ("C:\\boot.ini", "boot.ini"),
            ("C:boot.ini", "C_boot.ini"),
            ("folder/", "folder"),
            ("..", "file"),
            ("/", "file"),
            ("", "file"),
            ("   ", "file"),
            ("...", "file"),
        ] {
            assert_eq!(safe_file_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn what_hides_or_commands_is_made_visible_and_harmless() {
        for (name, expected) in [
            (".profile", "profile"),
            ("-rf", "_-rf"),
            ("~", "_~"),
            ("photo\u{202e}gpj.exe", "photo⟨202E⟩gpj.exe"),
            ("a\u{1b}[2Jb", "a␛[2Jb"),
            ("a\nb\tc", "a␊b c"),
            ("x;rm $HOME&`id`", "x_rm _HOME__id_"),
            ("a\0b", "a␀b"),
            ("end. . ", "end"),
        ] {
            assert_eq!(safe_file_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn devices_are_no_files() {
        for name in ["nul", "CON.txt", "Aux", "com1", "LPT9.log", "com¹.x", "nul .txt"] {
            assert_eq!(safe_file_name(name), format!("_{name}"));
        }
        for name in ["console", "com", "com10", "nullable.txt"] {
            assert_eq!(safe_file_name(name), name);
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_ending() {
        let long = safe_file_name(&format!("{}.jpeg", "é".repeat(300)));
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with("é.jpeg"), "{long}");
        let no_ending = safe_file_name(&"x".repeat(300));
        assert_eq!(no_ending.len(), NAME_BYTES_MAX);
        // Every control character becomes three bytes: the limit counts what is written.
        assert!(safe_file_name(&"\u{1}".repeat(255)).len() <= NAME_BYTES_MAX);
    }
}
