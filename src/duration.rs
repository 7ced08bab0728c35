//! Times on the command line.

use std::time::Duration;

/// `0`, `5`, `1s`, `2m`, `3h`, as in kubectl's `--request-timeout`; a bare number is seconds.
///
/// # Errors
/// When the text is none of these, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    number
        .zip(seconds)
        .map(|(number, seconds)| Duration::from_secs(number.saturating_mul(seconds)))
        .ok_or_else(|| format!("{text:?} is not a time; write 5s, 2m or 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_kubectl_reads_them() {
        for (text, seconds) in [("0", 0), ("5", 5), ("7s", 7), ("2m", 120), ("1h", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "x", "5d", "-1", "1.5s", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
