//! From tracing's events to lines.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::entry::Entry;
use super::fields::Fields;

/// How an entry becomes a line, newline included.
pub(super) type Render = fn(&Entry) -> String;

/// A span's fields are kept with the span; an event is rendered at once and written as one piece.
pub(super) struct Lines<W> {
    render: Render,
    out: Mutex<W>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(render: Render, out: W) -> Self {
        Lines { render, out: Mutex::new(out) }
    }

    fn write(&self, line: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // There is nowhere to report that the log cannot be written.
        let _ = out.write_all(line.as_bytes());
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + Send + 'static,
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
