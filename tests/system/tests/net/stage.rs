//! What every play has: a network of nodes on hosts, somebody who watches each of them, and what was said to be final.

use std::path::PathBuf;

use tempfile::TempDir;
use waxwing_core::genesis::Genesis;
use waxwing_node::Clock;
use waxwing_system::command::{number, verdict, waxwing};
use waxwing_system::heads::Heads;
use waxwing_system::hosts::Hosts;
use waxwing_system::load::Load;
use waxwing_system::node::{Network, Node};
use waxwing_system::told::Told;
use waxwing_system::until::until;

/// Nodes on hosts: node number n, counted from 1, on host n.
pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) hosts: Hosts,
    pub(crate) network: Network,
    pub(crate) genesis: Genesis,
    nodes: Vec<Node>,
    watched: Vec<Heads>,
    clock: Clock,
}

impl Stage {
    /// So many validators, founded together and not started yet. Each knows all others, by the addresses that it sees.
    pub(crate) fn committee(validators: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let homes: Vec<PathBuf> = (1..=validators)
            .map(|host| folder.path().join(format!("h{host}")))
            .collect();
        Self::of_homes(folder, homes)
    }

    /// The same with the last one's home elsewhere.
    pub(crate) fn committee_with_last_home(folder: TempDir, validators: u8, last: PathBuf) -> Self {
        let mut homes: Vec<PathBuf> = (1..validators)
            .map(|host| folder.path().join(format!("h{host}")))
            .collect();
        homes.push(last);
        Self::of_homes(folder, homes)
    }

    fn of_homes(folder: TempDir, homes: Vec<PathBuf>) -> Self {
        let count = u8::try_from(homes.len()).unwrap();
        let hosts = Hosts::new(count, 7);
        let network = Network::found_together(&folder.path().join("network"), "hosts", &homes);
        let made: Vec<(Node, String)> = homes.iter().map(|home| Node::member(home, &network)).collect();
        let keys: Vec<String> = made.iter().map(|(_, key)| key.clone()).collect();
        let mut nodes = Vec::new();
        for (host, (node, _)) in (1..).zip(made) {
            let others = (1..).zip(&keys).filter(|(other, _)| *other != host);
            let others: Vec<String> = others
                .map(|(other, key)| format!("{key}@{}", Hosts::seen_from(host, other)))
                .collect();
            let node = node.on_host(host).with("block-pause-ms", "20");
            nodes.push(if others.is_empty() {
                node
            } else {
                node.with("validators", &others.join(","))
            });
        }
        Self::with(folder, hosts, network, nodes)
    }

    /// A validator on host 1 that runs, and followers of it on the other hosts that do not yet.
    pub(crate) fn followers(count: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hosts = Hosts::new(1 + count, 7);
        let network = Network::found_cheap(&folder.path().join("network"), "hosts");
        let mut validator = Node::validator(&folder.path().join("h1"), &network).on_host(1);
        validator.start();
        let mut nodes = vec![validator];
        for host in 2..=1 + count {
            let upstream = format!("{}@{}", nodes.first().unwrap().id(), Hosts::seen_from(host, 1));
            let home = folder.path().join(format!("h{host}"));
            nodes.push(Node::follower(&home, &network, &[&upstream]).on_host(host));
        }
        Self::with(folder, hosts, network, nodes)
    }

    fn with(folder: TempDir, hosts: Hosts, network: Network, nodes: Vec<Node>) -> Self {
        Self {
            folder,
            hosts,
            genesis: network.genesis(),
            network,
            nodes,
            watched: Vec::new(),
            clock: Clock::system(),
        }
    }

    /// A node by its number.
    pub(crate) fn node(&mut self, number: usize) -> &mut Node {
        self.nodes.get_mut(number - 1).unwrap()
    }

    /// Starts a node, and watches it from now on, whatever happens to it.
    pub(crate) fn start(&mut self, number: usize) {
        self.node(number).start();
        self.watch(number);
    }

    /// Watches a node that was started.
    pub(crate) fn watch(&mut self, number: usize) {
        let node = self.nodes.get(number - 1).unwrap();
        self.watched.push(Heads::watch(node, &self.genesis));
    }

    /// Starts these nodes.
    pub(crate) fn start_all(&mut self, numbers: &[usize]) {
        for number in numbers {
            self.start(*number);
        }
    }

