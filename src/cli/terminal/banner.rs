//! The banner that `snaxum dev` prints when the server is ready.

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use console::style;
use snaxum::dev::Dev;
use snaxum::message::RouteInfo;
use snaxum::python_runtime::PythonRuntime;

use super::status_line::serving_status;
use crate::cli::render::color::escape;
use crate::cli::render::layout::counted;
use crate::cli::render::reload::warnings;
use crate::cli::render::traceback;

/// The maximum number of routes in the banner without keys; `l` and `snaxum routes` list all.
const MAX_LISTED: usize = 30;
/// The minimum columns for all keys.
const WIDE: u16 = 80;
/// The columns before a URL.
const LABEL: usize = 14;

/// Renders the banner, with the keys if the terminal has a `width`.
pub(crate) fn banner(
    runtime: &PythonRuntime,
    dev: &Dev,
    address: SocketAddr,
    took: Duration,
    width: Option<u16>,
) -> String {
    let (serving, config) = (runtime.serving(), runtime.config());
    let mut out = format!(
        "\n  {} {}  {}   Python {}   ready in {} ms\n\n",
        style("SNAXUM").bold().green(),
        env!("CARGO_PKG_VERSION"),
        style("dev").cyan(),
        runtime.python_version(),
        took.as_millis()
    );
    out += &addresses(address, Some(&dev.console_url(address)), dev.mcp_url(address), width);
    let pool = match &*config.pool {
        "processes" => counted(config.pool_workers, "worker"),
        cluster => escape(cluster),
    };
    // A list of routes would push the URL of the console off the screen.
    let key = if width.is_some() {
        format!(" ({} lists them)", style("l").bold())
    } else {
        String::new()
    };
    out += &format!(
        "  {}  {}{key} · {} · pool {pool} · watching {}\n\n",
        serving_status(&serving),
        counted(serving.routes.len(), "route"),
        counted(serving.last_reload.report.module_count, "module"),
        escape(&relative(&config.python_dir))
    );
    if width.is_none() && (1..=MAX_LISTED).contains(&serving.routes.len()) {
        out += &routes(&serving.routes);
        out.push('\n');
    }
    for failure in &serving.last_reload.report.failures {
        out += &format!("  {} {}\n", style("✖").red(), escape(&failure.module));
        out += &traceback::render(&failure.traceback);
    }
    out += &warnings(&serving.last_reload.report.warnings);
    if let Some(width) = width {
        out += &format!("{}\n", legend(width));
    }
    out
}

/// Renders the URLs of a server, and where it can be reached from.
pub(crate) fn addresses(
    address: SocketAddr,
    console: Option<&str>,
    mcp: Option<String>,
    width: Option<u16>,
) -> String {
    let arrow = style("➜").green();
    let base = format!("{}/", snaxum::dev::base_url(address));
    let mut out = format!("  {arrow}  App      {}\n", style(base).cyan());
    if let Some(console) = console {
        out += &console_line(console, width);
    }
    if let Some(url) = mcp {
        let note = style("(the token is in .snaxum/dev.json)").dim();
        out += &format!("  {arrow}  MCP      {}   {note}\n", style(url).cyan());
    }
    let network = if address.ip().is_loopback() {
        style("off: use --host to expose the app (the console stays local)").dim().to_string()
    } else {
        format!("{}  {}", address, style("(the console stays local)").dim())
    };
    out + &format!("  {arrow}  Network  {network}\n\n")
}

/// Renders the URL of the console. In a narrow terminal it has a line of its own, which can be copied whole.
fn console_line(url: &str, width: Option<u16>) -> String {
    let arrow = style("➜").green();
    let (shown, note) = (link(url, width.is_some()), style("(token, this run only)").dim());
    let columns = width.map_or(usize::MAX, usize::from);
    if LABEL + url.len() > columns {
        return format!("  {arrow}  Console  {} opens it {note}:\n{shown}\n", style("c").bold());
    }
    if LABEL + url.len() + 3 + console::measure_text_width(&note.to_string()) > columns {
        return format!("  {arrow}  Console  {shown}\n");
    }
    format!("  {arrow}  Console  {shown}   {note}\n")
}

