//! The log map in memory.
//!
//! Every node of the ledger holds the whole map, about 136 bytes a log, and touches a thousand leaves in every block.
//! So nodes live in two plain arrays and name each other by number, and an inner node holds its children's hashes, not
//! its own: what is hashed stands in one place, and neither an update nor a proof has to visit the siblings.
//!
//! A block is checked before it is durable and becomes true only afterwards. Therefore nothing here changes the map
//! while a root is being computed: [`LogMap::plan`] collects the changed nodes beside the map, and [`LogMap::apply`]
//! puts them in. A step that was planned on anything but the present state is refused, since its node numbers would
//! mean other nodes.

use core::fmt;
use std::sync::Arc;

use super::proof::{MapPath, PathToOther};
use crate::hash::{Hash, HashKeys, Meaning};
use crate::limits::MAP_DEPTH_MAX;

/// Nodes of one kind that can be numbered: 31 bits, less the number that stands for an empty slot.
const NODES_MAX: usize = (1 << 31) - 1;

/// Leaves placed at once while a map is built: enough to amortise the path above them, little enough to need no memory.
const BUILD_BATCH: usize = 1 << 14;

/// Why a change of the map is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// The updates are not in strictly ascending order of their map keys.
    Unsorted,
    /// A leaf hash is zeros, which would stand for an empty slot.
    ZeroLeaf,
    /// The step was planned on another map, or on an earlier state of this one.
    StaleStep,
    /// The map has no numbers left for so many nodes.
    Full,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsorted => "the updates are not in strictly ascending order",
            Self::ZeroLeaf => "a leaf hash is all zeros",
            Self::StaleStep => "the step was planned on another state of the log map",
            Self::Full => "the log map is full",
        })
    }
}

impl core::error::Error for MapError {}

/// The log map of one state of the ledger.
///
/// Deliberately not `Clone`: a copy that then grows apart could take the original's steps for its own.
pub struct LogMap {
    root: Child,
    inner: Vec<Inner>,
    /// The leaves' map keys; their hashes stand in the nodes above them.
    leaves: Vec<Hash>,
    /// Shared with the steps planned here, so that they are recognised.
    identity: Arc<()>,
}

