//! Renders the activity of a dev server as lines, for `snaxum dev` and `snaxum tail`.
//!
//! Decides when a line appears: repeated requests share one, and the line of a reload waits for the
//! results of the pinned requests. Never reads an event or writes to the terminal.

pub(crate) mod color;
pub(crate) mod contract;
pub(crate) mod dedup;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod json;
pub(crate) mod layout;
pub(crate) mod local_time;
pub(crate) mod printed;
pub(crate) mod reload;
pub(crate) mod repeats;
pub(crate) mod request;
pub(crate) mod traceback;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use console::style;
use snaxum::event::PinRound;
use snaxum::message::{LoadOutcome, Reload, RouteInfo, Traceback};

use dedup::Dedup;
use printed::PrintedCauses;
pub(crate) use reload::{PAUSED, pause_line};
use reload::{ReloadLine, ReloadLines};
pub(crate) use request::{RequestView, WEBSOCKET};

/// The limit for the line of a reload to wait for the pinned requests.
const PIN_TIMEOUT: Duration = Duration::from_secs(1);
/// The maximum bytes of lines that wait behind it.
const MAX_BELOW: usize = 64 * 1024;

/// Turns activity into lines; each method returns the text to write.
pub(crate) struct Renderer {
    dedup: Dedup,
    reloads: ReloadLines,
    /// Pinned requests that are failing.
    failing: usize,
    pending: Option<WaitingReload>,
    printed: PrintedCauses,
    /// The paths of the routes by their ids.
    paths: HashMap<String, String>,
    /// Whether to show only failed requests.
    pub(crate) is_quiet: bool,
}

/// A reload whose pinned requests are not finished.
struct WaitingReload {
    reload: ReloadLine,
    generation: u64,
    until: Instant,
    /// The lines after it, which are about the new code.
    below: String,
}

impl Renderer {
    /// Starts without history, but for a load that is on the screen, with the whole tracebacks of its
    /// failures; `shows_phases` adds the phases to each reload.
    pub(crate) fn new(shows_phases: bool, shown: Option<(&Reload, &[&Traceback])>) -> Self {
        let (dedup, mut reloads) = (Dedup::default(), ReloadLines::new(shows_phases));
        let (mut printed, paths) = (PrintedCauses::default(), HashMap::new());
        if let Some((load, tracebacks)) = shown {
            reloads.store_causes(load);
            for raised in tracebacks {
                printed.add(raised);
            }
        }
        Self { dedup, reloads, failing: 0, pending: None, printed, paths, is_quiet: false }
    }

    /// Sets the routes that the next reload is compared with.
    pub(crate) fn set_routes(&mut self, routes: &[RouteInfo]) {
        self.reloads.set_routes(routes);
        self.paths = routes.iter().map(|route| (route.id.clone(), route.path.clone())).collect();
    }

    /// Adds a request, or several that share a line.
    pub(crate) fn push_request(&mut self, mut request: RequestView, now: Instant) -> String {
        if request.is_browser_probe() {
            return String::new();
        }
        // The server names the route by its id, the event stream by its path.
        if let Some(path) = request.route.as_ref().and_then(|route| self.paths.get(route)) {
            request.route = Some(path.clone());
        }
        // The whole traceback is once on the screen; two lines name it afterwards.
        request.traceback = request.traceback.take().filter(|raised| self.printed.add(raised));
        let shown = self.dedup.add(request, now);
        self.push_requests(&shown)
    }

    /// Adds a reload, with the full `tracebacks` where no key can show them.
    pub(crate) fn push_reload(
        &mut self,
        reload: &Reload,
        tracebacks: &[&Traceback],
        now: Instant,
    ) -> String {
        // Requests of the old code are above the reload.
        let above = self.flush();
        let line = self.reloads.draw(reload, tracebacks, &local_time::local(reload.time_ms));
        if reload.outcome == LoadOutcome::Ok {
            self.printed.clear();
        }
        for raised in tracebacks {
            self.printed.add(raised);
        }
        if reload.outcome != LoadOutcome::Ok || self.failing == 0 {
            return above + &line.with(String::new());
        }
        let (generation, until) = (reload.generation, now + PIN_TIMEOUT);
        let pending = WaitingReload { reload: line, generation, until, below: String::new() };
        self.pending = Some(pending);
        above
    }

    /// Updates the pinned requests, of which `failing` fail.
    pub(crate) fn push_pins(&mut self, failing: usize, round: Option<PinRound>) -> String {
        self.failing = failing;
        let Some(round) = round else { return String::new() };
        let is_same = |pending: &WaitingReload| {
            round.generation.is_none_or(|number| number == pending.generation)
        };
        match self.pending.take_if(|pending| is_same(pending)) {
            Some(pending) => pending.reload.with(outcome(&round)) + &pending.below,
            None => self.push(&format!("  ⚑ {}\n", outcome(&round))),
        }
    }

    /// Renders the `last` past requests and reloads, oldest first.
    pub(crate) fn history(
        &mut self,
        requests: &[RequestView],
        reloads: &[Reload],
        last: usize,
    ) -> String {
        let mut all: Vec<(u64, String)> = Vec::new();
        for reload in reloads {
            let line = self.reloads.draw(reload, &[], &local_time::local(reload.time_ms));
            all.push((reload.time_ms, line.with(String::new())));
        }
        let shown = requests.iter().filter(|request| !request.is_browser_probe());
        all.extend(shown.map(|request| (request.time_ms, draw(request))));
        all.sort_by_key(|(time, _)| *time);
        let start = all.len().saturating_sub(last);
        all.drain(start..).map(|(_, lines)| lines).collect()
    }

