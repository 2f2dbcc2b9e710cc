//! Reads `multipart/form-data` as it arrives: fields into memory, large files to disk.
//!
//! Owns the limits of a form, and the reasons for 400 and 413. multer finds the parts; their
//! `Content-Disposition` is parsed here. Needs no interpreter.

mod disposition;
mod spool;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::BoxError;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures_util::stream;

use crate::config::SnaxumConfig;
use crate::message::{BodyRecorder, FilePart, Form};

use super::body::{BodyError, BodyReader, failure};
use disposition::Disposition;
use spool::Spool;

/// The most bytes before the first part, and of the headers of one part.
const MAX_PART_HEAD: usize = 64 * 1024;
/// Bytes that are read at once.
const STEP: usize = 64 * 1024;
/// The longest boundary; RFC 2046 allows 70.
const MAX_BOUNDARY: usize = 250;
/// The largest file that stays in memory.
const MAX_IN_MEMORY: usize = 1024 * 1024;
/// The same, once the files in memory have [`MAX_ALL_IN_MEMORY`] together.
const MAX_LATER_IN_MEMORY: usize = 64 * 1024;
const MAX_ALL_IN_MEMORY: usize = 8 * 1024 * 1024;

/// The limits of one form.
#[derive(Clone, Copy, Debug)]
pub(super) struct FormLimits {
    fields: usize,
    files: usize,
    /// The size of all fields together, without files but with the names of all parts.
    field_bytes: usize,
}

impl FormLimits {
    pub(super) fn new(config: &SnaxumConfig) -> Self {
        let SnaxumConfig { max_form_fields, max_files, max_body_size, .. } = *config;
        Self { fields: max_form_fields, files: max_files, field_bytes: max_body_size }
    }
}

/// Whether a body with this content type is a form with parts.
pub(super) fn is_multipart(content_type: &[u8]) -> bool {
    const FORM: &[u8] = b"multipart/form-data";
    let kind = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(FORM)
}

/// Parses the parts of a body with this content type.
pub(super) async fn read<B>(
    content_type: &[u8],
    reader: &mut BodyReader<B>,
    limits: FormLimits,
    mut recorder: BodyRecorder,
) -> Result<Form, BodyError>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
{
    let boundary =
        std::str::from_utf8(content_type).ok().and_then(|t| multer::parse_boundary(t).ok());
    let Some(boundary) = boundary.filter(|it| (1..=MAX_BOUNDARY).contains(&it.len())) else {
        let detail = "the content type multipart/form-data has no valid boundary; send \
                      `multipart/form-data; boundary=…`";
        return Err(failure(400, detail.to_owned()));
    };
    let place = FormPosition::default();
    let mut parser = Parser {
        place: &place,
        limits,
        form: Form::default(),
        field_bytes: 0,
        files: 0,
        in_memory: 0,
    };
    // multer reads everything that has arrived, so the stream makes pauses.
    let source = (&mut *reader, &mut recorder, &place, 0);
    let chunks = stream::unfold(source, |(reader, recorder, place, mut since_pause)| async move {
        if since_pause >= STEP {
            tokio::task::yield_now().await;
            since_pause = 0;
            if place.is_in_head.load(Ordering::Relaxed)
                && place.in_head.load(Ordering::Relaxed) > MAX_PART_HEAD
            {
                return Some((Err(place.too_long()), (reader, recorder, place, 0)));
            }
        }
        let chunk = reader.next().await.transpose()?;
        if let Ok(chunk) = &chunk {
            since_pause += chunk.len();
            recorder.add(chunk);
            place.received.fetch_add(chunk.len(), Ordering::Relaxed);
            place.in_head.fetch_add(chunk.len(), Ordering::Relaxed);
        }
        Some((chunk, (reader, recorder, place, since_pause)))
    });
    parser.parse(multer::Multipart::new(chunks, &boundary)).await?;
    let form = parser.form;
    while let Some(chunk) = reader.next().await? {
        recorder.add(&chunk); // after the last boundary
    }
    Ok(Form { start: recorder.start(), ..form })
}

