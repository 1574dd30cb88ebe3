//! The body of a version: an open part, readable for ever, and a sealed part, readable while the
//! person's key exists. Dropping the key erases the person.
//!
//! Call [`pack`] to make a body and [`unpack`] to read it, both with the same [`Place`]: a body is
//! readable only as the version it was made for. Only `item` calls them. Both parts are JSON,
//! deflated with a dictionary of common words, since a version is billed by the started kilobyte
//! and most of a small JSON text is its keys.

use std::cell::RefCell;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use ledger::Seq;

/// The words that the JSON texts have in common.
// INVARIANT: it never changes, since a body can be unpacked only with the dictionary that packed
// it. A new dictionary is another file and gets other form numbers.
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");
/// The form of a body, its first byte: packed with this dictionary, without a seal or with one.
/// Form 1 was sealed without authenticating the open part; 2 and 3 had an earlier dictionary.
const OPEN: u8 = 4;
const SEALED: u8 = 5;
/// The most bytes of an unpacked text. The largest order, of 500 lines, needs less than one million, and
/// so does a return that makes a thousand later entries different.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The bytes that the seal adds.
const TAG_BYTES: usize = 16;

/// Why a body cannot be packed or unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("the machine gives no random bytes")]
    NoRandomBytes,
    #[error("a key cannot be used")]
    KeyIsUnusable,
    #[error("it is too large")]
    TooLarge,
    #[error("its postings are too many")]
    TooManyPostings,
    #[error("it cannot be sealed")]
    Seal,
    #[error("it is not as it was sealed under its member's key")]
    NotAsSealed,
    #[error("it is packed in a way that this version does not know")]
    FormIsUnknown,
    #[error("it unpacks to too much")]
    UnpacksToTooMuch,
    #[error("it is cut off")]
    CutOff,
    #[error("it cannot be packed")]
    Pack,
    #[error("it cannot be unpacked")]
    Unpack,
}

/// A person's own key. Without it, nothing that was sealed under it can be read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; Secret::BYTES]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    const BYTES: usize = 32;

    pub(crate) fn new() -> Result<Secret, SealError> {
        let mut bytes = [0; Secret::BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SealError::NoRandomBytes)?;
        Ok(Secret(bytes))
    }

    pub(crate) fn of(bytes: &[u8]) -> Option<Secret> {
        bytes.try_into().ok().map(Secret)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn key(&self) -> Result<LessSafeKey, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, &self.0).map_err(|_| SealError::KeyIsUnusable)?;
        Ok(LessSafeKey::new(key))
    }
}

/// The two parts of a body, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Texts {
    pub(crate) open: Vec<u8>,
    /// `None` if it was sealed and the person's key no longer exists.
    pub(crate) sealed: Option<Vec<u8>>,
}

/// The place of a body: its member, its version, and the names by which its request is found. The seal authenticates it, so a
/// body that was moved elsewhere cannot be read.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) pk: &'a str,
    pub(crate) seq: Seq,
    pub(crate) op: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

impl Place<'_> {
    /// The nonce: the number of the version, since no two versions of a member have the same.
    fn nonce(self) -> Nonce {
        let mut bytes = [0; 12];
        for (to, from) in bytes.iter_mut().rev().zip(self.seq.get().to_be_bytes().iter().rev()) {
            *to = *from;
        }
        Nonce::assume_unique_for_key(bytes)
    }

    /// The data that the seal authenticates: the place, and the open part that the sealed part was
    /// packed with.
    fn aad(self, open: &[u8]) -> Aad<Vec<u8>> {
        let (op, key) = (self.op.unwrap_or_default(), self.key.unwrap_or_default());
        let place = format!("{} {} {op} {key}\n", self.pk, self.seq);
        Aad::from([place.as_bytes(), open].concat())
    }
}

pub(crate) fn pack(
    place: Place<'_>,
    open: &[u8],
    sealed: &[u8],
    secret: Option<&Secret>,
) -> Result<Vec<u8>, SealError> {
    if open.len().max(sealed.len()) >= TEXT_BYTES_MAX {
        // Refused here, since `unpack` would refuse to read it.
        return Err(SealError::TooLarge);
    }
    let first = deflate(DICTIONARY, open)?;
    let length = u16::try_from(first.len()).map_err(|_| SealError::TooManyPostings)?;
    // The sealed text repeats much of the open one, so the open one extends its dictionary.
    let mut second = deflate(&dictionary_after(open), sealed)?;
    if let Some(secret) = secret {
        secret
            .key()?
            .seal_in_place_append_tag(place.nonce(), place.aad(open), &mut second)
            .map_err(|_| SealError::Seal)?;
    }
    let mut body = vec![if secret.is_some() { SEALED } else { OPEN }];
    body.extend(length.to_be_bytes());
    body.extend(first);
    body.extend(second);
    Ok(body)
}

