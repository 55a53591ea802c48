//! Runs over dead letters that are cut at any call: nothing is lost, and what a FIFO queue gets stays in order.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use cosell_sync::{
    letter::{CODE, Letter, PARKED_AT, REPLAYS},
    ports::{DeadLetter, DeadLetters, Files, Message, PortError, PortResult},
    quarantine::{Quarantine, Why},
    replay::{Fate, Replay, Replayed, Request, sweep},
};
use jiff::Timestamp;

type Attributes = &'static [(&'static str, &'static str)];

/// A dead-letter queue, the queue behind it, and a bucket.
#[derive(Default)]
struct Post {
    letters: Vec<DeadLetter>,
    taken: HashSet<String>,
    sent: Vec<(String, String)>,
    tokens: HashSet<String>,
    files: BTreeMap<String, Vec<u8>>,
    /// The call that is lost, counted from here, and whether it was carried out before it was lost.
    lost: Option<(usize, bool)>,
    calls: usize,
}

#[derive(Clone, Default)]
struct Office(Arc<Mutex<Post>>);

impl Office {
    fn of(letters: &[(&str, &str, Attributes)]) -> Self {
        let office = Self::default();
        for (id, group, attributes) in letters {
            office.with(|post| {
                post.letters.push(DeadLetter {
                    id: (*id).to_owned(),
                    receipt: String::new(),
                    body: format!("body of {id}"),
                    group: Some((*group).to_owned()),
                    attributes: attributes
                        .iter()
                        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                        .collect(),
                    sent_at: Some("2026-03-20T00:00:00Z".parse().unwrap()),
                    redriven_from: None,
                });
            });
        }
        office
    }

    fn with<T>(&self, work: impl FnOnce(&mut Post) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    fn call<T>(&self, what: &str, work: impl FnOnce(&mut Post) -> T) -> PortResult<T> {
        let unavailable = || PortError::Unavailable { what: what.to_owned(), cause: None };
        self.with(|post| {
            post.calls += 1;
            match &mut post.lost {
                Some((0, carried_out)) => {
                    let carried_out = *carried_out;
                    post.lost = None;
                    if carried_out {
                        work(post);
                    }
                    return Err(unavailable());
                }
                Some((left, _)) => *left -= 1,
                None => {}
            }
            Ok(work(post))
        })
    }

    fn replay(&self) -> Replay {
        Replay { queues: vec![Box::new(self.clone())], quarantine: self.quarantine(), max_replays: 3, now }
    }

    fn quarantine(&self) -> Quarantine {
        Quarantine { files: Box::new(self.clone()), now }
    }

    async fn runs(&self) -> Option<Replayed> {
        self.replay().run(Request::default(), || true).await.ok()
    }

    fn sent(&self) -> Vec<String> {
        self.with(|post| post.sent.iter().map(|(body, _)| body.clone()).collect())
    }

    fn left(&self) -> Vec<String> {
        self.with(|post| post.letters.iter().map(|letter| letter.id.clone()).collect())
    }
}

fn now() -> Timestamp {
    "2026-03-20T12:00:00Z".parse().unwrap()
}

#[async_trait]
impl DeadLetters for Office {
    fn name(&self) -> &'static str {
        "letters"
    }

    fn returns(&self) -> bool {
        true
    }

    async fn receive(&self) -> PortResult<Vec<DeadLetter>> {
        self.call("receive", |post| {
            let group_of = |id: &String| post.letters.iter().find(|letter| letter.id == *id)?.group.clone();
            let busy: HashSet<_> = post.taken.iter().filter_map(group_of).collect();
            let free = post.letters.iter().filter(|letter| {
                !post.taken.contains(&letter.id) && letter.group.as_ref().is_none_or(|group| !busy.contains(group))
            });
            // As SQS does: as many as possible of one group, then of the next.
            let mut free: Vec<_> = free.cloned().collect();
            let firsts = free.clone();
            free.sort_by_key(|letter| firsts.iter().position(|first| first.group == letter.group));
            let given: Vec<_> = free.into_iter().take(4).collect();
            post.taken.extend(given.iter().map(|letter| letter.id.clone()));
            given
        })
    }

    async fn send_back(&self, message: &Message, attributes: &BTreeMap<String, String>, token: &str) -> PortResult<()> {
        self.call("send", |post| {
            if message.group.is_none() || post.tokens.insert(token.to_owned()) {
                post.sent.push((message.body.clone(), attributes[REPLAYS].clone()));
            }
        })
    }

    async fn delete(&self, letter: &DeadLetter) -> PortResult<()> {
        self.call("delete", |post| {
            let kept = post.files.contains_key(&format!("quarantine/letters/{}.json", letter.id));
            assert!(kept || post.sent.iter().any(|(body, _)| *body == letter.body), "{} is lost", letter.id);
            post.letters.retain(|known| known.id != letter.id);
            post.taken.remove(&letter.id);
        })
    }

    async fn release(&self, letter: &DeadLetter) -> PortResult<()> {
        self.call("release", |post| {
            post.taken.remove(&letter.id);
        })
    }
}