/// How far a body has been read, for limits and errors.
#[derive(Debug, Default)]
struct FormPosition {
    part: AtomicUsize,
    received: AtomicUsize,
    /// Whether the parser searches the next part, and the bytes that have arrived since it does.
    is_in_head: AtomicBool,
    in_head: AtomicUsize,
}

impl FormPosition {
    fn text(&self) -> String {
        let received = self.received.load(Ordering::Relaxed);
        match self.part.load(Ordering::Relaxed) {
            0 => format!("before its first part, within its first {received} bytes"),
            part => format!("at or after part {part}, within its first {received} bytes"),
        }
    }

    fn invalid(&self, reason: impl std::fmt::Display) -> BodyError {
        failure(400, format!("the multipart body is malformed {}: {reason}", self.text()))
    }

    fn too_long(&self) -> BodyError {
        self.invalid(format!("no part begins within {MAX_PART_HEAD} bytes"))
    }
}

struct Parser<'a> {
    place: &'a FormPosition,
    limits: FormLimits,
    form: Form,
    field_bytes: usize,
    /// The parts with a file, also without a chosen one.
    files: usize,
    /// The bytes of the files that are in memory.
    in_memory: usize,
}

impl Parser<'_> {
    async fn parse(&mut self, mut parts: multer::Multipart<'_>) -> Result<(), BodyError> {
        loop {
            self.place.in_head.store(0, Ordering::Relaxed);
            self.place.is_in_head.store(true, Ordering::Relaxed);
            let Some(part) = parts.next_field().await.map_err(|error| self.failure(error))? else {
                return Ok(());
            };
            self.place.is_in_head.store(false, Ordering::Relaxed);
            self.place.part.fetch_add(1, Ordering::Relaxed);
            let disposition = Disposition::of(part.headers()).map_err(|e| self.place.invalid(e))?;
            match disposition.filename {
                Some(filename) => self.read_file(part, disposition.name, filename).await?,
                None => self.read_field(part, disposition.name).await?,
            }
        }
    }

    async fn read_field(
        &mut self,
        mut part: multer::Field<'_>,
        name: String,
    ) -> Result<(), BodyError> {
        if self.form.fields.len() >= self.limits.fields {
            return Err(too_many(self.limits.fields, "fields"));
        }
        self.add_field_bytes(name.len())?;
        let mut value = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(|error| self.failure(error))? {
            self.add_field_bytes(chunk.len())?;
            value.extend_from_slice(&chunk);
        }
        let value = String::from_utf8(value).map_err(|error| {
            let at = error.utf8_error().valid_up_to() + 1;
            self.place.invalid(format!("the field `{name}` is not valid UTF-8 at its byte {at}"))
        })?;
        self.form.fields.push((name, value));
        Ok(())
    }

    fn add_field_bytes(&mut self, count: usize) -> Result<(), BodyError> {
        self.field_bytes += count;
        let limit = self.limits.field_bytes;
        if self.field_bytes <= limit {
            return Ok(());
        }
        let detail = format!(
            "the fields of the form have more than {limit} bytes, the limit of this server"
        );
        Err(failure(413, detail))
    }

    async fn read_file(
        &mut self,
        mut part: multer::Field<'_>,
        name: String,
        filename: String,
    ) -> Result<(), BodyError> {
        self.files += 1;
        if self.files > self.limits.files {
            return Err(too_many(self.limits.files, "files"));
        }
        let content_type = part.headers().get(CONTENT_TYPE).map_or(&b""[..], |it| it.as_bytes());
        let content_type = String::from_utf8_lossy(content_type).into_owned();
        self.add_field_bytes(name.len() + filename.len() + content_type.len())?;
        let mut spool = Spool::new(match self.in_memory <= MAX_ALL_IN_MEMORY {
            true => MAX_IN_MEMORY,
            false => MAX_LATER_IN_MEMORY,
        });
        let unwritable = |error| {
            tracing::error!("cannot store an uploaded file: {error}");
            failure(507, "the server cannot store the file: its log has the reason".to_owned())
        };
        while let Some(chunk) = part.chunk().await.map_err(|error| self.failure(error))? {
            spool.write(&chunk).await.map_err(unwritable)?;
        }
        let content = spool.finish().await.map_err(unwritable)?;
        self.in_memory += content.in_memory();
        // An empty file input of an HTML form.
        if !(filename.is_empty() && content.size() == 0) {
            let content = content.into();
            self.form.files.push(FilePart { name, filename, content_type, content });
        }
        Ok(())
    }

    fn failure(&self, error: multer::Error) -> BodyError {
        let reason = match error {
            multer::Error::StreamReadFailed(error) => match error.downcast::<BodyError>() {
                Ok(error) => return *error,
                Err(error) => error.to_string(),
            },
            multer::Error::IncompleteStream if self.place.part.load(Ordering::Relaxed) == 0 => {
                "the boundary of its content type does not begin it".to_owned()
            }
            multer::Error::IncompleteStream => {
                "the part does not end with the boundary and a line break".to_owned()
            }
            multer::Error::IncompleteFieldData { field_name: Some(name) } => {
                format!("it ends within the part `{name}`, without the last boundary")
            }
            multer::Error::IncompleteFieldData { field_name: None } => {
                "it ends within a part, without the last boundary".to_owned()
            }
            multer::Error::ReadHeaderFailed(error) => format!("invalid headers of a part: {error}"),
            error => error.to_string(),
        };
        self.place.invalid(reason)
    }
}