pub(crate) fn unpack(
    place: Place<'_>,
    body: &[u8],
    secret: Option<&Secret>,
) -> Result<Texts, SealError> {
    let cut = SealError::CutOff;
    let (form, rest) = body.split_first().ok_or(cut)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(cut)?;
    let (first, second) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(cut)?;
    let open = inflate(DICTIONARY, first)?;
    let after = || dictionary_after(&open);
    let sealed = match (*form, secret) {
        (OPEN, _) => Some(inflate(&after(), second)?),
        (SEALED, None) => None,
        (SEALED, Some(secret)) => {
            let mut second = second.to_vec();
            let opened = secret.key()?.open_in_place(place.nonce(), place.aad(&open), &mut second);
            let opened = opened.map_err(|_| SealError::NotAsSealed)?;
            Some(inflate(&after(), opened)?)
        }
        _ => return Err(SealError::FormIsUnknown),
    };
    Ok(Texts { open, sealed })
}

fn dictionary_after(open: &[u8]) -> Vec<u8> {
    [DICTIONARY, open].concat()
}

thread_local! {
    // Their memory, of hundreds of kilobytes, would have to be cleared for every text. Each use begins
    // with a reset.
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::best(), false));
    static DECOMPRESS: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

fn deflate(dictionary: &[u8], text: &[u8]) -> Result<Vec<u8>, SealError> {
    let fail = |_| SealError::Pack;
    COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        compress.set_dictionary(dictionary).map_err(fail)?;
        // Deflate's output is never larger than this.
        let mut packed = Vec::with_capacity(text.len() + text.len() / 1000 + 64);
        match compress.compress_vec(text, &mut packed, FlushCompress::Finish).map_err(fail)? {
            Status::StreamEnd => Ok(packed),
            Status::Ok | Status::BufError => Err(SealError::Pack),
        }
    })
}

fn inflate(dictionary: &[u8], packed: &[u8]) -> Result<Vec<u8>, SealError> {
    DECOMPRESS.with_borrow_mut(|decompress| {
        decompress.reset(false);
        inflate_by(decompress, dictionary, packed)
    })
}

fn inflate_by(
    decompress: &mut Decompress,
    dictionary: &[u8],
    packed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let fail = SealError::Unpack;
    decompress.set_dictionary(dictionary).map_err(|_| fail)?;
    let mut text = Vec::with_capacity(packed.len().saturating_mul(4) + TAG_BYTES);
    loop {
        let done = usize::try_from(decompress.total_in()).map_err(|_| fail)?;
        let rest = packed.get(done..).ok_or(fail)?;
        let had = text.len();
        let status = decompress.decompress_vec(rest, &mut text, FlushDecompress::Finish);
        match status.map_err(|_| fail)? {
            Status::StreamEnd => return Ok(text),
            _ if text.len() >= TEXT_BYTES_MAX => return Err(SealError::UnpacksToTooMuch),
            // The buffer is full and more may come.
            _ if text.len() == text.capacity() => text.reserve(text.len().max(1024)),
            _ if text.len() == had => return Err(fail),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { pk: "m#shop#ada", seq: Seq::new(7), op: Some("k"), key: None };

    #[test]
    fn a_body_reads_back_where_it_belongs_and_nowhere_else() {
        let secret = Secret::new().unwrap();
        let other = Secret::new().unwrap();
        for sealed in [String::new(), "x".to_owned(), "{\"wallet\":\"points\"}".repeat(20_000)] {
            let body = pack(PLACE, b"{\"at\":1}", sealed.as_bytes(), Some(&secret)).unwrap();
            let texts = unpack(PLACE, &body, Some(&secret)).unwrap();
            assert_eq!(texts.open, b"{\"at\":1}");
            assert_eq!(texts.sealed.as_deref(), Some(sealed.as_bytes()));
            assert_eq!(unpack(PLACE, &body, None).unwrap().sealed, None);
            assert!(unpack(PLACE, &body, Some(&other)).is_err());
            assert!(unpack(Place { seq: Seq::new(8), ..PLACE }, &body, Some(&secret)).is_err());
            assert!(unpack(Place { pk: "m#shop#bob", ..PLACE }, &body, Some(&secret)).is_err());
            assert!(unpack(Place { op: None, ..PLACE }, &body, Some(&secret)).is_err());
            assert!(unpack(Place { op: Some("l"), ..PLACE }, &body, Some(&secret)).is_err());
            assert!(unpack(Place { key: Some("l"), ..PLACE }, &body, Some(&secret)).is_err());
        }
        let open = pack(PLACE, b"o", b"sums", None).unwrap();
        assert_eq!(unpack(PLACE, &open, None).unwrap().sealed.as_deref(), Some(&b"sums"[..]));
    }

    #[test]
    fn a_body_that_was_tampered_with_or_cut_off_is_not_read() {
        let secret = Secret::new().unwrap();
        let body = pack(PLACE, b"{\"at\":1}", b"some text that matters", Some(&secret)).unwrap();
        for end in 0..body.len() {
            assert!(unpack(PLACE, &body[..end], Some(&secret)).is_err(), "cut at {end}");
        }
        for place in 3..body.len() {
            let mut body = body.clone();
            body[place] ^= 1;
            assert!(unpack(PLACE, &body, Some(&secret)).is_err(), "turned at {place}");
        }
        assert!(pack(PLACE, b"", &vec![b'x'; TEXT_BYTES_MAX], None).is_err());
    }
}
