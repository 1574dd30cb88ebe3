//! Names of merchants, members and wallets. A text is checked once, where it enters the system.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameRejection {
    /// The text is empty.
    #[error("it is empty")]
    NameIsEmpty,
    /// More characters than the kind of name allows.
    #[error("it has {length} characters, and {length_max} are allowed")]
    NameIsTooLong {
        /// Characters found.
        length: usize,
        /// Characters allowed.
        length_max: usize,
    },
    /// A character that would be ambiguous in a path, a key or a script.
    #[error("`{character}` is not allowed; letters a-z and A-Z, digits, `-`, `_` and `.` are")]
    CharacterIsNotAllowed {
        /// The first such character.
        character: char,
    },
}

fn check(text: &str, length_max: usize) -> Result<(), NameRejection> {
    if text.is_empty() {
        return Err(NameRejection::NameIsEmpty);
    }
    // Characters are checked before the length: a bad character is the more useful message.
    if let Some(character) =
        text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        return Err(NameRejection::CharacterIsNotAllowed { character });
    }
    // In a path, `.` and `..` name other folders.
    if matches!(text, "." | "..") {
        return Err(NameRejection::CharacterIsNotAllowed { character: '.' });
    }
    if text.len() > length_max {
        return Err(NameRejection::NameIsTooLong { length: text.len(), length_max });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $length_max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The maximum length of a name of this kind, in characters.
            pub const LENGTH_MAX: usize = $length_max;

            /// Checks a text and makes a name of it.
            ///
            /// # Errors
            /// The text is empty or too long, or has a character that is not allowed.
            pub fn parse(text: &str) -> Result<Self, NameRejection> {
                check(text, Self::LENGTH_MAX).map(|()| Self(text.to_owned()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameRejection;
            fn try_from(text: String) -> Result<Self, NameRejection> {
                check(&text, Self::LENGTH_MAX).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The name of a merchant: of its folder of rules, and of everything it owns in the table.
    MerchantId, 40
}
name! {
    /// The merchant's name for a member, such as a customer number or a UUID.
    MemberId, 64
}
name! {
    /// The manifest's name for a wallet: `points`, `stamps`, `status`.
    WalletName, 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_wrong() {
        let too_long = "x".repeat(65);
        for (text, expected) in [
            ("ada", None),
            ("A-1_b.c", None),
            ("", Some(NameRejection::NameIsEmpty)),
            ("a b", Some(NameRejection::CharacterIsNotAllowed { character: ' ' })),
            ("a#b", Some(NameRejection::CharacterIsNotAllowed { character: '#' })),
            ("zoë", Some(NameRejection::CharacterIsNotAllowed { character: 'ë' })),
            (&too_long, Some(NameRejection::NameIsTooLong { length: 65, length_max: 64 })),
        ] {
            assert_eq!(MemberId::parse(text).err(), expected, "{text}");
        }
    }
}
