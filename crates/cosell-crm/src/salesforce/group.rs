//! What is asked at the same moment travels together: many ask for one each, one request carries them all.
//!
//! No task runs by itself: those who wait move their group along together, so that it goes on while anybody is left and
//! ends with the last of them, as a single request would. A process that is frozen between two events has nothing in
//! the air.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{self, BoxFuture, Either, OptionFuture, Shared, WeakShared},
};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

/// How long a group waits for one more. Those who were let go together ask within a millisecond or two of each other, and
/// next to a request, which takes a hundred or more, nobody notices.
const MOMENT: Duration = Duration::from_millis(5);
/// How long it waits at most while one after the other comes.
const LONGEST: Duration = Duration::from_millis(300);

/// Somebody who waits for an answer.
pub(super) struct Asked<A, T> {
    pub(super) ask: A,
    told: oneshot::Sender<T>,
}

impl<A, T> Asked<A, T> {
    pub(super) fn answer(self, answer: T) {
        // Who has left needs no answer.
        let _ = self.told.send(answer);
    }
}

type Journey = BoxFuture<'static, ()>;
type Travel<K, A, T> = dyn Fn(K, Vec<Asked<A, T>>) -> Journey + Send + Sync;

/// The latest group of a kind.
struct Latest<A, T> {
    /// Who has not left yet; empty once the group is on its way.
    waiting: Vec<Asked<A, T>>,
    joined: Arc<Notify>,
    journey: Option<WeakShared<Journey>>,
}

type Kinds<K, A, T> = Mutex<HashMap<K, Latest<A, T>>>;

/// Gathers asks by their kind and lets each group travel.
///
/// A kind's groups leave one after the other: who comes while one is on its way leaves with the next, in the order in
/// which they asked.
pub(super) struct Group<K, A, T> {
    full: usize,
    travel: Arc<Travel<K, A, T>>,
    // Kinds come from the set-up, so there are few.
    kinds: Arc<Kinds<K, A, T>>,
}

impl<K, A, T> Group<K, A, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    /// A group that waits for nobody any more once it has `full` members. `travel` answers all of them; there may be
    /// more.
    pub(super) fn new(full: usize, travel: impl Fn(K, Vec<Asked<A, T>>) -> Journey + Send + Sync + 'static) -> Self {
        Self { full, travel: Arc::new(travel), kinds: Arc::default() }
    }

    /// Asks together with others. None when the journey broke off.
    pub(super) async fn ask(&self, kind: K, ask: A) -> Option<T> {
        let (told, answer) = oneshot::channel();
        let journey = self.join(kind, Asked { ask, told });
        match future::select(answer, journey).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(((), mut answer)) => answer.try_recv().ok(),
        }
    }

    fn join(&self, kind: K, asked: Asked<A, T>) -> Shared<Journey> {
        let mut kinds = locked(&self.kinds);
        let latest = kinds.entry(kind.clone()).or_insert_with(|| Latest {
            waiting: Vec::new(),
            joined: Arc::default(),
            journey: None,
        });
        let alive = latest.journey.as_ref().and_then(WeakShared::upgrade);
        match alive {
            Some(journey) if !latest.waiting.is_empty() => {
                latest.waiting.push(asked);
                latest.joined.notify_one();
                journey
            }
            // Those who still wait without a journey have all left.
            previous => {
                latest.waiting = vec![asked];
                latest.joined = Arc::default();
                let journey = self.journey(kind, previous, Arc::clone(&latest.joined)).shared();
                latest.journey = journey.downgrade();
                journey
            }
        }
    }

    fn journey(&self, kind: K, previous: Option<Shared<Journey>>, joined: Arc<Notify>) -> Journey {
        let (kinds, travel, full) = (Arc::clone(&self.kinds), Arc::clone(&self.travel), self.full);
        let journey = async move {
            let is_full = || locked(&kinds).get(&kind).is_some_and(|latest| latest.waiting.len() >= full);
            let gathered =
                timeout(LONGEST, async { while timeout(MOMENT, joined.notified()).await.is_ok() && !is_full() {} });
            future::join(OptionFuture::from(previous), gathered.map(drop)).await;
            let mut asked =
                locked(&kinds).get_mut(&kind).map(|latest| mem::take(&mut latest.waiting)).unwrap_or_default();
            asked.retain(|asked| !asked.told.is_closed());
            if !asked.is_empty() {
                travel(kind, asked).await;
            }
        };
        // Whoever moves the journey along when it panics would leave the others waiting: like this, nobody has an answer.
        AssertUnwindSafe(journey).catch_unwind().map(drop).boxed()
    }
}

fn locked<K, A, T>(kinds: &Kinds<K, A, T>) -> MutexGuard<'_, HashMap<K, Latest<A, T>>> {
    kinds.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts each into the first list that it fits into, and opens another list for who fits into none.
pub(super) fn cut<T>(all: Vec<T>, fits: impl Fn(&[T], &T) -> bool) -> Vec<Vec<T>> {
    let mut lists: Vec<Vec<T>> = Vec::new();
    for one in all {
        match lists.iter_mut().find(|list| fits(list, &one)) {
            Some(list) => list.push(one),
            None => lists.push(vec![one]),
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_a_journey_that_broke_off() {
        let group: Group<&str, u8, u8> = Group::new(10, |kind, asked| {
            async move {
                for asked in asked {
                    if kind == "doomed" && asked.ask == 2 {
                        panic::resume_unwind(Box::new("on purpose"));
                    }
                    let answer = asked.ask + 1;
                    asked.answer(answer);
                }
            }
            .boxed()
        });
        assert_eq!(future::join_all((1..4).map(|n| group.ask("doomed", n))).await, [Some(2), None, None]);
        assert_eq!(future::join_all((1..4).map(|n| group.ask("lucky", n))).await, [Some(2), Some(3), Some(4)]);
        assert_eq!(group.ask("doomed", 1).await, Some(2));
    }

    #[test]
    fn lists_are_cut_in_order() {
        let lists = cut(vec![1, 2, 1, 3, 1, 2, 4], |list, one| list.len() < 3 && !list.contains(one));
        assert_eq!(lists, [vec![1, 2, 3], vec![1, 2, 4], vec![1]]);
    }
}
