"""The process pool of handlers with `use_process_pool`.

- `pool`, `process`: the server's side
- `worker`: the side of the worker process
- `task`, `output`, `events`: the messages between the two, and those to Rust
"""