fn too_many(limit: usize, what: &str) -> BodyError {
    failure(413, format!("the form has more than {limit} {what}, the limit of this server"))
}

/// The properties of a form, which the fuzzer and the tests check.
#[cfg(any(test, fuzzing))]
mod properties {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::HeaderMap;

    use super::*;

    pub(super) const LIMITS: FormLimits = FormLimits { fields: 10, files: 5, field_bytes: 100 };
    /// The fields, and the names and contents of the files.
    pub(super) type Shown = (Vec<(String, String)>, Vec<(String, String, Vec<u8>)>);

    pub(super) fn form(body: &[u8], chunk: usize, limits: FormLimits) -> Result<Form, BodyError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let chunks: Vec<_> = body.chunks(chunk).map(Bytes::copy_from_slice).collect();
        let body = Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)));
        runtime.block_on(async {
            let limit = 1 << 30;
            let mut reader = BodyReader::new(&HeaderMap::new(), body, None, limit, Duration::ZERO)?;
            read(b"multipart/form-data; boundary=XX", &mut reader, limits, BodyRecorder::new(true))
                .await
        })
    }

    pub(super) fn parse(body: &[u8], chunk: usize) -> Result<Shown, BodyError> {
        let form = form(body, chunk, LIMITS)?;
        let files = form.files.iter().map(|file| {
            let mut content = vec![0; usize::try_from(file.content.size()).expect("it is small")];
            let read = file.content.read_at(0, &mut content).expect("it is open");
            assert_eq!(read.expect("it is readable"), content.len());
            (file.name.clone(), file.filename.clone(), content)
        });
        let files = files.collect();
        Ok((form.fields, files))
    }

    /// Checks a body: the form does not depend on the chunks in which it arrives.
    pub fn fuzz_multipart(body: &[u8]) {
        let whole = parse(body, body.len().max(1));
        if let Ok((fields, files)) = &whole {
            let values = fields.iter().map(|(_, value)| value.len());
            let contents = files.iter().map(|(_, _, content)| content.len());
            assert!(values.chain(contents).sum::<usize>() <= body.len());
            assert!(files.iter().all(|(_, filename, _)| !filename.contains(['/', '\\'])));
        }
        for size in [1, 3, 64] {
            let again = parse(body, size);
            match (&whole, &again) {
                (Ok(whole), Ok(again)) => assert_eq!(whole, again, "{size}"),
                (Err(whole), Err(again)) => {
                    assert_eq!(whole.failure.status, again.failure.status, "{size}");
                    assert!([400, 413].contains(&whole.failure.status));
                }
                _ => panic!("{whole:?} as a whole, {again:?} in chunks of {size}"),
            }
        }
    }
}

