//! Why a request is refused, and in which words.
//!
//! A refusal is a short constant text that says nothing of the project; the log has the remedy.

use axum::http::StatusCode;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Peer,
    Host,
    Origin,
    CrossSite,
    Method,
    Token,
    /// It may change something, and a form could have sent it.
    Form,
    /// It may change something, and lacks the header.
    Unmarked,
    /// A browser asks where only assistants should.
    Browser,
    /// An assistant lacks its token.
    AssistantToken,
    /// Address and headers are too long.
    Head,
}

impl Refusal {
    /// The status, the text for the client, and the remedy for the log.
    pub(super) fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "The console needs the link that the terminal printed.\n",
                "a request to the console had no token: open the printed link",
            ),
            Self::Host => (
                StatusCode::FORBIDDEN,
                "This name is not allowed here; the terminal says how to allow it.\n",
                "a request was addressed to a name other than localhost: allow it with --allow-host NAME",
            ),
            Self::Peer => (
                StatusCode::FORBIDDEN,
                "The console answers on its own machine only.\n",
                "another machine asked for the console, which answers on this one only",
            ),
            Self::Origin | Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "The console does not answer to pages of other sites.\n",
                "a page of another site asked for the console and was refused",
            ),
            Self::Method => (StatusCode::FORBIDDEN, "Not allowed.\n", "a preflight was refused"),
            Self::Form => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "What changes something is sent as JSON.\n",
                "a request that may change something was no JSON: send `Content-Type: application/json`",
            ),
            Self::Unmarked => (
                StatusCode::FORBIDDEN,
                "What changes something needs the header X-Snaxum.\n",
                "a request that may change something was not marked: send `X-Snaxum: 1`",
            ),
            Self::Browser => (
                StatusCode::FORBIDDEN,
                "This is for assistants, not for browsers.\n",
                "a request to the MCP endpoint looked like a browser's and was refused: send no Origin, Sec-Fetch-* or Cookie, or come through `snaxum mcp`",
            ),
            Self::Head => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Address and headers have more than 16 KiB, the limit of the dev server. Cookies are \
                 the usual cause: all servers on localhost share them, whatever their port. Delete \
                 those of this host, or open the app at 127.0.0.1 instead of localhost.\n",
                "a request was refused: address and headers have over 16 KiB; large cookies are a usual cause",
            ),
            Self::AssistantToken => (
                StatusCode::UNAUTHORIZED,
                "This needs the token for assistants.\n",
                "a request to the MCP endpoint lacked its token: it is `mcp.token` in .snaxum/dev.json, and `snaxum mcp` brings it along",
            ),
        }
    }
}
