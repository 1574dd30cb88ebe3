//! A sheet as text, before the engine reads it: what an editor does not show, what reads other than
//! it runs, and what would keep the reader busy.
//!
//! A sheet has line comments, texts in double quotes, and nothing else that could hide code: with
//! so little, this scan and the engine cannot disagree about where a comment ends.

use crate::mistake::Mistake;

/// The engine counts lines and columns in 16 bits, and loses its way beyond.
const COLUMNS_MAX: usize = 1_000;
const LINES_MAX: usize = 10_000;
/// Variables that a sheet may declare: the reader looks through all of them at each name.
const VARIABLES_MAX: usize = 200;
/// Parameters of a function, for the same reason.
const PARAMETERS_MAX: usize = 8;
/// The most characters of a name or a number.
const WORD_LENGTH_MAX: usize = 64;
/// Rules and functions of a sheet, which are counted before they are read.
const BLOCKS_MAX: usize = 1_000;
/// Open brackets inside each other.
const DEPTH_MAX: usize = 64;

/// What is wrong with a sheet's text; the first of it, since the rest would follow from it.
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

/// What cannot be seen and turns what stands around it about: a file reads as it runs.
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
    /// Where the text at hand begins.
    opened: usize,
    word: String,
    depth: usize,
    /// Blocks that are in no other: rules and functions.
    blocks: usize,
    variables: usize,
    /// Commas since the head of a function began; nothing outside of one.
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

/// A sign that a text program puts in place of the one on the keyboard.
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
        c if !c.is_ascii() && !c.is_whitespace() => {
            Some(format!("`{c}` has no meaning in a sheet"))
        }
        _ => None,
    }
}
