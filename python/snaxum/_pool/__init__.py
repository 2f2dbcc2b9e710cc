"""The process pool of handlers with `use_process_pool`.

- `executor`, `request_pool`: the interface of every pool, and the pool of one request
- `kinds`: makes the pool that the options name
- `pool`, `process`, `launch`, `timers`: the pool of local processes, the server's side
- `worker`: the side of the worker process
- `dask_pool`, `dask_connection`, `dask_messages`: the pool on dask.distributed, the server's side
- `dask_worker`, `sent_code`: the side of the Dask worker
- `task`, `output`, `events`: the messages between the two, and those to Rust
"""
