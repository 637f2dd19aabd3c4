//! The same random steps in both stores: the same answers, and no note without an entry.

use std::collections::BTreeSet;

use feeway_domain::{Accept, CorrelationId, Hold, Incarnation, ProcessorName, Settlement, Store};
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;

use crate::world::{InMemory, InRedis, World, at, enlist, id, payment, processor, settlement};

const NOON: &str = "2025-07-15T12:00:00Z";
const STEPS: u64 = 3_000;

/// So many steps later the payments are others.
const STEPS_EACH: u64 = 15;
const PAYMENTS: u64 = 5;

#[derive(Clone, Debug)]
enum Step {
    Accept(u64, Option<ProcessorName>),
    Rename(u64, u32, ProcessorName),
    Note(u64, u32),
    Settle(Vec<Settlement>),
    Reject(u64),
    Adopt,
    Leave,
}

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn name(&mut self) -> &'static str {
        ["default", "fallback"][usize::from(self.below(2) == 1)]
    }

    /// One of the payments of this time.
    fn number(&mut self, step: u64) -> u64 {
        step / STEPS_EACH + self.below(PAYMENTS)
    }

    fn step(&mut self, step: u64, moves: impl Fn(u64) -> u32) -> Step {
        let number = self.number(step);
        // Mostly as often as the entry was renamed.
        let guess = match self.below(6) {
            0 => moves(number) + 1,
            1 => moves(number).saturating_sub(1),
            _ => moves(number),
        };
        match self.below(16) {
            0..=3 => {
                let named = (self.below(3) > 0).then(|| processor(self.name()));
                Step::Accept(number, named)
            }
            4..=6 => Step::Rename(number, guess, processor(self.name())),
            7..=10 => Step::Note(number, guess),
            11 | 12 => {
                let (count, name) = (1 + self.below(3), self.name());
                let done = (0..count).map(|_| settlement(self.number(step), name, at(NOON)));
                Step::Settle(done.collect())
            }
            13 => Step::Reject(number),
            14 => Step::Adopt,
            _ => Step::Leave,
        }
    }
}

/// Takes a step under one of two holds; what is answered, without its time.
async fn take(store: &impl Store, hold: &mut Hold, step: &Step) -> String {
    match step {
        Step::Accept(number, named) => {
            let payment = payment(*number);
            let accepted = store.accept(hold, &payment, named.as_ref()).await;
            match accepted {
                Ok(Accept::Kept { .. }) => "kept".to_owned(),
                _ => format!("{accepted:?}"),
            }
        }
        Step::Rename(number, moves, to) => {
            let named = store.rename(hold, id(*number), *moves, to).await;
            format!("{named:?}")
        }
        Step::Note(number, moves) => {
            let noted = store.note_answered(hold, id(*number), *moves).await;
            format!("{noted:?}")
        }
        Step::Settle(done) => {
            let settled = join_all(done.iter().map(|done| store.settle(done))).await;
            format!("{settled:?}")
        }
        Step::Reject(number) => {
            let rejected = store.reject(hold, &payment(*number), "402, 402").await;
            format!("{rejected:?}")
        }
        Step::Adopt => {
            store.resign(hold).await.unwrap();
            let adopted = store
                .adopt(&hold.owner, &Incarnation::new("front-3.c"))
                .await;
            // Sometimes the one before goes on with the hold that it had.
            if let Ok(feeway_domain::Adopt::Adopted(new)) = &adopted
                && new.epoch % 3 > 0
            {
                *hold = new.clone();
            }
            format!("{adopted:?}")
        }
        Step::Leave => {
            let discharged = store.discharge(hold).await;
            *hold = store.enlist(&hold.owner).await.unwrap();
            format!("{discharged:?} {hold:?}")
        }
    }
}

async fn ids(raw: &mut MultiplexedConnection, key: &str) -> BTreeSet<Vec<u8>> {
    let keys = redis::cmd("HKEYS").arg(key).query_async(raw).await;
    keys.unwrap()
}

/// No owner has a note of what is not open.
async fn check_notes(raw: &mut MultiplexedConnection, step: &Step) -> usize {
    let open = ids(raw, "{0}:open").await;
    let mut notes = 0;
    for owner in ["front-1.a", "front-2.b"] {
        let noted = ids(raw, &format!("{{0}}:answered:{owner}")).await;
        assert!(noted.is_subset(&open), "after {step:?}");
        notes += noted.len();
    }
    notes
}

#[tokio::test]
async fn both_stores_answer_random_steps_alike_and_no_note_outlives_its_entry() {
    let (redis, memory) = (InRedis::new(1_000).await, InMemory::new(1_000));
    let mut raw = redis.raw().await;
    let mut holds = Vec::new();
    for owner in ["front-1.a", "front-2.b"] {
        let here = enlist(&redis.store, owner).await;
        holds.push([here, enlist(memory.store(), owner).await]);
    }
    let mut random = Random(88_172_645_463_325_252);
    let mut notes = 0;
    for at in 0..STEPS {
        let moves = |number| {
            memory
                .store()
                .entry(id(number))
                .map_or(0, |entry| entry.moves)
        };
        let step = random.step(at, moves);
        let [here, there] = &mut holds[usize::from(random.below(3) == 0)];
        let answer = take(&redis.store, here, &step).await;
        let expected = take(memory.store(), there, &step).await;
        assert_eq!(answer, expected, "{at}: {step:?}");
        let first = at / STEPS_EACH;
        let all: Vec<CorrelationId> = (first..first + PAYMENTS).map(id).collect();
        for [here, there] in &holds {
            assert_eq!(here, there);
            let noted = redis.store.answered(&here.owner, &all).await;
            assert_eq!(
                noted,
                memory.store().answered(&here.owner, &all).await,
                "{at}: {step:?}"
            );
        }
        notes += check_notes(&mut raw, &step).await;
    }
    assert!(notes > 1_000, "notes took part in {notes} steps only");
    // What is still open ends too, and then there is nothing.
    let open: Vec<CorrelationId> = {
        let open = ids(&mut raw, "{0}:open").await.into_iter();
        let ids = open.map(|id| CorrelationId::from_bytes(id.try_into().unwrap()));
        ids.collect()
    };
    let done = open.into_iter().map(|id| {
        let mut done = settlement(0, "default", at(NOON));
        done.payment.id = id;
        done
    });
    let done: Vec<Settlement> = done.collect();
    let settled = join_all(done.iter().map(|done| redis.store.settle(done))).await;
    assert!(settled.iter().all(Result::is_ok), "{settled:?}");
    let left: Vec<String> = redis::cmd("KEYS")
        .arg("{0}:answered:*")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(left, [""; 0]);
}
