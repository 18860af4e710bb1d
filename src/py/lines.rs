//! Access lines for the road through Python's `logging`: whether there is one, and its named values.
//! The rules are those of the native road.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::start_response::octets;
use crate::log::{Choice, Named, Style, Text, Traceparent};

/// Which requests get an access line.
#[pyclass(frozen, module = "rgunicorn._core")]
pub(crate) struct AccessChoice {
    choice: Arc<Choice>,
}

#[pymethods]
impl AccessChoice {
    /// `when`, `skip`: `access_log_when` and `access_log_skip` as their validators leave them.
    /// ValueError for what they would not.
    #[new]
    fn new(when: &str, skip: Vec<String>) -> PyResult<Self> {
        let choice = Choice::parse(when, &skip)
            .map_err(|part| PyValueError::new_err(format!("access_log_when: {part:?}")))?;
        Ok(Self { choice: Arc::new(choice) })
    }

    /// Whether a request is to have a line; counts it if there is a sample. `status`: of the
    /// response; `micros`: its time in microseconds; `target`: as it came.
    fn wants(&self, status: u16, micros: u64, target: &Bound<'_, PyString>) -> bool {
        // What is no Latin-1 is the application's own.
        let target = octets(target).unwrap_or_else(|_| target.to_string_lossy().as_bytes().into());
        self.choice.wants(status, micros, &target)
    }
}

/// The choice of `log`, which counts for all roads of a worker; one of our own for a logger that is
/// not derived from ours.
pub(super) fn choice_of(log: &Bound<'_, PyAny>, cfg: &Bound<'_, PyAny>) -> PyResult<Arc<Choice>> {
    if let Some(choice) = log.getattr_opt("access_choice")? {
        if let Ok(choice) = choice.cast_into::<AccessChoice>() {
            return Ok(choice.get().choice.clone());
        }
    }
    let when: String = cfg.getattr("access_log_when")?.extract()?;
    let skip: Vec<String> = cfg.getattr("access_log_skip")?.extract()?;
    Ok(AccessChoice::new(&when, skip)?.choice)
}

/// One line of named values, without its end. `style`: `json` or `logfmt`. `facts`: ints `time_ns`
/// (since the epoch), `pid`, `duration_us` and, each of them None if there is none, `status`,
/// `bytes`, `queue_us`, `slot`; the others `str` or None. ValueError for another style, KeyError for
/// a fact that is missing.
#[pyfunction]
pub(crate) fn access_line(style: &str, facts: &Bound<'_, PyDict>) -> PyResult<String> {
    let style =
        Style::of(style).ok_or_else(|| PyValueError::new_err(format!("no style: {style}")))?;
    let given = |name: &str| facts.as_any().get_item(name);
    // Not Latin-1 is what the application has put there, or the user of `Authorization`.
    let text = |name: &str| -> PyResult<Option<String>> {
        let given: Option<Bound<'_, PyString>> = given(name)?.extract()?;
        Ok(given.map(|text| text.to_string_lossy().into_owned()))
    };
    let texts = [
        text("remote_addr")?,
        text("user")?,
        text("method")?,
        text("target")?,
        text("query")?,
        text("protocol")?,
        text("referer")?,
        text("user_agent")?,
        text("request_id")?,
        text("traceparent")?,
    ];
    let [
        remote_addr,
        user,
        method,
        target,
        query,
        protocol,
        referer,
        user_agent,
        request_id,
        traceparent,
    ] = texts.each_ref().map(|text| text.as_deref().map_or(Text::Absent, Text::Utf8));
    let named = Named {
        at: Duration::from_nanos(given("time_ns")?.extract()?),
        remote_addr,
        user,
        method,
        target,
        query,
        protocol,
        status: given("status")?.extract()?,
        body_bytes: given("bytes")?.extract()?,
        duration_us: given("duration_us")?.extract()?,
        queue_us: given("queue_us")?.extract()?,
        referer,
        user_agent,
        request_id,
        traceparent,
        pid: given("pid")?.extract()?,
        slot: given("slot")?.extract()?,
    };
    let mut line = Vec::with_capacity(512);
    named.render(style, &mut line);
    Ok(String::from_utf8(line)?)
}

/// The part of a `traceparent` that this version of the specification knows; None if it is invalid.
#[pyfunction]
pub(crate) fn traceparent(value: &str) -> Option<String> {
    let parent = Traceparent::parse(value.as_bytes())?;
    String::from_utf8(parent.whole().to_vec()).ok()
}
