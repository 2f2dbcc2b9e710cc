//! A breadth-first search over the parts of two documents: nearest parts first, each pair once.
//!
//! A recursive model is a graph, so a part that contains itself, or is used in two places, is met again.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::direction::Direction;
use super::operation_place::Place;
use super::schema::{Alternative, Identity};

/// Two parts that are compared, the direction, and whether the values are text.
pub(super) type Pair = (Identity, Identity, Direction, bool);

/// A comparison to do.
pub(super) enum Task<'a> {
    Schemas(&'a Value, &'a Value),
    /// The fields of two objects.
    Fields(Box<(Alternative<'a>, Alternative<'a>)>),
}

/// A pair that was met.
struct Met {
    pair: Pair,
    is_different: bool,
    /// The positions of the pairs that contain it.
    outer: Vec<usize>,
}

/// The comparison of two parts, and of everything below them.
#[derive(Default)]
pub(super) struct Search<'a> {
    waiting: VecDeque<(usize, Task<'a>, Place)>,
    met: Vec<Met>,
    positions: HashMap<Pair, usize>,
    /// The position of the pair that is being compared.
    current: Option<usize>,
}

impl<'a> Search<'a> {
    /// Adds a task, unless its pair was met before.
    pub(super) fn meet(&mut self, pair: Pair, task: Task<'a>, place: Place) {
        let position = *self.positions.entry(pair).or_insert_with_key(|pair| {
            let position = self.met.len();
            self.met.push(Met { pair: pair.clone(), is_different: false, outer: Vec::new() });
            self.waiting.push_back((position, task, place));
            position
        });
        self.met[position].outer.extend(self.current);
    }

    /// Returns the next task.
    pub(super) fn next(&mut self) -> Option<(Task<'a>, Place)> {
        let (position, task, place) = self.waiting.pop_front()?;
        self.current = Some(position);
        Some((task, place))
    }

    /// Notes that the two current parts differ.
    pub(super) fn differ(&mut self) {
        if let Some(current) = self.current {
            self.met[current].is_different = true;
        }
    }

    /// Returns the pairs that do not differ, and contain none that does.
    pub(super) fn finish(mut self) -> HashSet<Pair> {
        let mut waiting: Vec<usize> =
            (0..self.met.len()).filter(|&position| self.met[position].is_different).collect();
        while let Some(position) = waiting.pop() {
            for outer in std::mem::take(&mut self.met[position].outer) {
                if !std::mem::replace(&mut self.met[outer].is_different, true) {
                    waiting.push(outer);
                }
            }
        }
        self.met.into_iter().filter(|met| !met.is_different).map(|met| met.pair).collect()
    }
}
