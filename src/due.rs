//! Does what has fallen due, in the order of its time: as time goes by, and when a test moves the
//! clock. Every node does it, because doing it twice is harmless.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::id::OrganizationId;
use events::invoice::Close;
use events::recorded::Position;
use events::time::Time;
use projections::due_list::{Due, What};
use tokio::sync::watch;

use crate::App;
use crate::causes::causes;
use crate::event_log::ReadError;
use crate::failure::Failure;
use crate::packet::made;
use crate::reactions::{self, Trouble};
use crate::{execute, operational, query};

/// As it is called in `/readyz`, among the reactions.
pub(crate) const NAME: &str = "due";

const PAGE: usize = 100;
/// How often it is asked what has fallen due.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// What a lagging read model shows late is found when the list is gone through from its beginning.
const BETWEEN_FULL_LOOKS: Duration = Duration::from_hours(1);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// The read models must show what one thing did before the next is looked for.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("what is due cannot be read")]
    Query(#[from] query::Error),
    #[error("what is due cannot be done")]
    Execute(#[from] execute::Error),
    #[error("a packet that is due cannot be made")]
    Packet(#[from] made::Error),
    #[error("the clock cannot be moved")]
    Operational(#[from] operational::Error),
    #[error("the log cannot be read")]
    Log(#[from] ReadError),
    #[error("the read models do not catch up")]
    Behind,
}

/// Runs until it is told to stop. `trouble` says why it does not come further.
pub(crate) async fn run(
    app: Arc<App>,
    trouble: watch::Sender<Trouble>,
    mut stop: watch::Receiver<bool>,
) {
    let (mut place, mut began, mut pause) = (String::new(), Instant::now(), FIRST_PAUSE);
    loop {
        if began.elapsed() > BETWEEN_FULL_LOOKS {
            (place, began) = (String::new(), Instant::now());
        }
        let wait = match look(&app, &mut place).await {
            Ok(()) => {
                pause = FIRST_PAUSE;
                reactions::tell(&trouble, NAME, None);
                BETWEEN_LOOKS
            }
            Err(error) => {
                reactions::tell(&trouble, NAME, Some(error.to_string()));
                tracing::warn!(error = causes(&error), "what has fallen due is not done yet");
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Does what is due now. What was looked at is not looked at again: whatever comes later is due
/// later. While the list is being built, which `/readyz` tells of the read model, nothing is due yet.
async fn look(app: &App, place: &mut String) -> Result<(), Error> {
    app.clock.look(&app.operational).await?;
    if query::due_list::is_being_built(app).await? {
        return Ok(());
    }
    let now = app.clock.now();
    loop {
        let piece = query::due_list::until(app, now, place, PAGE).await?;
        for due in &piece.due {
            carry_out(app, due).await?;
        }
        match piece.next {
            Some(next) => *place = next,
            None => {
                if let Some(last) = piece.due.last() {
                    *place = query::due_list::place_before(last.at);
                }
                return Ok(());
            }
        }
    }
}

/// Moves the clock on, doing everything that falls due on the way at its own time and in order.
/// Gives the time when all is done.
pub(crate) async fn advance(app: &App, span: Duration) -> Result<Time, Error> {
    app.clock.look(&app.operational).await?;
    let end = app.clock.now().after(span);
    let head = app.log.head().await?;
    if !query::has_reached(app, head, CAUGHT_UP_WITHIN).await {
        return Err(Error::Behind);
    }
    // one at a time: what one thing does may make another fall due
    let mut place = String::new();
    loop {
        let piece = query::due_list::until(app, end, &place, 1).await?;
        let Some(due) = piece.due.first() else { break };
        app.clock.move_to(due.at, &app.operational).await?;
        let position = carry_out(app, due).await?;
        if !query::has_reached(app, position, CAUGHT_UP_WITHIN).await {
            return Err(Error::Behind);
        }
        place = query::due_list::place_of(due);
    }
    app.clock.move_to(end, &app.operational).await?;
    Ok(app.clock.now())
}

async fn carry_out(app: &App, due: &Due) -> Result<Position, Error> {
    match due.what {
        What::InvitationExpires { organization, invitation } => {
            Ok(execute::due::expire_invitation(app, organization, invitation, due.at).await?)
        }
        What::QuarterlyPacket { organization, framework } => {
            let (position, packet) =
                execute::due::request_quarterly_packet(app, organization, framework, due.at)
                    .await?;
            if let Some(packet) = packet.filter(|_| app.signer.is_here()) {
                made::ensure(app, organization, packet).await?;
            }
            Ok(position)
        }
        What::SubscriptionChanges { organization, .. } => {
            Ok(execute::due::change_subscription(app, organization, due.at).await?)
        }
        What::PeriodCloses { organization, month } => {
            close_period(app, organization, month, due.at).await
        }
        What::InvoiceOverdue { organization, invoice } => {
            Ok(execute::invoice::overdue(app, organization, invoice, due.at).await?)
        }
    }
}

/// Closes a month when all is counted that was told until now.
async fn close_period(
    app: &App,
    organization: OrganizationId,
    month: Time,
    at: Time,
) -> Result<Position, Error> {
    let head = app.log.head().await?;
    if !query::has_reached(app, head, CAUGHT_UP_WITHIN).await {
        return Err(Error::Behind);
    }
    let usage = query::billing::pin(app, organization, month).await?;
    Ok(execute::invoice::close(app, organization, &Close { month, at, usage }).await?)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Unavailable(error.into())
    }
}