impl LogMap {
    /// A map without logs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            root: Child::EMPTY,
            inner: Vec::new(),
            leaves: Vec::new(),
            identity: Arc::new(()),
        }
    }

    /// Builds the map of these (map key, leaf hash), which come in strictly ascending order of map keys.
    ///
    /// # Errors
    /// [`MapError::Unsorted`] if they do not, and as [`LogMap::plan`].
    pub fn build(keys: &HashKeys, leaves: impl IntoIterator<Item = (Hash, Hash)>) -> Result<Self, MapError> {
        let mut map = Self::new();
        let mut leaves = leaves.into_iter();
        let mut batch: Vec<(Hash, Hash)> = Vec::with_capacity(BUILD_BATCH);
        loop {
            // The last leaf placed leads the next batch again, so that the order is checked across batches too.
            let last = batch.last().copied();
            batch.clear();
            batch.extend(last);
            let placed = batch.len();
            batch.extend(leaves.by_ref().take(BUILD_BATCH));
            if batch.len() == placed {
                return Ok(map);
            }
            let step = map.plan(keys, &batch)?;
            map.apply(step)?;
        }
    }

    /// The root: zeros without logs, the leaf's hash with one.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root.hash
    }

    /// Number of logs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no log.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Bytes the map holds reserved.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.inner.capacity() * size_of::<Inner>() + self.leaves.capacity() * size_of::<Hash>()
    }

    /// What putting these (map key, leaf hash) in would make of the map, which stays as it is. They come in strictly
    /// ascending order of map keys; a key that is there already gets the new hash. Each inner node on the way is hashed
    /// once, however many updates pass through it.
    ///
    /// # Errors
    /// [`MapError::Unsorted`] if the keys are not in order or one comes twice, [`MapError::ZeroLeaf`] for a leaf hash of
    /// zeros, [`MapError::Full`] beyond two thousand million logs.
    pub fn plan(&self, keys: &HashKeys, updates: &[(Hash, Hash)]) -> Result<MapStep, MapError> {
        if !updates.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(MapError::Unsorted);
        }
        if updates.iter().any(|(_, leaf)| *leaf == Hash::ZERO) {
            return Err(MapError::ZeroLeaf);
        }
        if !has_room(self.inner.len(), self.leaves.len(), updates.len()) {
            return Err(MapError::Full);
        }
        let mut planner = Planner {
            map: self,
            keys,
            changed: Vec::new(),
            new_inner: Vec::new(),
            new_leaves: Vec::new(),
        };
        let root = planner.place(self.root, 0, updates);
        let Planner {
            changed,
            new_inner,
            new_leaves,
            ..
        } = planner;
        let origin = Arc::clone(&self.identity);
        Ok(MapStep {
            origin,
            from: self.root.hash,
            root,
            changed,
            new_inner,
            new_leaves,
        })
    }

    /// Makes a planned step true.
    ///
    /// # Errors
    /// [`MapError::StaleStep`] if it was planned on another map or another state of this one; the map is unchanged then.
    pub fn apply(&mut self, step: MapStep) -> Result<(), MapError> {
        // Within one map the root names the state and its node numbers too: logs are only added, and only a new log
        // makes new nodes.
        if !Arc::ptr_eq(&self.identity, &step.origin) || self.root.hash != step.from {
            return Err(MapError::StaleStep);
        }
        for (number, node) in step.changed {
            *self
                .inner
                .get_mut(number)
                .expect("a step of this map names nodes that exist") = node;
        }
        grow(&mut self.inner, step.new_inner);
        grow(&mut self.leaves, step.new_leaves);
        self.root = step.root;
        Ok(())
    }

    /// The way to where a log with this map key is or would be, as proof of what is there.
    #[must_use]
    pub fn prove(&self, map_key: &Hash) -> MapPath {
        let mut siblings = Vec::new();
        let mut here = self.root;
        loop {
            match here.link.target() {
                Target::Empty => return MapPath::empty_slot(siblings),
                Target::Leaf(number) if self.leaf_key(number) == *map_key => return MapPath::present(siblings),
                Target::Leaf(number) => {
                    return MapPath::OtherLeaf(PathToOther::new(siblings, self.leaf_key(number), here.hash));
                }
                Target::Inner(number) => {
                    let Inner { left, right } = self.inner_node(number);
                    let (next, sibling) = if map_key.bit(siblings.len()) {
                        (right, left)
                    } else {
                        (left, right)
                    };
                    siblings.push(sibling.hash);
                    here = next;
                }
            }
        }
    }

    fn inner_node(&self, number: usize) -> Inner {
        *self
            .inner
            .get(number)
            .expect("a link to a node is made only with the node")
    }

    fn leaf_key(&self, number: usize) -> Hash {
        *self
            .leaves
            .get(number)
            .expect("a link to a leaf is made only with the leaf")
    }
}

impl Default for LogMap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LogMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogMap({} logs, root {})", self.len(), self.root())
    }
}

/// A planned change of a [`LogMap`], as a value: it changes nothing until it is applied, and can be dropped.
#[must_use = "a step changes nothing until it is applied"]
pub struct MapStep {
    origin: Arc<()>,
    from: Hash,
    root: Child,
    changed: Vec<(usize, Inner)>,
    new_inner: Vec<Inner>,
    new_leaves: Vec<Hash>,
}

impl MapStep {
    /// The root once the step is applied.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root.hash
    }

    /// Number of logs the step adds.
    #[must_use]
    pub fn new_logs(&self) -> u64 {
        u64::try_from(self.new_leaves.len()).expect("plan() keeps it below 2^31")
    }
}

impl fmt::Debug for MapStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "MapStep(root {} to {}, {} new logs)",
            self.from,
            self.root(),
            self.new_logs()
        )
    }
}

/// Computes a step: reads the map, collects what changes beside it.
struct Planner<'a> {
    map: &'a LogMap,
    keys: &'a HashKeys,
    changed: Vec<(usize, Inner)>,
    new_inner: Vec<Inner>,
    new_leaves: Vec<Hash>,
}

