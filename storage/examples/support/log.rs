//! What the examples measure on: a log of the real file system.

use std::path::Path;
use std::sync::Arc;

use protocol_codec::Uuid;
use storage::fs::RealFs;
use storage::{Log, LogConfig, LogContext, LogDir, OpenFiles, SyncQueue, TopicPartition};

/// A new log of its own topic in `dir`.
pub(crate) fn log(dir: &Path, name: &str, config: LogConfig) -> Arc<Log> {
    let context = LogContext {
        open_files: OpenFiles::default(),
        fs: Arc::new(RealFs),
        dir: Arc::new(LogDir::new(dir)),
        sync_queue: SyncQueue::new(),
        producer_id_expiration_ms: 86_400_000,
    };
    let partition = TopicPartition::new(name, 0);
    let path = dir.join(partition.dir_name());
    Log::create(context, partition, Uuid::ONE, &path, config)
}
