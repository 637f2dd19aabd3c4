use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{CorrelationId, Money, Payment};
use feeway_worker::{NotKept, Submit};
use tokio::time::{sleep, timeout};

use crate::schedule::Order;
use crate::world::World;

/// How long a load balancer waits for a front before it asks the other.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A client's patience: it tries this often, on the two fronts in turn.
const TRIES: usize = 300;

/// What the shop was told of each payment that it posted.
#[derive(Clone, Default)]
pub(crate) struct Shop(Arc<Mutex<BTreeMap<CorrelationId, Told>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) payment: Payment,
    pub(crate) kept: bool,
}

/// Another payment for each number.
pub(crate) fn payment(number: u32) -> Payment {
    let mut bytes = [9; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Payment {
        id: CorrelationId::from_bytes(bytes),
        amount: Money::from_cents(1990).unwrap(),
    }
}

impl Shop {
    pub(crate) fn told(&self) -> Vec<Told> {
        self.0.lock().unwrap().values().copied().collect()
    }

    /// Posts an order as a client does that tries again on 503 and on broken connections.
    pub(crate) async fn post(self, world: Arc<World>, order: Order) {
        let payment = order.payment;
        self.0.lock().unwrap().insert(
            payment.id,
            Told {
                payment,
                kept: false,
            },
        );
        if let Some(soon) = order.hangs_up {
            // Hangs up and never asks again; the payment may or may not be kept.
            if let Some(gateway) = world.gateway(order.front) {
                timeout(soon, gateway.submit(payment))
                    .await
                    .map(drop)
                    .unwrap_or_default();
            }
            return;
        }
        if order.twin {
            let (this, that) = tokio::join!(
                biased;
                self.insist(&world, payment, order.front),
                self.insist(&world, payment, 1 - order.front)
            );
            assert!(this || that, "a client gave up on {payment:?}");
        } else {
            assert!(
                self.insist(&world, payment, order.front).await,
                "gave up on {payment:?}"
            );
        }
        if let Some(again) = order.again {
            sleep(again).await;
            assert!(
                self.insist(&world, payment, 1 - order.front).await,
                "gave up on {payment:?} again"
            );
        }
    }

    async fn insist(&self, world: &World, payment: Payment, first: usize) -> bool {
        for attempt in 0..TRIES {
            if let Some(gateway) = world.gateway((first + attempt) % 2) {
                match timeout(RESPONSE_TIMEOUT, gateway.submit(payment)).await {
                    // A repeat hears of the end that the payment came to.
                    Ok(Submit::Kept | Submit::Rejected(_)) => {
                        self.0.lock().unwrap().insert(
                            payment.id,
                            Told {
                                payment,
                                kept: true,
                            },
                        );
                        return true;
                    }
                    Ok(Submit::AmountDiffers) => panic!("one amount only was ever posted"),
                    Ok(Submit::NotKept(
                        NotKept::StoreAway
                        | NotKept::StoreClosed
                        | NotKept::StandsStill(_)
                        | NotKept::JournalFull
                        | NotKept::MemoryFull
                        | NotKept::Busy,
                    )) => {}
                    Ok(Submit::Unknown) | Err(_) => {}
                }
            }
            sleep(Duration::from_secs(1)).await;
        }
        false
    }
}
