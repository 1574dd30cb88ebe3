//! The scan of a sheet's text before the engine reads it. It rejects characters that an editor does
//! not show, text that reads differently than it runs, and text that would keep the reader busy.
//!
//! INVARIANT: this scan and the engine agree on where comments and texts end. They do because a
//! sheet has only line comments and texts in double quotes; the scan rejects every other form.

use crate::mistake::Mistake;

/// The most characters of a line, and the most lines. The engine counts both in 16 bits and reports
/// wrong places beyond that.
const COLUMNS_MAX: usize = 1_000;
const LINES_MAX: usize = 10_000;
/// The most variables that a sheet declares. The reader searches all of them for each name.
const VARIABLES_MAX: usize = 200;
/// The most parameters of a function, for the same reason.
const PARAMETERS_MAX: usize = 8;
/// The most characters of a name or a number.
const WORD_LENGTH_MAX: usize = 64;
/// The most rules and functions of a sheet. They are counted before the engine reads them.
const BLOCKS_MAX: usize = 1_000;
/// The deepest nesting of brackets.
const DEPTH_MAX: usize = 64;

/// The first mistake in a sheet's text. Later ones would often be consequences of the first.
pub(crate) fn sheet(file: &str, text: &str) -> Option<Mistake> {
    let at = |byte: usize, message: String| Some(Mistake::at_byte(file, text, byte, message));
    if text.lines().count() > LINES_MAX {
        let message = format!("the sheet has more than {LINES_MAX} lines; spread it over several");
        return Some(Mistake::of_file(file, message));
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.chars().count() > COLUMNS_MAX {
            return at(start, format!("this line has more than {COLUMNS_MAX} characters"));
        }
        start += line.len();
    }
    let mut scan = Scan::default();
    let mut chars = text.char_indices().peekable();
    while let Some((byte, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let message = match scan.place {
            Place::Comment => {
                if c == '\n' {
                    scan.place = Place::Code;
                }
                None
            }
            Place::Text => match c {
                '\\' => {
                    chars.next();
                    None
                }
                '"' => {
                    scan.place = Place::Code;
                    None
                }
                '\n' => return at(scan.opened, "this text has no closing `\"`".to_owned()),
                _ => None,
            },
            Place::Code => {
                scan.opened = byte;
                scan.code(c, next)
            }
        };
        let message = match (c, next) {
            ('\r', next) if next != Some('\n') => {
                Some("there is half a line end here; type the line break anew".to_owned())
            }
            _ => message,
        };
        if let Some(message) = message {
            return at(byte, message);
        }
    }
    None
}

/// The first invisible character and its byte, such as one that reverses the direction of the text
/// around it. A file without invisible characters runs as it reads.
pub(crate) fn unseen(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| {
        (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
            || matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            )
    })
}

#[derive(Default, PartialEq, Eq)]
enum Place {
    #[default]
    Code,
    Text,
    Comment,
}

#[derive(Default)]
struct Scan {
    place: Place,
    /// The byte at which the current text begins.
    opened: usize,
    word: String,
    depth: usize,
    /// The number of outermost blocks: rules and functions.
    blocks: usize,
    variables: usize,
    /// The commas since the head of a function began; nothing outside a head.
    parameters: Option<usize>,
}

impl Scan {
    fn code(&mut self, c: char, next: Option<char>) -> Option<String> {
        if c.is_alphanumeric() || c == '_' {
            self.word.push(c);
            if !c.is_ascii() {
                return Some(format!("`{c}` is no letter of a name; names have a to z"));
            }
            if self.word.len() > WORD_LENGTH_MAX {
                return Some(format!(
                    "names and numbers have at most {WORD_LENGTH_MAX} characters"
                ));
            }
            return None;
        }
        let word = std::mem::take(&mut self.word);
        match word.as_str() {
            "let" | "const" => {
                self.variables += 1;
                if self.variables > VARIABLES_MAX {
                    return Some(format!("the sheet has more than {VARIABLES_MAX} variables"));
                }
            }
            "fn" => self.parameters = Some(0),
            _ => {}
        }
        match (c, next) {
            ('/', Some('/')) => self.place = Place::Comment,
            ('/', Some('*')) => {
                return Some("comments begin with `//`, and end with their line".to_owned());
            }
            ('"', _) => self.place = Place::Text,
            ('`' | '\'', _) => {
                return Some("texts stand in double quotes".to_owned());
            }
            ('#', _) => {
                return Some("`#` has no meaning in a sheet; a remark begins with `//`".to_owned());
            }
            ('{', _) => {
                self.parameters = None;
                self.blocks += usize::from(self.depth == 0);
                if self.blocks > BLOCKS_MAX {
                    return Some(format!(
                        "the sheet has more than {BLOCKS_MAX} rules and functions"
                    ));
                }
                return self.open();
            }
            ('(' | '[', _) => return self.open(),
            ('}' | ')' | ']', _) => self.depth = self.depth.saturating_sub(1),
            (',', _) => {
                if let Some(parameters) = &mut self.parameters {
                    *parameters += 1;
                    if *parameters >= PARAMETERS_MAX {
                        return Some(format!("a function takes at most {PARAMETERS_MAX} things"));
                    }
                }
            }
            _ => return odd_sign(c),
        }
        None
    }

    fn open(&mut self) -> Option<String> {
        self.depth += 1;
        (self.depth > DEPTH_MAX)
            .then(|| format!("there are more than {DEPTH_MAX} brackets inside each other"))
    }
}

/// A message about a character that a word processor writes in place of the one on the keyboard.
fn odd_sign(c: char) -> Option<String> {
    match c {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => {
            Some(format!("`{c}` is a curly quote; titles and texts stand in straight ones: \""))
        }
        '\u{a0}' | '\u{202f}' => {
            Some("there is a space here that is none; type it anew".to_owned())
        }
        '\u{2013}' | '\u{2014}' | '\u{2212}' => Some(format!("`{c}` is a long dash; minus is `-`")),
        '\u{2265}' => Some("`\u{2265}` is written `>=`".to_owned()),
        '\u{2264}' => Some("`\u{2264}` is written `<=`".to_owned()),
        '\u{d7}' => Some("`\u{d7}` is written `*`".to_owned()),
        '\u{20ac}' | '\u{a3}' | '\u{a5}' => {
            Some(format!("`{c}` has no meaning in a sheet; amounts have no sign: `20.00`"))
        }
        c if !c.is_ascii() && !c.is_whitespace() => {
            Some(format!("`{c}` has no meaning in a sheet"))
        }
        _ => None,
    }
}
