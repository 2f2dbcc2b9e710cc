//! What happens in a dev server as lines for people, as `snaxum dev` says it and `snaxum tail` shows it.
//!
//! Owns what is said when: repeats share a line, and the line of a reload waits a moment for what
//! comes of the pinned requests. Reads no event and writes nothing.

pub(crate) mod color;
pub(crate) mod dedup;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod local_time;
pub(crate) mod reload;
pub(crate) mod request;
pub(crate) mod traceback;

use std::time::{Duration, Instant};

use console::style;
use snaxum::event::PinRound;
use snaxum::message::{LoadOutcome, Reload, RouteInfo, Traceback};

use dedup::Folds;
pub(crate) use reload::pause;
use reload::{Drawn, Reloads};
pub(crate) use request::Request;

/// How long a reload's line waits for the pinned requests.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of lines that wait behind it.
const MAX_BELOW: usize = 64 * 1024;

/// What the next line depends on.
pub(crate) struct Lines {
    folds: Folds,
    reloads: Reloads,
    /// Pinned requests that fail so far.
    failing: usize,
    held: Option<Held>,
    /// Whether requests that have not failed are left out.
    pub(crate) is_quiet: bool,
}

/// A reload whose pinned requests have not been answered.
struct Held {
    reload: Drawn,
    generation: u64,
    until: Instant,
    /// What was said since: it was answered by the new code.
    below: String,
}

impl Lines {
    /// Begins; `explains` lets reloads tell their phases.
    pub(crate) fn new(explains: bool) -> Self {
        let (folds, reloads) = (Folds::default(), Reloads::new(explains));
        Self { folds, reloads, failing: 0, held: None, is_quiet: false }
    }

    /// These routes serve now.
    pub(crate) fn serve(&mut self, routes: &[RouteInfo]) {
        self.reloads.serve(routes);
    }

    /// What to say of a request.
    pub(crate) fn request(&mut self, request: Request, now: Instant) -> String {
        if request.is_unasked() {
            return String::new();
        }
        let shown = self.folds.add(request, now);
        self.say_requests(&shown)
    }

    /// What to say of a reload; the tracebacks in `whole` are drawn where nobody can ask for them.
    pub(crate) fn reload(&mut self, reload: &Reload, whole: &[&Traceback], now: Instant) -> String {
        // What the old code answered stands above.
        let above = self.rest();
        let drawn = self.reloads.draw(reload, whole, &local_time::local(reload.time_ms));
        if reload.outcome != LoadOutcome::Ok || self.failing == 0 {
            return above + &drawn.with(String::new());
        }
        let (generation, until) = (reload.generation, now + PATIENCE);
        self.held = Some(Held { reload: drawn, generation, until, below: String::new() });
        above
    }

    /// What to say of the pinned requests, of which `failing` fail.
    pub(crate) fn pins(&mut self, failing: usize, round: Option<PinRound>) -> String {
        self.failing = failing;
        let Some(round) = round else { return String::new() };
        let is_its = |held: &Held| round.generation.is_none_or(|number| number == held.generation);
        match self.held.take_if(|held| is_its(held)) {
            Some(held) => held.reload.with(outcome(&round)) + &held.below,
            None => self.say(&format!("  ⚑ {}\n", outcome(&round))),
        }
    }

    /// What to say of what is long past, oldest first: the last lines, without what was at once.
    pub(crate) fn past(&mut self, requests: &[Request], reloads: &[Reload], last: usize) -> String {
        let mut all: Vec<(u64, String)> = Vec::new();
        for reload in reloads {
            let drawn = self.reloads.draw(reload, &[], &local_time::local(reload.time_ms));
            all.push((reload.time_ms, drawn.with(String::new())));
        }
        let shown = requests.iter().filter(|request| !request.is_unasked());
        all.extend(shown.map(|request| (request.time_ms, draw(request))));
        all.sort_by_key(|(time, _)| *time);
        let start = all.len().saturating_sub(last);
        all.drain(start..).map(|(_, lines)| lines).collect()
    }

    /// What has waited for long enough.
    pub(crate) fn due(&mut self, now: Instant) -> String {
        let due = self.folds.due(now);
        let said = self.say_requests(&due);
        let is_over = self.held.as_ref().is_some_and(|held| held.until <= now);
        if is_over { said + &self.release() } else { said }
    }