#[async_trait]
impl Files for Office {
    async fn list(&self, prefix: &str) -> PortResult<Vec<String>> {
        self.call("list", |post| post.files.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        self.call("put", |post| drop(post.files.insert(key.to_owned(), content)))
    }

    async fn get(&self, key: &str) -> PortResult<Vec<u8>> {
        self.call("get", |post| post.files[key].clone())
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.call("remove", |post| drop(post.files.remove(key)))
    }
}

const HEALS: Attributes = &[(CODE, "unavailable"), (PARKED_AT, "2026-03-20T01:00:00Z")];
const STAYS: Attributes = &[(CODE, "malformed_message"), (PARKED_AT, "2026-03-20T01:00:00Z")];
const WAITS: Attributes = &[(CODE, "unavailable"), (REPLAYS, "2"), (PARKED_AT, "2026-03-20T11:00:00Z")];
const WORN: Attributes = &[(CODE, "unavailable"), (REPLAYS, "3"), (PARKED_AT, "2026-03-20T01:00:00Z")];

fn mixed() -> Office {
    Office::of(&[
        ("a1", "a", HEALS),
        ("b1", "b", WAITS),
        ("a2", "a", HEALS),
        ("b2", "b", HEALS),
        ("c1", "c", STAYS),
        ("c2", "c", HEALS),
        ("d1", "d", WORN),
        ("a3", "a", HEALS),
        ("d2", "d", HEALS),
    ])
}

#[tokio::test]
async fn a_group_keeps_its_order_and_waits_for_nobody_but_its_own_time() {
    let office = mixed();
    let done = office.runs().await;
    assert_eq!(
        done,
        Some(Replayed { replayed: 5, kept: 2, quarantined: 1 }),
        "what is taken hides the rest of its group"
    );
    assert_eq!(office.sent(), ["a1", "a2", "a3", "c2", "d2"].map(|id| format!("body of {id}")));
    assert_eq!(office.left(), ["b1", "b2", "c1"]);
    assert_eq!(office.with(|post| post.taken.len()), 0, "what stays is released");
    let again = office.runs().await;
    assert_eq!(
        again,
        Some(Replayed { replayed: 0, kept: 3, quarantined: 0 }),
        "what comes after one that waits, waits"
    );
}

#[tokio::test]
async fn a_run_that_dies_at_any_call_loses_nothing_and_keeps_the_order() {
    let calls = {
        let office = mixed();
        office.runs().await;
        office.with(|post| post.calls)
    };
    assert!(calls > 10);
    let undisturbed = {
        let office = mixed();
        for _ in 0..3 {
            office.runs().await;
        }
        (office.sent(), office.left())
    };
    let mut expected = undisturbed.0;
    expected.sort();
    for cut in 0..calls {
        for carried_out in [false, true] {
            let office = mixed();
            office.with(|post| post.lost = Some((cut, carried_out)));
            office.runs().await;
            for _ in 0..3 {
                // What was taken when the run died shows up again by itself.
                office.with(|post| post.taken.clear());
                office.runs().await;
            }
            let mut sent = office.sent();
            let of_a: Vec<_> = sent.iter().filter(|body| body.starts_with("body of a")).cloned().collect();
            assert_eq!(of_a, ["body of a1", "body of a2", "body of a3"], "cut at {cut}, {carried_out}");
            sent.sort();
            assert_eq!(sent, expected, "cut at {cut}, {carried_out}");
            assert_eq!(office.left(), undisturbed.1, "cut at {cut}, {carried_out}");
            assert!(office.with(|post| post.files.contains_key("quarantine/letters/d1.json")));
        }
    }
}

#[tokio::test]
async fn a_look_that_fails_releases_what_it_took() {
    let office = mixed();
    let seen = Mutex::new(0);
    let looked = sweep(
        &office,
        || true,
        async |_| {
            *seen.lock().unwrap() += 1;
            if *seen.lock().unwrap() == 2 {
                return Err(PortError::NotFound { what: "on purpose".into() }.into());
            }
            Ok(Fate::Stays)
        },
    );
    assert!(looked.await.is_err());
    assert_eq!(office.with(|post| (post.taken.len(), post.letters.len())), (0, 9));
}

#[tokio::test]
async fn a_letter_is_corrected_and_sent_from_quarantine_once() {
    for cut in 0..4 {
        let office = Office::of(&[("1", "g", WORN)]);
        office.runs().await;
        let quarantine = office.quarantine();
        let [key] = &quarantine.keys().await.unwrap()[..] else { panic!("one letter") };
        let kept = quarantine.get(key).await.unwrap();
        assert_eq!((kept.why, kept.letter.body.as_str(), kept.queue.as_str()), (Why::TooOften, "body of 1", "letters"));
        quarantine.correct(key, kept, "wrong".into()).await.unwrap();
        let kept = quarantine.get(key).await.unwrap();
        quarantine.correct(key, kept, "right".into()).await.unwrap();
        let kept = quarantine.get(key).await.unwrap();
        assert_eq!(kept.correction.as_ref().unwrap().original, "body of 1", "the first one is kept");
        office.with(|post| post.lost = Some((cut / 2, cut % 2 == 1)));
        if quarantine.replay(key, &kept, &office).await.is_err() && office.with(|post| post.files.contains_key(key)) {
            quarantine.replay(key, &kept, &office).await.unwrap();
        }
        assert_eq!(office.with(|post| post.sent.clone()), [("right".to_owned(), "0".to_owned())], "cut at {cut}");
        assert!(office.with(|post| post.files.is_empty()), "cut at {cut}");
        let read = Letter::read(&kept.letter).travelling(0);
        assert!(read["cosell.history"].contains("unavailable"), "what happened before is told");
    }
}
