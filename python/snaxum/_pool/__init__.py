"""The process pool of handlers with `use_process_pool`.

- `pool`, `process`, `launch`, `timers`: the server's side
- `executor`, `request_pool`: the interface that users see, and the pool of one request
- `worker`: the side of the worker process
- `task`, `output`, `events`: the messages between the two, and those to Rust
"""