    /// When something will have.
    pub(crate) fn next(&self) -> Option<Instant> {
        let held = self.held.as_ref().map(|held| held.until);
        [self.folds.next(), held].into_iter().flatten().min()
    }

    /// All that waits.
    pub(crate) fn rest(&mut self) -> String {
        let kept = self.folds.take();
        self.say_requests(&kept) + &self.release()
    }

    fn say_requests(&mut self, shown: &[Request]) -> String {
        let is_shown = |request: &&Request| !self.is_quiet || request.status >= 500;
        let text: String = shown.iter().filter(is_shown).map(draw).collect();
        self.say(&text)
    }

    /// Says it below the reload that waits, if one does.
    pub(crate) fn say(&mut self, text: &str) -> String {
        match &mut self.held {
            Some(held) if held.below.len() + text.len() <= MAX_BELOW => {
                held.below += text;
                String::new()
            }
            _ => self.release() + text,
        }
    }

    fn release(&mut self) -> String {
        self.held.take().map_or(String::new(), |held| held.reload.with(String::new()) + &held.below)
    }
}

fn draw(request: &Request) -> String {
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

    /// The lines without the time of day.
    fn of(said: &str) -> Vec<&str> {
        said.lines().map(|line| line.split_once("  ").map_or(line, |(_, rest)| rest)).collect()
    }

    #[test]
    fn what_came_of_the_pins_stands_in_the_line_and_their_replays_below() {
        let (mut lines, now) = (Lines::new(false), Instant::now());
        assert_eq!(lines.pins(1, None), "");
        assert_eq!(lines.reload(&reload(9), &[], now), "");
        assert_eq!(lines.request(request("/boom", 200), now), "");
        assert_eq!(lines.next(), Some(now + PATIENCE));
        let said = lines.pins(0, passing(9));
        let (first, second) = (of(&said)[0], of(&said)[1]);
        assert_eq!(first, "↻ G9  38.0 ms   python/app.py           1 pinned request: 1 passing");
        assert!(second.starts_with("GET    /boom"), "{said}");
        assert_eq!(lines.next(), None);
        assert_eq!(of(&lines.reload(&reload(10), &[], now)), ["↻ G10  38.0 ms   python/app.py"]);
    }

    #[test]
    fn pins_that_take_long_have_a_line_of_their_own() {
        let (mut lines, now) = (Lines::new(false), Instant::now());
        lines.pins(1, None);
        lines.reload(&reload(9), &[], now);
        assert_eq!(lines.due(now), "");
        assert_eq!(of(&lines.due(now + PATIENCE)), ["↻ G9  38.0 ms   python/app.py"]);
        assert_eq!(lines.pins(0, passing(9)), "  ⚑ 1 pinned request: 1 passing\n");
    }

    #[test]
    fn an_answer_of_older_code_is_none_of_the_newest_reload() {
        let (mut lines, now) = (Lines::new(false), Instant::now());
        lines.pins(2, None);
        lines.reload(&reload(9), &[], now);
        assert_eq!(of(&lines.reload(&reload(10), &[], now)), ["↻ G9  38.0 ms   python/app.py"]);
        assert_eq!(lines.pins(1, passing(9)), "");
        let said = lines.pins(0, passing(10));
        let expected = [
            "↻ G10  38.0 ms   python/app.py           1 pinned request: 1 passing",
            "⚑ 1 pinned request: 1 passing",
        ];
        assert_eq!(said.lines().count(), 2);
        assert!(
            said.contains(expected[0]) && said.ends_with(&format!("{}\n", expected[1])),
            "{said}"
        );
    }

    #[test]
    fn what_waits_behind_a_reload_is_bounded() {
        let (mut lines, now) = (Lines::new(false), Instant::now());
        lines.pins(1, None);
        lines.reload(&reload(9), &[], now);
        let mut said = String::new();
        let mut count = 0;
        while said.is_empty() {
            count += 1;
            said = lines.request(request(&format!("/{count}"), 200), now);
        }
        assert_eq!(said.lines().count(), count + 1);
        assert!((MAX_BELOW..2 * MAX_BELOW).contains(&said.len()));
    }
}
