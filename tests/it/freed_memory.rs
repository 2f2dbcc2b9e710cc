//! Dev mode: memory that saves have freed is returned to the system, also during many saves.

use crate::reload::app;
use crate::support::{Project, app_returning, in_time};

const MB: usize = 1024 * 1024;

/// A module with 150 MB in pieces that the allocator does not return by itself, because of the
/// retained ones between them.
const PIECES: &str = r#"
from snaxum import keep, route

pieces = []
between = keep("between", list)
for _ in range(2_500):
    pieces.append(bytearray(60_000))
    between.append(bytearray(1_000))

@route("/")
def size(request): return str(len(pieces))
"#;

#[tokio::test]
async fn memory_that_saves_have_freed_is_returned_to_the_system() {
    let server = app().await;
    assert_eq!(server.get("/").await.text(), "one");
    let before = server.memory();
    server.edit("app.py", PIECES);
    assert_eq!(server.get("/").await.text(), "2500");
    assert!(server.memory() > before + 140 * MB);

    server.edit("app.py", &app_returning("small again"));
    assert_eq!(server.get("/").await.text(), "small again");
    in_time("the memory", async {
        while server.memory() > before + 40 * MB {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn freed_memory_is_returned_during_many_saves() {
    let server = app().await;
    assert_eq!(server.get("/").await.text(), "one");
    let before = server.memory();
    server.edit("app.py", PIECES);
    assert_eq!(server.get("/").await.text(), "2500");
    // Twice as many as it takes; the server is never idle.
    let mut saves = 0..40;
    while server.memory() > before + 40 * MB {
        let save = saves.next().expect("the memory was returned before");
        server.edit("app.py", &app_returning(&format!("small {save}")));
        assert_eq!(server.get("/").await.text(), format!("small {save}"));
    }
}

/// Responds with the number of arenas of the C library, after eight threads have allocated at once.
#[cfg(target_env = "gnu")]
const ARENAS: &str = r#"
import ctypes, threading
from snaxum import route

libc = ctypes.CDLL(None)
libc.open_memstream.restype = ctypes.c_void_p
libc.malloc.restype = ctypes.c_void_p

@route("/")
def arenas(request):
    together = threading.Barrier(8)
    def allocate():
        together.wait()
        blocks = [libc.malloc(10_000) for _ in range(200)]  # ctypes releases the interpreter
        together.wait()
        for block in blocks:
            libc.free(ctypes.c_void_p(block))
    threads = [threading.Thread(target=allocate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    file = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
    libc.malloc_info(0, file)
    libc.fclose(file)
    return str(text.value.count(b"<heap nr="))
"#;

#[cfg(target_env = "gnu")]
#[tokio::test]
async fn threads_share_two_arenas_of_the_c_library() {
    let server = Project::new().file("app.py", ARENAS).dev().await;
    let arenas: usize = server.get("/").await.text().parse().expect("a number");
    assert!((1..=2).contains(&arenas), "{arenas} arenas");
}
