//! From what was decided to finished lines, whichever store they go to: versions and links follow
//! from the fold, ids and salts from the command.

use events::Event;
use events::State;
use events::chain::Link;
use events::personal::Personal;
use events::recorded::{Cause, Position, Recorded};
use events::stream::Stream;
use events::time::Time;
use events::wire::{Draft, encode, encode_sealed};

use super::{Client, Error, Order};
use crate::App;
use crate::event_log::{Expected, NewEvent};
use crate::fold::Folded;

/// Where a stream stands, for the lines that come next.
pub(super) struct Next {
    pub(super) expected: Expected,
    prev: Link,
    at: Time,
}

impl Next {
    pub(super) fn at(expected: Expected, prev: Link, at: Time) -> Self {
        Self { expected, prev, at }
    }

    pub(super) fn after<S: State>(folded: &Folded<S>) -> Self {
        Self { expected: folded.expected(), prev: folded.prev, at: folded.at }
    }
}

/// The same events twice: as the log takes them, and as reading them back would give them, except
/// for the position, which the log gives out.
pub(super) struct Lines {
    pub(super) events: Vec<NewEvent>,
    pub(super) recorded: Vec<Recorded>,
}

/// What was decided with every personal value open, and without what would change nothing.
pub(super) async fn open(app: &App, mut facts: Vec<Event>) -> Result<Vec<Event>, Error> {
    for event in &mut facts {
        reveal(app, event).await?;
    }
    facts.retain_mut(Event::keep_changes);
    Ok(facts)
}

/// The finished lines of a decision, whose personal values are open.
pub(super) async fn finish(
    app: &App,
    stream: Stream,
    order: &Order,
    facts: Vec<Event>,
    next: Next,
) -> Result<Lines, Error> {
    let keyring = &app.keyring;
    let cause = Cause {
        body: order.body,
        command: order.command,
        request: order.request,
        token: order.token,
    };
    // a stream's time never goes back, whatever the clocks of its writers say
    let at = order.at.unwrap_or_else(|| app.clock.now()).max(next.at);
    let mut prev = next.prev;
    let mut lines = Lines {
        events: Vec::with_capacity(facts.len()),
        recorded: Vec::with_capacity(facts.len()),
    };
    for (index, event) in facts.into_iter().enumerate() {
        let id = keyring.event_id(order.command, &stream, index);
        let client = order.client.as_ref();
        let of_client = |value: fn(&Client) -> Option<&String>| {
            client.and_then(|client| {
                value(client).map(|text| Personal::known(client.subject, text.as_str()))
            })
        };
        let mut draft = Draft {
            stream: &stream,
            version: next.expected.next() + index as u64,
            id,
            at,
            actor: &order.actor,
            cause: &cause,
            ip_address: of_client(|client| client.ip_address.as_ref()).unwrap_or_default(),
            user_agent: of_client(|client| client.user_agent.as_ref()).unwrap_or_default(),
            event,
            prev,
        };
        let encoded = encode(&mut draft, |field| keyring.salt(id, field))?;
        prev = Link::of_line(&encoded.line);
        let fields = keyring.seal(id, &encoded.disclosures).await?;
        let sealed = encode_sealed(&fields);
        let recorded = draft.recorded(Position::default(), prev, &fields);
        debug_assert_eq!(
            events::wire::decode(Position::default(), &encoded.line, &sealed).ok().as_ref(),
            Some(&recorded),
            "what was written is what will be read"
        );
        lines.events.push(NewEvent { id, kind: encoded.kind, line: encoded.line, sealed });
        lines.recorded.push(recorded);
    }
    Ok(lines)
}

/// Opens personal values that a decision took over from earlier events, such as the old value of a
/// change: they are sealed anew with the new event.
async fn reveal(app: &App, event: &mut Event) -> Result<(), Error> {
    let mut sealed = Vec::new();
    event.personal(&mut |field, value| {
        if value.sealed().is_some() {
            sealed.push((field, value.clone()));
        }
    });
    for (field, mut value) in sealed {
        app.keyring.reveal(&mut value).await?;
        event.personal(&mut |name, place| {
            if name == field {
                *place = value.clone();
            }
        });
    }
    Ok(())
}
