//! A streamed page with the script in it. Sends each byte as soon as it can.
//!
//! Ends as the page does, trailers and failure included.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;

use super::insertion::InsertionFinder;

pub(super) struct InjectedBody {
    /// `None` once it has ended: a body must not be polled after that.
    body: Option<Body>,
    /// The tag, and the search for its place; `None` once it is sent, or cannot be.
    search: Option<(InsertionFinder, String)>,
}

impl InjectedBody {
    pub(super) fn new(body: Body, tag: String) -> Self {
        Self { body: Some(body), search: Some((InsertionFinder::default(), tag)) }
    }

    /// Returns the part of the page that can be sent now.
    fn push(&mut self, piece: Bytes) -> Bytes {
        let Some((finder, tag)) = &mut self.search else { return piece };
        let mut page = Vec::with_capacity(piece.len());
        if let Some(after) = finder.push(&piece, &mut page) {
            page.extend_from_slice(tag.as_bytes());
            page.extend(after);
            self.search = None;
        }
        page.into()
    }

    /// Returns the end of the page.
    fn finish(&mut self) -> Bytes {
        let Some((mut finder, tag)) = self.search.take() else { return Bytes::new() };
        let mut page = Vec::new();
        if finder.finish(&mut page) {
            page.extend_from_slice(tag.as_bytes());
        }
        page.into()
    }
}

impl HttpBody for InjectedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let piece = match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.push(piece),
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.body = None;
                    self.finish()
                }
            };
            // A piece may wait for the next.
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::BodyExt;

    async fn pieces(sent: &[&'static str]) -> Vec<Result<String, String>> {
        let sent: Vec<_> = sent
            .iter()
            .map(|&piece| match piece {
                "!" => Err(std::io::Error::other("it broke off")),
                piece => Ok(Bytes::from(piece)),
            })
            .collect();
        // Panics if it is polled after its end, as the body of a handler does.
        let sent = stream::unfold(sent.into_iter(), async |mut sent| Some((sent.next()?, sent)));
        let body = Body::from_stream(sent);
        let mut body = InjectedBody::new(body, "<s>".to_owned());
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(match frame {
                Ok(frame) => {
                    let data = frame.into_data().expect("data");
                    Ok(String::from_utf8(data.to_vec()).expect("UTF-8"))
                }
                Err(error) => Err(error.to_string()),
            });
            if pieces.last().is_some_and(Result::is_err) {
                break;
            }
        }
        pieces
    }

    #[tokio::test]
    async fn each_piece_is_sent_as_it_comes() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(
            pieces(&["<p>a", "<!--</body>-->", "b</bo", "dy>", "c", ""]).await,
            [ok("<p>a"), ok("<!--</body>-->"), ok("b"), ok("<s></body>"), ok("c")]
        );
        assert_eq!(pieces(&["<p>a"]).await, [ok("<p>a"), ok("<s>")]);
        assert_eq!(pieces(&["<script>a"]).await, [ok("<script>a")]);
        assert_eq!(pieces(&["a", "!"]).await, [ok("a"), Err("it broke off".to_owned())]);
    }
}