impl Planner<'_> {
    /// What the subtree `old` at `depth` becomes with `updates`, which all belong below it.
    fn place(&mut self, old: Child, depth: usize, updates: &[(Hash, Hash)]) -> Child {
        let [(key, leaf), others @ ..] = updates else {
            return old;
        };
        match old.link.target() {
            Target::Inner(number) => {
                let node = self.split(self.map.inner_node(number), depth, updates);
                self.changed.push((number, node));
                Child {
                    hash: node.hash(self.keys),
                    link: old.link,
                }
            }
            Target::Leaf(number) => {
                let old_key = self.map.leaf_key(number);
                if others.is_empty() && old_key == *key {
                    return Child {
                        hash: *leaf,
                        link: old.link,
                    };
                }
                let node = if old_key.bit(depth) {
                    Inner {
                        left: Child::EMPTY,
                        right: old,
                    }
                } else {
                    Inner {
                        left: old,
                        right: Child::EMPTY,
                    }
                };
                self.place_below_new(node, depth, updates)
            }
            Target::Empty if others.is_empty() => {
                self.new_leaves.push(*key);
                let link = Link::leaf(self.map.leaves.len() + self.new_leaves.len() - 1);
                Child { hash: *leaf, link }
            }
            Target::Empty => self.place_below_new(
                Inner {
                    left: Child::EMPTY,
                    right: Child::EMPTY,
                },
                depth,
                updates,
            ),
        }
    }

    /// Puts the updates below a node that the map does not have yet.
    fn place_below_new(&mut self, node: Inner, depth: usize, updates: &[(Hash, Hash)]) -> Child {
        let node = self.split(node, depth, updates);
        self.new_inner.push(node);
        let link = Link::inner(self.map.inner.len() + self.new_inner.len() - 1);
        Child {
            hash: node.hash(self.keys),
            link,
        }
    }

    fn split(&mut self, node: Inner, depth: usize, updates: &[(Hash, Hash)]) -> Inner {
        let (left, right) = updates.split_at(updates.partition_point(|(key, _)| !key.bit(depth)));
        Inner {
            left: self.place(node.left, depth + 1, left),
            right: self.place(node.right, depth + 1, right),
        }
    }
}

/// A node with both its children's hashes: everything that goes into its own hash, which stands in its parent.
#[derive(Clone, Copy)]
struct Inner {
    left: Child,
    right: Child,
}

impl Inner {
    fn hash(&self, keys: &HashKeys) -> Hash {
        keys.node(Meaning::MapNode, &self.left.hash, &self.right.hash)
    }
}

/// A subtree: its hash, and where it is.
#[derive(Clone, Copy)]
struct Child {
    hash: Hash,
    link: Link,
}

impl Child {
    const EMPTY: Self = Self {
        hash: Hash::ZERO,
        link: Link::EMPTY,
    };
}

/// The number of a node, and whether it is a leaf, in 32 bits: the highest says leaf, all ones mean nothing.
#[derive(Clone, Copy)]
struct Link(u32);

impl Link {
    const EMPTY: Self = Self(u32::MAX);
    const LEAF: u32 = 1 << 31;

    fn inner(number: usize) -> Self {
        Self(u32::try_from(number).expect("plan() made sure that there is room for every number"))
    }

    fn leaf(number: usize) -> Self {
        Self(Self::inner(number).0 | Self::LEAF)
    }

    fn target(self) -> Target {
        let number = usize::try_from(self.0 & !Self::LEAF).expect("a machine that holds the node can number it");
        match self {
            Self(u32::MAX) => Target::Empty,
            Self(bits) if bits & Self::LEAF == 0 => Target::Inner(number),
            Self(_) => Target::Leaf(number),
        }
    }
}

/// What a [`Link`] leads to.
enum Target {
    Empty,
    Inner(usize),
    Leaf(usize),
}

/// Whether nodes can still be numbered after `updates` more leaves, each in the worst place: below a chain of nodes for
/// every bit of its key.
const fn has_room(inner: usize, leaves: usize, updates: usize) -> bool {
    leaves.saturating_add(updates) <= NODES_MAX
        && inner.saturating_add(updates.saturating_mul(MAP_DEPTH_MAX)) <= NODES_MAX
}

