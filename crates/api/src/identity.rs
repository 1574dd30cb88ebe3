//! The tokens that the functions accept: verified ones, or also the stand-in of a laptop.

/// The tokens that the functions accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Only the claims that API Gateway's JWT authorizer has verified.
    Verified,
    /// Also a stand-in token, `Authorization: Bearer local:<merchant>`, which anyone can write. It
    /// is for laptops and tests; the SAM template never sets it.
    Development,
}

/// The environment variable that turns [`Identity::Development`] on in a function's process.
pub const DEVELOPMENT_VARIABLE: &str = "REGULARS_DEVELOPMENT";
/// The prefix of a stand-in token; the merchant follows it.
pub const TOKEN_PREFIX: &str = "local:";
