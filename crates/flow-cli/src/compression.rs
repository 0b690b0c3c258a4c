//! `-z`, `-y` and `-j`: three letters for one choice.

/// More than one compression was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Use one compression: -z for LZO, -j for BZ2 or -y for LZ4 compression")]
pub struct CompressionError;

/// The compression that nfdump's letters ask for, as `-z=` names it: `method` is the value of `-z`, `lz4` says that `-y`
/// and `bz2` that `-j` was given.
///
/// ```
/// use flow_cli::compression_argument;
///
/// assert_eq!(compression_argument(None, true, false), Ok(Some("lz4")));
/// assert_eq!(compression_argument(Some("zstd:9"), false, false), Ok(Some("zstd:9")));
/// assert!(compression_argument(Some("lzo"), true, false).is_err());
/// ```
///
/// # Errors
/// When more than one is given, in nfdump's words.
pub fn compression_argument(
    method: Option<&str>,
    lz4: bool,
    bz2: bool,
) -> Result<Option<&str>, CompressionError> {
    match (method, lz4, bz2) {
        (method, false, false) => Ok(method),
        (None, true, false) => Ok(Some("lz4")),
        (None, false, true) => Ok(Some("bz2")),
        _ => Err(CompressionError),
    }
}