/// Appends, growing by an eighth instead of doubling: at a million logs doubling would reserve 70 MB for nothing.
fn grow<T>(nodes: &mut Vec<T>, more: Vec<T>) {
    if nodes.capacity() - nodes.len() < more.len() {
        nodes.reserve_exact(more.len().max(nodes.len() / 8));
    }
    nodes.extend(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> HashKeys {
        HashKeys::new(Hash([5; 32]))
    }

    fn key(first: u8) -> Hash {
        let mut key = Hash::ZERO;
        key.0[0] = first;
        key
    }

    #[test]
    fn the_root_of_three_logs_is_the_one_drawn_by_hand() {
        let keys = keys();
        let node = |left: &Hash, right: &Hash| keys.node(Meaning::MapNode, left, right);
        let [one, two, three] = [Hash([1; 32]), Hash([2; 32]), Hash([3; 32])];
        let updates = [
            (key(0b0100_0000), one),
            (key(0b0110_0000), two),
            (key(0b1000_0000), three),
        ];
        let map = LogMap::build(&keys, updates).unwrap();
        assert_eq!(map.root(), node(&node(&Hash::ZERO, &node(&one, &two)), &three));
        assert_eq!((map.len(), map.is_empty()), (3, false));
    }

    #[test]
    fn no_log_is_zeros_and_one_log_is_its_leaf() {
        let map = LogMap::new();
        assert_eq!((map.root(), map.len(), map.is_empty()), (Hash::ZERO, 0, true));
        let map = LogMap::build(&keys(), [(key(7), Hash([1; 32]))]).unwrap();
        assert_eq!(map.root(), Hash([1; 32]));
    }

    #[test]
    fn updates_out_of_order_twice_or_zero_are_refused() {
        let (keys, map) = (keys(), LogMap::new());
        let leaf = Hash([1; 32]);
        let plan = |updates: &[(Hash, Hash)]| map.plan(&keys, updates).map(|step| step.new_logs());
        assert_eq!(plan(&[(key(1), leaf), (key(2), leaf)]), Ok(2));
        assert_eq!(plan(&[(key(2), leaf), (key(1), leaf)]), Err(MapError::Unsorted));
        assert_eq!(plan(&[(key(1), leaf), (key(1), leaf)]), Err(MapError::Unsorted));
        assert_eq!(plan(&[(key(1), Hash::ZERO)]), Err(MapError::ZeroLeaf));
    }

    #[test]
    fn building_refuses_disorder_between_batches_as_within_one() {
        let keys = keys();
        let ascending = |count: usize| {
            (0..count).map(|number| {
                let mut key = Hash::ZERO;
                key.0[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
                (key, Hash([1; 32]))
            })
        };
        let map = LogMap::build(&keys, ascending(2 * BUILD_BATCH + 3)).unwrap();
        assert_eq!(map.len(), 2 * BUILD_BATCH + 3);
        let again = ascending(BUILD_BATCH).chain([(Hash::ZERO, Hash([1; 32]))]);
        assert_eq!(LogMap::build(&keys, again).err(), Some(MapError::Unsorted));
        let twice = ascending(BUILD_BATCH).chain(ascending(BUILD_BATCH).next_back());
        assert_eq!(LogMap::build(&keys, twice).err(), Some(MapError::Unsorted));
    }

    #[test]
    fn a_step_of_another_state_is_refused_and_changes_nothing() {
        let keys = keys();
        let mut map = LogMap::new();
        let first = map.plan(&keys, &[(key(1), Hash([1; 32]))]).unwrap();
        let rival = map.plan(&keys, &[(key(2), Hash([2; 32]))]).unwrap();
        assert_eq!(map.apply(first), Ok(()));
        assert_eq!(map.apply(rival), Err(MapError::StaleStep));
        assert_eq!((map.root(), map.len()), (Hash([1; 32]), 1));
    }

    #[test]
    fn a_step_of_a_map_with_the_same_content_is_refused() {
        // Two maps that got the same logs in another order have one root but number their nodes differently: a step
        // of one would overwrite other nodes in the other.
        let keys = keys();
        let mut forward = LogMap::new();
        let mut backward = LogMap::new();
        for first in [1, 2, 3] {
            let step = forward.plan(&keys, &[(key(first), Hash([first; 32]))]).unwrap();
            forward.apply(step).unwrap();
            let first = 4 - first;
            let step = backward.plan(&keys, &[(key(first), Hash([first; 32]))]).unwrap();
            backward.apply(step).unwrap();
        }
        assert_eq!(forward.root(), backward.root());
        let step = forward.plan(&keys, &[(key(1), Hash([9; 32]))]).unwrap();
        assert_eq!(backward.apply(step), Err(MapError::StaleStep));
    }

    #[test]
    fn a_map_is_full_before_a_number_is_used_twice() {
        assert!(has_room(0, NODES_MAX - 1, 1));
        assert!(!has_room(0, NODES_MAX, 1));
        assert!(has_room(NODES_MAX - MAP_DEPTH_MAX, 0, 1));
        assert!(!has_room(NODES_MAX - MAP_DEPTH_MAX + 1, 0, 1));
        assert!(!has_room(0, 0, usize::MAX));
        assert!(matches!(Link::leaf(NODES_MAX - 1).target(), Target::Leaf(number) if number == NODES_MAX - 1));
        assert!(matches!(Link::inner(NODES_MAX - 1).target(), Target::Inner(number) if number == NODES_MAX - 1));
        assert!(matches!(Link::EMPTY.target(), Target::Empty));
    }

    #[test]
    fn a_node_takes_no_more_memory_than_its_hashes_and_links() {
        assert_eq!(size_of::<Inner>(), 72);
    }
}
