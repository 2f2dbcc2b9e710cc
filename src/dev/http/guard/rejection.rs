//! The reasons why a request is rejected, and their messages.
//!
//! A message is a short constant text that reveals nothing of the project; the log has the remedy.

use axum::http::StatusCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    Peer,
    Host,
    Origin,
    CrossSite,
    Preflight,
    MissingToken,
    /// It may change state, and a form could have sent it.
    NotJson,
    /// It may change state, and lacks the CSRF header.
    MissingHeader,
    /// A browser sent it to the endpoint for MCP clients.
    Browser,
    MissingMcpToken,
    HeadersTooLarge,
}

impl Rejection {
    /// Returns the status, the text for the client, and the remedy for the log.
    pub(super) fn message(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MissingToken => (
                StatusCode::UNAUTHORIZED,
                "The console requires a token: open the link that the terminal printed.\n",
                "a request to the console had no token: open the printed link",
            ),
            Self::Host => (
                StatusCode::FORBIDDEN,
                "This host name is not allowed; allow it with `snaxum dev --allow-host NAME`.\n",
                "a request was sent to a host name other than localhost: allow it with --allow-host NAME",
            ),
            Self::Peer => (
                StatusCode::FORBIDDEN,
                "The console is available on its own machine only.\n",
                "a request to the console from another machine was rejected: open the console on this machine",
            ),
            Self::Origin | Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "The console rejects requests from pages of other sites.\n",
                "a request to the console from a page of another site was rejected",
            ),
            Self::Preflight => (
                StatusCode::FORBIDDEN,
                "The console allows no cross-origin requests.\n",
                "a CORS preflight request to the console was rejected",
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "State-changing requests must use Content-Type: application/json\n",
                "a state-changing request was not JSON: send `Content-Type: application/json`",
            ),
            Self::MissingHeader => (
                StatusCode::FORBIDDEN,
                "State-changing requests must send the header X-Snaxum: 1\n",
                "a state-changing request lacked a header: send `X-Snaxum: 1`",
            ),
            Self::Browser => (
                StatusCode::FORBIDDEN,
                "This endpoint is for MCP clients, not for browsers.\n",
                "a request to the MCP endpoint had headers of a browser and was rejected: send no Origin, Sec-Fetch-* or Cookie, or connect through `snaxum mcp`",
            ),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Address and headers have more than 16 KiB, the limit of the dev server. Cookies are \
                 the usual cause: all servers on localhost share them, whatever their port. Delete \
                 the cookies of this host, or open the app at 127.0.0.1 instead of localhost.\n",
                "a request was rejected: address and headers have over 16 KiB; delete large cookies, the usual cause",
            ),
            Self::MissingMcpToken => (
                StatusCode::UNAUTHORIZED,
                "This endpoint requires the token for MCP clients.\n",
                "a request to the MCP endpoint lacked its token: send `mcp.token` from .snaxum/dev.json, or connect through `snaxum mcp`",
            ),
        }
    }
}
