//! Texts as clients and merchants write them: compared in one form, and refused if they deceive.

use unicode_normalization::UnicodeNormalization;

/// The most characters of an id, an idempotency key, an article number, a category or another text
/// of an activity. One length for all: a key is also an id, and an id is what others are named
/// `of`.
pub const TEXT_LENGTH_MAX: usize = 255;

/// Why a text is refused. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextRejection {
    /// Nothing but blanks.
    #[error("it is empty")]
    TextIsEmpty,
    /// A character that nobody sees, or that changes the direction of what follows.
    #[error("the character U+{:04X} is not allowed: it cannot be seen", u32::from(*.0))]
    CharacterIsNotAllowed(char),
    /// More characters than are allowed.
    #[error("it has {length} characters, and {length_max} are allowed")]
    TextIsTooLong {
        /// Characters found.
        length: usize,
        /// Characters allowed.
        length_max: usize,
    },
}

/// A text in the form in which texts are compared: Unicode's composed form (NFC), without blanks at
/// its ends.
#[must_use]
pub fn compared(text: &str) -> String {
    text.trim().nfc().collect()
}

/// Checks a text that has to be there, and returns it in the form in which texts are compared.
///
/// # Errors
/// It is empty, too long, or has a character that deceives.
pub fn parse_text(text: &str) -> Result<String, TextRejection> {
    let text = compared(text);
    if text.is_empty() {
        return Err(TextRejection::TextIsEmpty);
    }
    if let Some(character) = text.chars().find(|character| deceives(*character)) {
        return Err(TextRejection::CharacterIsNotAllowed(character));
    }
    let length = text.chars().count();
    if length > TEXT_LENGTH_MAX {
        return Err(TextRejection::TextIsTooLong { length, length_max: TEXT_LENGTH_MAX });
    }
    Ok(text)
}

/// Whether a character is a control, or one of those that set the direction of text (Unicode
/// Standard Annex #9), or is ignored when text is shown (the property `Default_Ignorable_Code_Point`
/// of Annex #44): two texts that differ in it look the same. Joiners and variation selectors are
/// part of scripts and emoji, and are allowed.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
                | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
                | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}'
                | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_one_form_or_are_refused() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let found = parse_text(text).map_err(|reason| reason.to_string());
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{text:?}");
        };
        check("Zu\u{308}rich", Ok("Z\u{fc}rich"));
        check(" coffee ", Ok("coffee"));
        check("  ", Err("it is empty"));
        check("a\nb", Err("the character U+000A is not allowed: it cannot be seen"));
        check("a\u{202E}b", Err("the character U+202E is not allowed: it cannot be seen"));
        check("a\u{AD}b", Err("the character U+00AD is not allowed: it cannot be seen"));
        check("\u{3164}", Err("the character U+3164 is not allowed: it cannot be seen"));
        check("\u{2764}\u{FE0F}", Ok("\u{2764}\u{FE0F}"));
        check("\u{FEFF}a", Err("the character U+FEFF is not allowed: it cannot be seen"));
        check(&"a".repeat(255), Ok(&"a".repeat(255)));
        check(&"é".repeat(256), Err("it has 256 characters, and 255 are allowed"));
    }
}