    /// Returns the lines whose wait is over.
    pub(crate) fn due(&mut self, now: Instant) -> String {
        let due = self.dedup.due(now);
        let text = self.push_requests(&due);
        let is_over = self.pending.as_ref().is_some_and(|pending| pending.until <= now);
        if is_over { text + &self.release() } else { text }
    }

    /// Returns the time when a line is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let pending = self.pending.as_ref().map(|pending| pending.until);
        [self.dedup.next_deadline(), pending].into_iter().flatten().min()
    }

    /// Returns all waiting lines.
    pub(crate) fn flush(&mut self) -> String {
        let repeats = self.dedup.take();
        self.push_requests(&repeats) + &self.release()
    }

    fn push_requests(&mut self, shown: &[RequestView]) -> String {
        let is_shown = |request: &&RequestView| !self.is_quiet || request.is_failure();
        let text: String = shown.iter().filter(is_shown).map(draw).collect();
        self.push(&text)
    }

    /// Adds text, below a pending reload.
    pub(crate) fn push(&mut self, text: &str) -> String {
        match &mut self.pending {
            Some(pending) if pending.below.len() + text.len() <= MAX_BELOW => {
                pending.below += text;
                String::new()
            }
            _ => self.release() + text,
        }
    }

    fn release(&mut self) -> String {
        let text = |pending: WaitingReload| pending.reload.with(String::new()) + &pending.below;
        self.pending.take().map_or(String::new(), text)
    }
}

fn draw(request: &RequestView) -> String {
    request.draw(&local_time::local(request.time_ms))
}

/// `2 pinned requests: 1 passing, 1 still failing`.
fn outcome(round: &PinRound) -> String {
    let (passing, failing) = (round.passing, round.failing);
    let requests = if passing + failing == 1 { "request" } else { "requests" };
    let mut words = Vec::new();
    if passing > 0 {
        words.push(style(format!("{passing} passing")).green().to_string());
    }
    if failing > 0 {
        words.push(style(format!("{failing} still failing")).red().to_string());
    }
    format!("{} pinned {requests}: {}", passing + failing, words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::request::tests::request;
    use super::*;
    use serde_json::json;

    fn reload(generation: u64) -> Reload {
        reload::tests::reload(0, &["python/app.py"], reload::tests::ok(generation, &json!({})))
    }

    fn passing(generation: u64) -> Option<PinRound> {
        Some(PinRound { generation: Some(generation), passing: 1, failing: 0 })
    }

    /// Removes the time of day from each line.
    fn without_time(text: &str) -> Vec<&str> {
        text.lines().map(|line| line.split_once("  ").map_or(line, |(_, rest)| rest)).collect()
    }

    #[test]
    fn the_results_of_pins_end_the_line_of_the_reload_and_replays_follow_it() {
        let (mut renderer, now) = (Renderer::new(false, None), Instant::now());
        assert_eq!(renderer.push_pins(1, None), "");
        assert_eq!(renderer.push_reload(&reload(9), &[], now), "");
        assert_eq!(renderer.push_request(request("/boom", 200), now), "");
        assert_eq!(renderer.next_deadline(), Some(now + PIN_TIMEOUT));
        let text = renderer.push_pins(0, passing(9));
        let (first, second) = (without_time(&text)[0], without_time(&text)[1]);
        assert_eq!(first, "↻ v9  38.0 ms   python/app.py           1 pinned request: 1 passing");
        assert!(second.starts_with("GET    /boom"), "{text}");
        assert_eq!(renderer.next_deadline(), None);
        assert_eq!(
            without_time(&renderer.push_reload(&reload(10), &[], now)),
            ["↻ v10  38.0 ms   python/app.py"]
        );
    }

    #[test]
    fn slow_pins_have_a_line_of_their_own() {
        let (mut renderer, now) = (Renderer::new(false, None), Instant::now());
        renderer.push_pins(1, None);
        renderer.push_reload(&reload(9), &[], now);
        assert_eq!(renderer.due(now), "");
        assert_eq!(
            without_time(&renderer.due(now + PIN_TIMEOUT)),
            ["↻ v9  38.0 ms   python/app.py"]
        );
        assert_eq!(renderer.push_pins(0, passing(9)), "  ⚑ 1 pinned request: 1 passing\n");
    }

    #[test]
    fn a_result_of_older_code_does_not_count_for_the_newest_reload() {
        let (mut renderer, now) = (Renderer::new(false, None), Instant::now());
        renderer.push_pins(2, None);
        renderer.push_reload(&reload(9), &[], now);
        assert_eq!(
            without_time(&renderer.push_reload(&reload(10), &[], now)),
            ["↻ v9  38.0 ms   python/app.py"]
        );
        assert_eq!(renderer.push_pins(1, passing(9)), "");
        let text = renderer.push_pins(0, passing(10));
        let expected = [
            "↻ v10  38.0 ms   python/app.py           1 pinned request: 1 passing",
            "⚑ 1 pinned request: 1 passing",
        ];
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.contains(expected[0]) && text.ends_with(&format!("{}\n", expected[1])),
            "{text}"
        );
    }

    #[test]
    fn the_lines_behind_a_pending_reload_are_bounded() {
        let (mut renderer, now) = (Renderer::new(false, None), Instant::now());
        renderer.push_pins(1, None);
        renderer.push_reload(&reload(9), &[], now);
        let mut text = String::new();
        let mut count = 0;
        while text.is_empty() {
            count += 1;
            text = renderer.push_request(request(&format!("/{count}"), 200), now);
        }
        assert_eq!(text.lines().count(), count + 1);
        assert!((MAX_BELOW..2 * MAX_BELOW).contains(&text.len()));
    }
}
