"""Serves requests: from the call by Rust to the response that Rust sends.

- `runtime`: the parts that live as long as the server
- `generations`, `leases`: versions of the user's code, and the requests on each
- `registration`: the declarations of modules while they load
- `dispatch`, `async_dispatch`, `respond`: call a handler, and send its result
- `background`: the functions that run after a response
- `child_imports`, `forks`: the processes that user code starts or forks
- `event_loop`, `interpreter`: the asyncio thread; streams and `sys.executable`
"""
