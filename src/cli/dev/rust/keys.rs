//! The keys of the builder: they act on the program through its API.

use console::style;
use snaxum::dev::PREFIX;
use snaxum::message::RouteInfo;
use snaxum::server::StopSignal;

use super::build_loop::BuildLoop;
use super::loop_event::LoopEvent;
use crate::cli::client::connection::DevClient;
use crate::cli::client::control;
use crate::cli::terminal::{browser, key_reader, raw_mode, routes};

/// The text of `h`.
const HELP: &str = "
  r  check all Python files now, and reload the changed ones
  o  open the app in the browser
  c  open the console in the browser
  l  list the routes
  h  this help
  q  stop the server (same as Ctrl-C)

";

impl BuildLoop {
    /// Reads keys from now on, if there is a terminal.
    pub(super) fn start_keys(&mut self) {
        if !self.options.reads_keys || !raw_mode::is_interactive() {
            return;
        }
        let sender = self.sender.clone();
        let press = move |key| drop(sender.send(LoopEvent::Key(key)));
        match key_reader::start(press, || _ = key_reader::enter_again()) {
            Ok(()) => self.has_keys = true,
            Err(error) => tracing::warn!("cannot read keys: {error}"),
        }
    }

    /// Does what a key is for.
    pub(super) fn on_key(&mut self, key: u8) {
        let Some(client) = self.client() else { return };
        let (sender, url) = (self.sender.clone(), client.url.clone());
        let print = move |text| drop(sender.send(LoopEvent::Text(text)));
        match key {
            b'q' => self.stop(StopSignal::Terminate),
            b'o' => browser::open(format!("{url}/"), print),
            b'c' => browser::open(format!("{url}{PREFIX}?t={}", self.token), print),
            b'l' => drop(tokio::spawn(async move { print(listed_routes(&client).await) })),
            b'r' => drop(tokio::spawn(async move { print(reloaded(&client).await) })),
            b'h' | b'?' => self.screen.print(HELP),
            _ => {}
        }
    }

    /// A client of the program that serves.
    pub(super) fn client(&self) -> Option<DevClient> {
        let address = self.shared.listener.local_addr().ok()?;
        let url = snaxum::dev::base_url(address);
        Some(DevClient::of_own_server(url, self.token.clone()))
    }
}

async fn listed_routes(client: &DevClient) -> String {
    match client.get::<Vec<RouteInfo>>("routes").await {
        Ok(table) => format!("\n{}\n", routes(&table)),
        Err(error) => note(&error.to_string()),
    }
}

async fn reloaded(client: &DevClient) -> String {
    note(&control::reload_of(client).await.unwrap_or_else(|error| error.to_string()))
}

fn note(text: &str) -> String {
    format!("  {} {text}\n", style("=").dim())
}
