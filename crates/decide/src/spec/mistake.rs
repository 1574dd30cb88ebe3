//! Mistakes in specs.

use rules::did_you_mean;
use toml::Spanned;

/// A mistake in a spec: its byte, or nothing if only the spec is known, and the message.
pub(super) type SpecError = (Option<usize>, String);

/// Refuses a name that is not among `names`.
pub(super) fn known<'n>(
    what: &str,
    name: &Spanned<String>,
    names: impl Iterator<Item = &'n str>,
) -> Result<(), SpecError> {
    let names: Vec<&str> = names.collect();
    if names.contains(&name.get_ref().as_str()) { Ok(()) } else { Err(unknown(what, name, names)) }
}

pub(super) fn unknown<'n>(
    what: &str,
    name: &Spanned<String>,
    names: impl IntoIterator<Item = &'n str>,
) -> SpecError {
    let hint = did_you_mean(name.get_ref(), names);
    (Some(name.span().start), format!("there is no {what} `{}`{hint}", name.get_ref()))
}