#[cfg(any(test, fuzzing))]
pub use properties::fuzz_multipart;

#[cfg(test)]
mod tests {
    use super::properties::{LIMITS, form, parse};
    use super::*;

    fn part(disposition: &str, content: &str) -> String {
        format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
    }

    #[test]
    fn fuzz_multipart() {
        const WORDS: [&str; 16] = [
            "--XX",
            "--XX--",
            "--",
            "\r",
            "\n",
            "\r\n",
            "\r\n\r\n",
            "\r\n--XX\r\n",
            "Content-Disposition: form-data; name=a",
            "; filename=\"",
            "\"",
            "\\",
            "%22",
            "Content-Type: text/plain",
            "=",
            "\0",
        ];
        crate::fuzz::check("multipart", &WORDS, |text| super::fuzz_multipart(text.as_bytes()));
    }

    #[test]
    fn a_large_file_is_on_disk_and_a_small_one_in_memory() {
        for size in [0, 1, 1 << 20, (1 << 20) + 1, 3_000_000] {
            let content: String = ('a'..='z').cycle().take(size).collect();
            let body = part("name=f; filename=x", &content) + "--XX--";
            let (_, files) = parse(body.as_bytes(), 50_000).expect("valid");
            assert_eq!(files, [("f".to_owned(), "x".to_owned(), content.into_bytes())]);
        }
    }

    #[test]
    fn many_files_are_not_in_memory_together() {
        let content = "x".repeat(MAX_IN_MEMORY);
        let body = part("name=f; filename=x", &content).repeat(40) + "--XX--";
        let limits = FormLimits { files: 40, ..LIMITS };
        let form = form(body.as_bytes(), 50_000, limits).expect("valid");
        let in_memory: usize = form.files.iter().map(|file| file.content.in_memory()).sum();
        assert!(in_memory <= MAX_ALL_IN_MEMORY + MAX_IN_MEMORY, "{in_memory}");
        assert!(form.files.iter().all(|file| file.content.size() == content.len() as u64));
    }

    #[test]
    fn names_and_empty_files_count() {
        let named = part(&format!("name={}", "x".repeat(200)), "") + "--XX--";
        let error = parse(named.as_bytes(), 100).expect_err("a long name");
        assert_eq!(error.failure.status, 413);
        let empty = part("name=f; filename=\"\"", "");
        let (_, files) = parse((empty.repeat(5) + "--XX--").as_bytes(), 100).expect("valid");
        assert!(files.is_empty(), "no file was chosen");
        let error = parse((empty.repeat(6) + "--XX--").as_bytes(), 100).expect_err("too many");
        assert!(error.failure.detail.contains("more than 5 files"), "{error}");
    }

    #[test]
    fn a_body_without_parts_is_not_collected_in_memory() {
        let error = parse(&vec![b'x'; 10 << 20], 8192).expect_err("no boundary");
        assert_eq!(error.failure.status, 400);
        assert!(error.failure.detail.contains("no part begins within 65536 bytes"), "{error}");
        let body = part("name=a", "1") + "--XX\r\nX: " + &"x".repeat(10 << 20);
        let error = parse(body.as_bytes(), 8192).expect_err("no second part");
        assert!(error.failure.detail.contains("part 1, within its first"), "{error}");
    }
}
