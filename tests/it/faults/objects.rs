//! Objects of users and libraries that raise whatever they are asked for.

use crate::support::{Project, Server};

/// Makes classes whose every special method and attribute raises.
const HOSTILE: &str = r#"import types


class Loud(BaseException):
    pass


NAMES = """
abs add aenter aexit aiter and anext await bool bytes call ceil complex contains del delattr delitem
dir divmod enter eq exit float floor floordiv format fspath ge get getattr getattribute getitem
getstate gt hash iadd iand index instancecheck int invert ior iter le len length_hint lshift lt
matmul missing mod mul ne neg next or pos pow radd reduce reduce_ex repr reversed rmul round rshift
set setattr setitem sizeof str sub subclasscheck subclasshook truediv trunc xor array arrow_c_stream
""".split()


def hostile(error, base=object):
    def fail(self, *args, **kwargs):
        raise error("hostile")

    names = {f"__{name}__": fail for name in NAMES}
    for name in ("class", "dict", "module", "name", "file", "spec", "path", "wrapped", "doc"):
        names[f"__{name}__"] = property(fail)
    if issubclass(base, dict | list | set | bytearray):
        names.pop("__getattribute__")
    kind = type("Hostile", (base,), names)
    if issubclass(base, types.ModuleType):
        return base.__new__(kind, "hostile")
    return base.__new__(kind)
"#;

/// One module for each exception that its objects raise.
const MODULE: &str = r#"import sys, types
from snaxum import keep, on_unload, route
from _hostile import Loud, hostile

ERROR = @ERROR
THING = hostile(ERROR)
MODULE = hostile(ERROR, types.ModuleType)
LIST, DICT, SET = (hostile(ERROR, kind) for kind in (list, dict, set))
KEPT = keep("@ERROR", lambda: hostile(ERROR))
KEPT_IN_LIST = keep("@ERROR list", lambda: [hostile(ERROR)])
sys.modules["lazy_@ERROR"] = hostile(ERROR)
sys.modules["stub_@ERROR"] = hostile(ERROR, types.ModuleType)
VERSION = 1


@on_unload
def unload():
    return hostile(ERROR)


def fail():
    local = hostile(ERROR)
    several = [hostile(ERROR), hostile(ERROR, dict)]
    raise hostile(ERROR, ERROR)


@route("/@ERROR/value")
def value(request):
    return THING


@route("/@ERROR/list")
def listed(request):
    return [1, {"x": THING}]


@route("/@ERROR/async-value")
async def async_value(request):
    return THING


@route("/@ERROR/body")
def body(request):
    return THING, 200


@route("/@ERROR/raise")
def raises(request):
    fail()


@route("/@ERROR/async-raise")
async def async_raises(request):
    fail()


@route("/@ERROR/cause")
def cause(request):
    try:
        fail()
    except BaseException as error:
        raise ValueError("outer") from error


@route("/@ERROR/pool-raise", use_process_pool=True)
def pool_raises(request, pool):
    return pool.submit(fail).result()


@route("/@ERROR/import")
def imports(request):
    import lazy_@ERROR


@route("/@ERROR/good")
def good(request):
    return f"good {VERSION}"
"#;

const ERRORS: [&str; 5] =
    ["RuntimeError", "AttributeError", "SystemExit", "KeyboardInterrupt", "Loud"];
const FAILING: [&str; 8] =
    ["value", "list", "async-value", "body", "raise", "async-raise", "cause", "pool-raise"];

fn module(error: &str) -> String {
    MODULE.replace("@ERROR", error)
}

fn project() -> Project {
    let mut project = Project::new()
        .file("_hostile.py", HOSTILE)
        .file("replaced.py", "import sys\nfrom _hostile import hostile\nsys.modules[__name__] = hostile(RuntimeError)\n")
        .args(&["--pool-workers", "1"]);
    for error in ERRORS {
        project = project.file(&format!("with_{}.py", error.to_lowercase()), &module(error));
    }
    project
}

async fn assert_only_its_requests_fail(server: &Server, version: u32) {
    for error in ERRORS {
        for path in FAILING {
            let reply = server.get(&format!("/{error}/{path}")).await;
            assert_eq!(reply.status, 500, "{error} {path}: {}", reply.text());
            let good = server.get(&format!("/{error}/good")).await;
            assert_eq!(good.text(), format!("good {version}"), "after {error} {path}");
        }
        assert!([204, 500].contains(&server.get(&format!("/{error}/import")).await.status));
    }
}

#[tokio::test]
async fn objects_that_raise_on_everything_fail_their_own_requests_only() {
    let mut server = project().serve().await;
    assert_only_its_requests_fail(&server, 1).await;
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn objects_that_raise_on_everything_prevent_no_reload() {
    let mut server = project().dev().await;
    assert_eq!(server.api("status").await["state"], "ok");
    assert_only_its_requests_fail(&server, 1).await;
    for error in ERRORS {
        let name = format!("with_{}.py", error.to_lowercase());
        let comment = format!("# one line more\n{}", module(error));
        server.edit(&name, &comment);
        assert_eq!(server.get(&format!("/{error}/good")).await.text(), "good 1");
        server.edit(&name, &module(error).replace("VERSION = 1", "VERSION = 2"));
        assert_eq!(server.get(&format!("/{error}/good")).await.text(), "good 2");
    }
    assert_eq!(server.api("status").await["state"], "ok");
    assert_only_its_requests_fail(&server, 2).await;
    assert!(server.stop().await.success());
}