/// Renders a URL, as a hyperlink in terminals that support it.
fn link(url: &str, is_interactive: bool) -> String {
    let known = ["VTE_VERSION", "TERM_PROGRAM", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "WT_SESSION"];
    let shown = style(url).cyan();
    if is_interactive && known.iter().any(|name| std::env::var_os(name).is_some()) {
        format!("\x1b]8;;{url}\x1b\\{shown}\x1b]8;;\x1b\\")
    } else {
        shown.to_string()
    }
}

/// Returns the URL of the app from the URL of the console.
pub(super) fn app_url(console: &str) -> &str {
    console.split_once("__snaxum").map_or(console, |(app, _)| app)
}

/// Renders one line for each route.
pub(crate) fn routes(routes: &[RouteInfo]) -> String {
    let line = |route: &RouteInfo| {
        let (methods, handler) = (route.methods.join(","), style(escape(&route.handler)).dim());
        format!("     {:<6} {}  {handler}\n", escape(&methods), escape(&route.path))
    };
    routes.iter().map(line).collect()
}

/// Renders the keys in one line of `width` columns.
fn legend(width: u16) -> String {
    let all = [
        ("r", "reload"),
        ("o", "open"),
        ("c", "console"),
        ("l", "routes"),
        ("e", "error"),
        ("p", "pin"),
        ("v", "quiet"),
        ("h", "help"),
        ("q", "quit"),
    ];
    let shown = if width < WIDE { &all[7..] } else { &all[..] };
    let words =
        shown.iter().map(|(key, what)| format!("{} {}", style(key).bold(), style(what).dim()));
    format!("  {}\n", words.collect::<Vec<_>>().join("  "))
}

/// Shortens a path below the current directory.
fn relative(path: &Path) -> String {
    let below =
        env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.map_or_else(|| path.display().to_string(), |below| format!("./{}", below.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legend_is_short_in_a_narrow_terminal() {
        let all =
            "  r reload  o open  c console  l routes  e error  p pin  v quiet  h help  q quit\n";
        assert_eq!(legend(80), all);
        assert!(console::measure_text_width(&all.replace('\n', "")) <= 80);
        assert_eq!(legend(79), "  h help  q quit\n");
    }

    #[test]
    fn the_url_of_the_console_is_never_cut_by_the_edge_of_the_screen() {
        let url = format!("http://127.0.0.1:35811/__snaxum/?t={}", "x".repeat(43));
        let at = |width| console_line(&url, width);
        let in_a_pipe = format!("  ➜  Console  {url}   (token, this run only)\n");
        assert_eq!((at(None), at(Some(200))), (in_a_pipe.clone(), in_a_pipe));
        assert_eq!(at(Some(100)), format!("  ➜  Console  {url}\n"));
        let narrow = format!("  ➜  Console  c opens it (token, this run only):\n{url}\n");
        assert_eq!(at(Some(80)), narrow);
        assert!(narrow.lines().all(|line| console::measure_text_width(line) <= 80));
    }

    #[test]
    fn the_url_of_the_app_is_that_of_the_console_without_its_path() {
        assert_eq!(app_url("http://127.0.0.1:3000/__snaxum/?t=x"), "http://127.0.0.1:3000/");
    }

    #[test]
    fn counts_and_paths_are_short() {
        assert_eq!([counted(1, "route"), counted(0, "route")], ["1 route", "0 routes"]);
        let here = env::current_dir().expect("it exists");
        assert_eq!(relative(&here.join("app/python")), "./app/python");
        assert_eq!(relative(Path::new("/elsewhere/python")), "/elsewhere/python");
    }
}
