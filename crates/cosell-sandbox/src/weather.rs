//! What goes wrong on the way to a face: failures told one by one, and failures that fall at random.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::salesforce::TOKEN;
use crate::world::Face;

/// What happens to one request.
#[derive(Debug, PartialEq)]
pub struct Mishap {
    /// The request is acted on all the same.
    pub acted: bool,
    /// What its sender sees.
    pub ending: Ending,
    /// The kind, if the weather did it.
    pub weather: Option<Kind>,
}

/// What the sender of a request sees.
#[derive(Debug, PartialEq)]
pub enum Ending {
    /// An error in place of the answer.
    Refused(Refusal),
    /// The connection closes without an answer.
    Drop,
    /// The answer, late.
    Slow(Duration),
}

/// An error that a face words its own way.
#[derive(Debug, PartialEq)]
pub enum Refusal {
    /// Too many calls.
    Throttle,
    /// Any other.
    Error {
        /// HTTP status.
        status: u16,
        /// Its code in place of the status's usual one.
        code: Option<String>,
    },
}

/// A kind of weather.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Refused as one call too many, before it is acted on.
    Throttle,
    /// 500 or 503, before or after it is acted on.
    Error,
    /// The connection closes, before or after it is acted on.
    Drop,
    /// Acted on, and answered late.
    Slow,
}

impl Kind {
    /// The name the control API knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Error => "error",
            Self::Drop => "drop",
            Self::Slow => "slow",
        }
    }
}

/// What falls on one face, how often.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// On which face.
    pub face: Face,
    /// How many of a hundred requests are struck.
    pub percent: f64,
    /// The same seed strikes the same requests, counted from the first.
    #[serde(default)]
    pub seed: u64,
    /// The kinds that occur, equally often.
    #[serde(default = "every_kind")]
    pub kinds: Vec<Kind>,
    /// How late a slow answer is.
    #[serde(default = "usual_slowness")]
    pub slow_millis: u64,
}

fn every_kind() -> Vec<Kind> {
    vec![Kind::Throttle, Kind::Error, Kind::Drop, Kind::Slow]
}

fn usual_slowness() -> u64 {
    1500
}

/// The weather of one face.
#[derive(Debug, Serialize)]
pub struct Weather {
    /// As it was asked for.
    #[serde(flatten)]
    forecast: Forecast,
    /// Requests that were out in it.
    requests: u64,
    /// How often each kind struck.
    struck: BTreeMap<Kind, u64>,
    #[serde(skip)]
    dice: fastrand::Rng,
}

impl Weather {
    /// Weather that begins now.
    pub fn new(forecast: Forecast) -> Self {
        let struck = forecast.kinds.iter().map(|kind| (*kind, 0)).collect();
        Self { dice: fastrand::Rng::with_seed(forecast.seed), forecast, requests: 0, struck }
    }

    /// What falls on the next request.
    pub fn strike(&mut self, operation: &str) -> Option<Mishap> {
        // Without a session nothing of the org could be tried.
        if self.forecast.face == Face::Salesforce && operation == TOKEN {
            return None;
        }
        self.requests += 1;
        if self.dice.f64() * 100.0 >= self.forecast.percent {
            return None;
        }
        let kind = self.dice.choice(self.forecast.kinds.iter().copied())?;
        let times = self.struck.entry(kind).or_default();
        *times += 1;
        let every_other = times.is_multiple_of(2);
        let (acted, ending) = match kind {
            Kind::Throttle => (false, Ending::Refused(Refusal::Throttle)),
            Kind::Error => {
                let status = if self.dice.bool() { 500 } else { 503 };
                (every_other, Ending::Refused(Refusal::Error { status, code: None }))
            }
            Kind::Drop => (every_other, Ending::Drop),
            Kind::Slow => (true, Ending::Slow(Duration::from_millis(self.forecast.slow_millis))),
        };
        Some(Mishap { acted, ending, weather: Some(kind) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weather(seed: u64, percent: f64) -> Weather {
        Weather::new(Forecast {
            face: Face::Salesforce,
            percent,
            seed,
            kinds: every_kind(),
            slow_millis: usual_slowness(),
        })
    }

    fn fates(mut weather: Weather) -> Vec<Option<Mishap>> {
        (0..2000).map(|_| weather.strike("query")).collect()
    }

    #[test]
    fn a_seed_repeats_its_order_and_another_has_its_own() {
        assert_eq!(fates(weather(7, 20.0)), fates(weather(7, 20.0)));
        assert_ne!(fates(weather(7, 20.0)), fates(weather(8, 20.0)));
    }

    #[test]
    fn it_strikes_as_often_as_told_and_its_kinds_alike() {
        let fates = fates(weather(7, 20.0));
        let struck: Vec<&Mishap> = fates.iter().flatten().collect();
        assert!((350..450).contains(&struck.len()), "{}", struck.len());
        for kind in every_kind() {
            let ours: Vec<&&Mishap> = struck.iter().filter(|mishap| mishap.weather == Some(kind)).collect();
            assert!((70..130).contains(&ours.len()), "{kind:?}: {}", ours.len());
            let acted = ours.iter().filter(|mishap| mishap.acted).count();
            let expected = match kind {
                Kind::Throttle => 0,
                Kind::Error | Kind::Drop => ours.len() / 2,
                Kind::Slow => ours.len(),
            };
            assert_eq!(acted, expected, "{kind:?}");
        }
        assert!(self::fates(weather(7, 0.0)).iter().all(Option::is_none));
        assert!(self::fates(weather(7, 100.0)).iter().all(Option::is_some));
    }

    #[test]
    fn token_requests_stay_dry() {
        let mut always = weather(7, 100.0);
        assert_eq!(always.strike(TOKEN), None);
        assert!(always.strike("query").is_some());
    }
}
