//! From tracing's events to lines.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::entry::Entry;
use super::fields::{Fields, Value};
use super::patient::Sink;

/// How an entry becomes a line, newline included.
pub(super) type Render = fn(&Entry) -> String;

/// A span's fields are kept with the span; an event is rendered at once and written as one piece.
pub(super) struct Lines<W> {
    render: Render,
    out: Mutex<Out<W>>,
}

struct Out<W> {
    sink: W,
    /// Lines that had no room
    lost: u64,
}

impl<W: Sink> Lines<W> {
    pub(super) fn new(render: Render, sink: W) -> Self {
        Lines { render, out: Mutex::new(Out { sink, lost: 0 }) }
    }

    /// What was lost before is said first, as soon as there is room.
    fn write(&self, line: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.lost > 0 {
            let said = (self.render)(&lost(out.lost));
            if out.sink.put(said.as_bytes()) {
                out.lost = 0;
            }
        }
        if out.lost > 0 || !out.sink.put(line.as_bytes()) {
            out.lost += 1;
        }
    }
}

fn lost(lines: u64) -> Entry {
    let message = "log lines were lost, since nobody read the log".to_owned();
    let fields = Fields { message, named: vec![("lost", Value::Bare(lines.to_string()))] };
    Entry { time: SystemTime::now(), level: Level::WARN, fields }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Sink + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.complete_from(outer);
            }
        }
        let entry = Entry { time: SystemTime::now(), level: *event.metadata().level(), fields };
        self.write(&(self.render)(&entry));
    }
}
