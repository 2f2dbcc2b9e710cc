"""Live reload: from changed files to a generation that serves.

`reloader` runs a reload from end to end. The other modules are its parts, in the order of use:

- `changes`, `env_file`, `dotenv`, `restart_triggers`: compare the files with the serving code
- `graph`: finds the modules that a change affects
- `attempt`: opens, runs, and commits or rolls back one attempt
- `discovery`, `stage`, `loader`, `source_cache`: load modules from the texts that were just read
- `broken_routes`: the routes of modules that did not load at the first start
- `unloaded_routes`: the routes in files that no module imports
- `repeated_calls`, `held_resources`: code that needs a new process, and can load in a trial only
  in part
- `import_hook`, `file_inputs`, `effects`, `watchdog`: record what a module does while it loads
- `late_saves`: ends an attempt that more files of the same save have overtaken
- `line_shift`: updates line numbers without running a module
- `module_state`, `migrate`: lost globals, and kept values of replaced classes
- `failures`, `report`, `warnings`, `removed_names`, `saved_texts`: the outcome of an attempt
- `retirement`, `background_tasks`: end the old generation and its tasks
- `executors`: new processes for executors of user code

`model` has the data that they share, and `user_paths` the user's directories.
"""
