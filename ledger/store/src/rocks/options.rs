//! How RocksDB is set up, and why. Measured beside the other choices; figures in the folder's README.
//!
//! | choice | reason |
//! |---|---|
//! | bodies uncompressed, the rest lz4 | ciphertext does not shrink; headers and keys do, at almost no cost |
//! | point-in-time recovery | a crash ends the log of writes at a whole batch; anything looser could lose one in the middle |
//! | 64 MB of write buffers in all | memory that a node has beside the log map; families share it |
//! | 512 MB of write-ahead log | a family that is hardly written (`meta`) would keep it growing otherwise |
//! | bloom filters where most answers are "no" or one file has it | `recent`, `log`, `index` |
//! | prefix of 32 bytes in `index` | a log's rows are asked for by its id |
//! | index and filter blocks in the cache | otherwise they grow with the ledger, outside of any bound |

use core::ffi::c_int;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, InfoLogger, LogLevel,
    ReadOptions, SliceTransform,
};

use crate::tables::Family;

const MIB: usize = 1 << 20;

/// Length of a log's id at the front of a key of `index`.
const LOG_BYTES: usize = 32;

/// What an operator may choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes of the cache for what was read.
    pub cache_bytes: usize,
    /// Bytes of writes held in memory before they go into tables.
    pub write_buffer_bytes: usize,
    /// Files held open.
    pub open_files: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: (memory_bytes() / 4).min(128 * MIB),
            write_buffer_bytes: 64 * MIB,
            open_files: 512,
        }
    }
}

/// Memory of this machine; where that cannot be read, as much as makes the other bound decide.
fn memory_bytes() -> usize {
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = told.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
    kib.map_or(usize::MAX, |kib| kib.saturating_mul(1024))
}

impl Options {
    /// For reading and writing.
    pub(super) fn database(&self) -> rocksdb::Options {
        let mut database = self.common();
        database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        database.set_max_total_wal_size(512 << 20);
        database.set_db_write_buffer_size(self.write_buffer_bytes);
        database.set_max_background_jobs(2);
        // Spreads the writing of tables, which would otherwise delay a block's sync by a whole table.
        database.set_bytes_per_sync(1 << 20);
        database.set_keep_log_file_num(4);
        database.set_max_log_file_size(4 * MIB);
        // Counts syncs: tests hold the number against the blocks announced.
        database.enable_statistics();
        database.set_statistics_level(rocksdb::statistics::StatsLevel::ExceptHistogramOrTimers);
        database.set_stats_dump_period_sec(0);
        database.set_stats_persist_period_sec(0);
        database
    }

    /// For reading: nothing is written, not even RocksDB's own notes, which go to nobody.
    pub(super) fn read_only_database(&self) -> rocksdb::Options {
        let mut database = self.common();
        database.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Fatal, |_, _| {}));
        database
    }

    fn common(&self) -> rocksdb::Options {
        let mut database = rocksdb::Options::default();
        database.set_max_open_files(c_int::from(i16::try_from(self.open_files).unwrap_or(i16::MAX)));
        database
    }

    /// All families, sharing one cache.
    pub(super) fn families(&self) -> Vec<ColumnFamilyDescriptor> {
        let cache = Cache::new_lru_cache(self.cache_bytes);
        let describe = |family: Family| ColumnFamilyDescriptor::new(family.name(), self.family(family, &cache));
        Family::ALL.into_iter().map(describe).collect()
    }

    fn family(&self, family: Family, cache: &Cache) -> rocksdb::Options {
        let mut options = rocksdb::Options::default();
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(cache);
        table.set_block_size(16 << 10);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        match family {
            Family::Body => options.set_compression_type(DBCompressionType::None),
            _ => options.set_compression_type(DBCompressionType::Lz4),
        }
        if matches!(family, Family::Recent | Family::Log | Family::Index) {
            table.set_bloom_filter(10.0, false);
        }
        if family == Family::Recent {
            // The answer is "no" for every honest envelope, and most rows are still in memory.
            options.set_memtable_prefix_bloom_ratio(0.1);
            options.set_memtable_whole_key_filtering(true);
        }
        if family == Family::Index {
            options.set_prefix_extractor(SliceTransform::create_fixed_prefix(LOG_BYTES));
        }
        options.set_write_buffer_size(self.write_buffer_bytes / 2);
        options.set_arena_block_size(256 << 10);
        options.set_level_compaction_dynamic_level_bytes(true);
        options.set_block_based_table_factory(&table);
        options
    }
}

/// How to read a range: rows of one log by their prefix, everything else in the order of all keys.
pub(super) fn scanning(family: Family, from: &[u8], to: Option<&[u8]>) -> ReadOptions {
    let mut reading = ReadOptions::default();
    if let Some(to) = to {
        reading.set_iterate_upper_bound(to);
    }
    let prefix = |key: &[u8]| key.first_chunk::<LOG_BYTES>().copied();
    let is_one_log = family == Family::Index && prefix(from).is_some() && prefix(from) == to.and_then(prefix);
    if is_one_log {
        reading.set_prefix_same_as_start(true);
    } else {
        reading.set_total_order_seek(true);
    }
    reading
}
