use std::time::Duration;

use feeway_domain::{
    CorrelationId, Doubt, GetAnswer, Payment, PostAnswer, ProcessorClient, RequestedAt,
};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::gate::Gate;
use crate::scripted_processor::{ATTEMPT_TIMEOUT, Life, Mood, ScriptedProcessor};

/// How long a look-up may take, as in the product.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// One front's line to a processor.
pub(crate) struct Line {
    pub(crate) processor: ScriptedProcessor,
    pub(crate) life: Life,
    pub(crate) gate: Gate,
}

impl ProcessorClient for Line {
    async fn misdelivered(&self) -> Vec<CorrelationId> {
        self.processor.misdelivered().await
    }

    async fn post(&self, payment: &Payment, requested_at: RequestedAt) -> PostAnswer {
        self.gate.pass().await;
        let _client = self.processor.client(self.life);
        self.processor.note_post(payment.id, self.life);
        let (answer, answered) = oneshot::channel();
        // A task of the processor's own: it goes on when the front is gone.
        tokio::spawn(self.processor.clone().take(*payment, requested_at, answer));
        let answer = match timeout(ATTEMPT_TIMEOUT, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_hung_up)) => PostAnswer::Lost(Doubt::Reset),
            Err(_elapsed) => PostAnswer::Lost(Doubt::TimedOut),
        };
        self.gate.pass().await;
        answer
    }

    async fn get(&self, id: CorrelationId) -> GetAnswer {
        self.gate.pass().await;
        let (mood, first, second) = self.processor.meet();
        sleep(Duration::from_micros(300 + first)).await;
        let answer = match mood {
            Mood::Refusing | Mood::Gone => GetAnswer::Unreachable,
            Mood::Limiting(_) | Mood::DeadProxy => GetAnswer::Unclear,
            Mood::Hanging => {
                sleep(LOOK_UP_TIMEOUT).await;
                GetAnswer::Unclear
            }
            Mood::BadGateway | Mood::ResetBeforeInsert | Mood::ResetAfterInsert if second < 500 => {
                GetAnswer::Unclear
            }
            Mood::Ambiguous if second < 200 => GetAnswer::Pending,
            Mood::Fine
            | Mood::Slow(_)
            | Mood::Failing
            | Mood::Declining
            | Mood::Locked
            | Mood::BadGateway
            | Mood::Ambiguous
            | Mood::ResetBeforeInsert
            | Mood::ResetAfterInsert
            | Mood::HangAfterInsert
            | Mood::InsertLate
            | Mood::ErrorAfterInsert => {
                let found = self.processor.finds(id);
                found.map_or(GetAnswer::Absent, |(amount, requested_at)| {
                    GetAnswer::Held {
                        amount,
                        requested_at,
                    }
                })
            }
        };
        self.gate.pass().await;
        answer
    }
}
