"""Live reload: from files that changed to a generation that serves.

`reloader` makes one attempt from end to end; the other modules are its parts, in the order of use:

- `changes`: what differs from what serves; `env_file`, `outside`: the environment variables, and
  what only a new process can take over
- `graph`: which modules a change reaches
- `roots`, `stage`, `loader`, `sources`: run them aside, from the texts just read
- `broken`: the paths of modules that did not load at the start
- `imports`, `inputs`, `effects`, `watchdog`: what is noted of a run, and how it is ended
- `lines`: edits that only move lines
- `survivors`: kept values whose class was replaced
- `report`, `warning`: what the attempt did, and what there is to warn of
- `drain`, `tasks`: how the old generation ends, and what it left on the loop
"""