    /// Submits to a node, until [`Stage::end`].
    pub(crate) fn load(&self, number: usize) -> Load {
        let seed = u64::try_from(number).unwrap();
        Load::start(self.nodes.get(number - 1).unwrap(), &self.genesis, seed)
    }

    /// The same with bodies of so many bytes.
    pub(crate) fn load_of(&self, number: usize, bytes: u32) -> Load {
        let seed = u64::try_from(number).unwrap();
        Load::start_with(self.nodes.get(number - 1).unwrap(), &self.genesis, seed, bytes)
    }

    /// Milliseconds since the stage was set.
    pub(crate) fn time(&self) -> u64 {
        self.clock.steady_ms()
    }

    /// How high a node's ledger is.
    pub(crate) fn height(&self, number: usize) -> u64 {
        let status = self.nodes.get(number - 1).unwrap().status();
        self::number(&status, "/height")
    }

    /// Waits until `load` was told of so many more finals; returns the longest time that nothing was told, in ms.
    pub(crate) fn more(&self, what: &str, load: &Load, more: u64) -> u64 {
        let (target, mut last) = (load.told() + more, (load.told(), self.time()));
        let mut longest = 0;
        until(what, || {
            let (told, now) = (load.told(), self.time());
            longest = longest.max(now - last.1);
            if told > last.0 {
                last = (told, now);
            }
            (told >= target).then_some(())
        });
        longest
    }

    /// What the nodes that run have printed: for a play that went on, but not as it should.
    pub(crate) fn logs(&mut self, lines: usize) -> String {
        let mut all = String::new();
        for (number, node) in (1..).zip(&mut self.nodes) {
            let Some(running) = node.running() else { continue };
            let printed = running.so_far();
            let printed: Vec<&str> = printed.lines().collect();
            let last = printed.get(printed.len().saturating_sub(lines)..).unwrap_or_default();
            all += &format!("-- node {number}\n{}\n", last.join("\n"));
        }
        all
    }

    /// Waits until these nodes have a block; returns how long that took, in ms.
    pub(crate) fn until_height(&self, numbers: &[usize], height: u64) -> u64 {
        let start = self.time();
        for number in numbers {
            self.nodes.get(number - 1).unwrap().until_height(height);
        }
        self.time() - start
    }

    /// Waits until so many further packets were not carried because their way is cut: time passes for the parted.
    pub(crate) fn until_cut(&self, packets: u64) {
        let target = self.hosts.carried().cut + packets;
        until("the parted call each other in vain", || {
            (self.hosts.carried().cut >= target).then_some(())
        });
    }

    /// Waits until the relay has lost and doubled so many further packets: what was to be borne was borne.
    pub(crate) fn until_lost(&self, packets: u64) {
        let before = self.hosts.carried();
        until("packets are lost and doubled", || {
            let now = self.hosts.carried();
            (now.lost >= before.lost + packets && now.doubled >= before.doubled + packets).then_some(())
        });
    }

    /// Ends the load, lets everybody who runs arrive at the same head, stops them, and holds everything that anybody was
    /// told against every ledger. The homes are left for whoever wants to look.
    pub(crate) fn end(mut self, loads: Vec<Load>) -> TempDir {
        let mut told = Told::default();
        for load in loads {
            for one in load.finish() {
                told.envelope(&one);
            }
        }
        let all: Vec<usize> = (1..=self.nodes.len()).collect();
        let newest = all.iter().map(|number| self.height(*number)).max().unwrap();
        self.until_height(&all, newest);
        let watched = std::mem::take(&mut self.watched);
        let shown: Vec<_> = watched.into_iter().map(Heads::finish).collect();
        for (height, id) in shown.iter().flatten() {
            told.block(*height, &id.to_string());
        }
        for node in &mut self.nodes {
            told.head(&node.status());
            node.stop();
        }
        let policy = self.folder.path().join("policy");
        self.network.policy(&policy, told.newest_head().as_deref());
        for node in &self.nodes {
            let entries = told.hold_against(&node.directory());
            assert!(entries > 0, "an empty ledger loses nothing");
        }
        let mut audit = waxwing(self.folder.path());
        audit
            .args(["audit", "run"])
            .arg(self.nodes.first().unwrap().directory());
        let (code, report) = verdict(audit.arg("--policy").arg(&policy));
        assert_eq!(code, 0, "{report}");
        println!(
            "no fork in {} heads of {} nodes, none of {} final entries lost, {:?}",
            told.heads(),
            self.nodes.len(),
            told.entries(),
            self.hosts.carried()
        );
        self.folder
    }
}
