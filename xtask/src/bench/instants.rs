//! Instants as results and logs write them: `2026-08-03T13:22:35.12Z`.

use anyhow::{Context, Result};

const DAY: f64 = 86_400.0;

/// Seconds from one instant to another that is less than half a day away.
pub(super) fn seconds_between(from: &str, to: &str) -> Result<f64> {
    let seconds = of_day(to)? - of_day(from)?;
    Ok(if seconds < -DAY / 2.0 { seconds + DAY } else { seconds })
}

fn of_day(instant: &str) -> Result<f64> {
    let time = instant.split_once('T').and_then(|(_, time)| time.strip_suffix('Z'));
    let mut parts = time.unwrap_or_default().split(':').map(str::parse::<f64>);
    let mut next = || parts.next()?.ok();
    let read = (next(), next(), next());
    let (Some(hours), Some(minutes), Some(seconds)) = read else { anyhow::bail!("`{instant}` is no instant") };
    Some(hours * 3_600.0 + minutes * 60.0 + seconds).context("a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_go_over_midnight() {
        let between = |from, to| seconds_between(from, to).unwrap();
        assert!((between("2026-08-03T13:22:35.12Z", "2026-08-03T13:22:36.5Z") - 1.38).abs() < 1e-6);
        assert!((between("2026-08-03T23:59:59Z", "2026-08-04T00:00:01.5Z") - 2.5).abs() < 1e-6);
        assert!(seconds_between("yesterday", "2026-08-03T13:22:36.5Z").is_err());
    }
}
