//! Random edits of a random graph of modules: after each, every route responds as a fresh process
//! on the same files does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use super::super::support::Project;
use super::world::World;

/// A small generator (xorshift64*), so that a seed names a run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % bound
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Names that there may be: some load by themselves, some are helpers, some are in packages.
const NAMES: [&str; 10] = ["_a", "_b", "_c", "m1", "m2", "m3", "pk", "pk.one", "pk.two", "ns.deep"];

#[derive(Clone)]
struct Module {
    value: usize,
    /// Names imported at the top, each with how it is written.
    imports: Vec<(usize, usize)>,
    /// A helper that is imported inside the function.
    late: Option<usize>,
    comment: usize,
    is_broken: bool,
}

fn file_of(name: &str) -> String {
    if name == "pk" { "pk/__init__.py".to_owned() } else { name.replace('.', "/") + ".py" }
}

impl Module {
    /// Imports only names that come before it: a cycle's outcome depends on the first module.
    fn new(index: usize, random: &mut Random) -> Self {
        let count = random.below(index.min(3) + 1);
        let imports = (0..count).map(|_| (random.below(index), random.below(4))).collect();
        let late = (index > 0 && random.one_in(3)).then(|| random.below(index));
        Self { value: random.below(1000), imports, late, comment: 0, is_broken: false }
    }

    fn text(&self, index: usize) -> String {
        let mut text = "# comment\n".repeat(self.comment);
        text += "from snaxum import route\nPARTS = []\n";
        for (number, (import, form)) in self.imports.iter().enumerate() {
            let name = NAMES[*import];
            let bound = format!("i{number}");
            let (parent, leaf) = name.rsplit_once('.').unwrap_or(("", name));
            let line = match form {
                0 => format!("import {name} as {bound}"),
                1 if !parent.is_empty() => format!("from {parent} import {leaf} as {bound}"),
                2 => format!("import importlib\n{bound} = importlib.import_module('{name}')"),
                3 => format!(
                    "from {name} import VALUE as _, total as t\nclass {bound}: VALUE, total = _, t"
                ),
                _ => format!("import {name}\n{bound} = {name}"),
            };
            let _ = writeln!(text, "{line}\nPARTS.append(({bound}.VALUE, {bound}.total))");
        }
        let _ = writeln!(
            text,
            "VALUE = {} + sum(v for v, _ in PARTS)\n\ndef total():\n    result = VALUE + sum(t() for _, t in PARTS)",
            self.value
        );
        if let Some(late) = self.late {
            let _ = writeln!(text, "    import {0}\n    result += {0}.VALUE", NAMES[late]);
        }
        let name = NAMES[index].replace('.', "-");
        let _ = writeln!(
            text,
            "    return result\n\n@route('/{name}')\ndef index(request):\n    return str(total())"
        );
        if self.is_broken {
            text += "\n1 / 0\n";
        }
        text
    }
}

fn project(modules: &BTreeMap<usize, Module>) -> Project {
    modules.iter().fold(Project::new(), |project, (index, module)| {
        project.file(&file_of(NAMES[*index]), &module.text(*index))
    })
}

/// Changes one thing; gives what it was, for the message of a failure.
fn edit(world: &World, modules: &mut BTreeMap<usize, Module>, random: &mut Random) -> String {
    let present: Vec<usize> = modules.keys().copied().collect();
    let some = present[random.below(present.len())];
    let what = random.below(9);
    let module = modules.get_mut(&some).expect("it is present");
    let (index, done) = match what {
        0..=2 => {
            module.value = random.below(1000);
            (some, "value")
        }
        3 => {
            module.comment += 1;
            (some, "comment")
        }
        4 => {
            *module = Module::new(some, random);
            (some, "rewrite")
        }
        5 => {
            module.is_broken = !module.is_broken;
            (some, "break or mend")
        }
        6 if modules.len() > 4 => {
            modules.remove(&some);
            (some, "delete")
        }
        _ => {
            let index = random.below(NAMES.len());
            let module = Module::new(index, random);
            modules.entry(index).or_insert(module);
            (index, "add")
        }
    };
    let file = file_of(NAMES[index]);
    match modules.get(&index) {
        Some(module) => world.server.edit(&file, &module.text(index)),
        None => fs::remove_file(world.server.python(&file)).expect("it was there"),
    }
    format!("{done} {file}")
}

async fn every_step_is_like_a_fresh_start(seed: u64, steps: usize) {
    let mut random = Random(seed);
    let mut modules: BTreeMap<usize, Module> =
        (0..NAMES.len()).map(|index| (index, Module::new(index, &mut random))).collect();
    let world = World::of(project(&modules)).await;
    let mut log = Vec::new();
    for _ in 0..steps {
        log.push(edit(&world, &mut modules, &mut random));
        let state = world.server.api("wait").await;
        let fresh = project(&modules);
        let loads = fresh.snaxum(&["check"]).await;
        assert_eq!(
            state["state"] == "ok",
            loads.code == Some(0),
            "seed {seed}, {log:#?}\n{}\n{state:#}",
            loads.stderr
        );
        if loads.code != Some(0) {
            continue; // the last good code serves, which no fresh process has
        }
        let fresh = fresh.serve().await;
        for name in NAMES {
            let path = format!("/{}", name.replace('.', "-"));
            let (ours, theirs) = (world.get(&path).await, fresh.get(&path).await);
            assert_eq!(
                (ours.status, (ours.status == 200).then(|| ours.text())),
                (theirs.status, (theirs.status == 200).then(|| theirs.text())),
                "seed {seed}, {path}, {log:#?}"
            );
        }
    }
}

#[tokio::test]
async fn random_edits_leave_what_a_fresh_process_would_have() {
    for seed in [1, 2, 130] {
        every_step_is_like_a_fresh_start(seed, 12).await;
    }
}

/// `cargo test --test it random -- --ignored` tries more.
#[tokio::test]
#[ignore = "takes minutes; the one above is a part of it"]
async fn many_random_edits_leave_what_a_fresh_process_would_have() {
    for seed in 100..140 {
        every_step_is_like_a_fresh_start(seed, 30).await;
    }
}
