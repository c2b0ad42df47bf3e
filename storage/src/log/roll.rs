//! Beginning a new segment, by Kafka's rules.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{Log, Unwritable, Writer};
use crate::log_config::LogConfig;
use crate::segment::{BatchFacts, Segment, relative};

impl Log {
    /// Begins a new segment now, unless the active one is empty. Returns the base offset of the
    /// active segment.
    pub fn roll(self: &Arc<Self>) -> Result<i64, Unwritable> {
        let mut writer = self.lock_to_write()?;
        self.roll_locked(&mut writer);
        Ok(writer.active.base_offset())
    }

    /// Begins a new segment if `batch` must not go into the active one.
    pub(super) fn roll_if_due(
        self: &Arc<Self>,
        writer: &mut Writer,
        config: &LogConfig,
        batch: &BatchFacts,
        now_ms: i64,
    ) {
        if self.is_roll_due(&writer.active, config, batch, now_ms) {
            self.roll_locked(writer);
        }
    }

    fn is_roll_due(
        &self,
        active: &Segment,
        config: &LogConfig,
        batch: &BatchFacts,
        now_ms: i64,
    ) -> bool {
        let size = active.size();
        let size_max = u64::try_from(config.segment_bytes).unwrap_or(0);
        if size > size_max.saturating_sub(batch.size)
            || relative(active.base_offset(), batch.last_offset).is_none()
        {
            return true;
        }
        // Without timestamps in the records there is only the clock to go by.
        let created_ms = active.created_ms(now_ms);
        let waited_ms = match active.first_timestamp() {
            Some(first) if first >= 0 => batch.max_timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(created_ms),
        };
        let jitter_ms = self.jitter_ms(active.base_offset(), config);
        size > 0 && waited_ms > segment_ms(config).saturating_sub(jitter_ms)
            || active.is_index_full(config.segment_index_bytes)
    }

    /// A part of `segment.jitter.ms`, different for each segment and the same at each call.
    pub(super) fn jitter_ms(&self, base_offset: i64, config: &LogConfig) -> i64 {
        let range = config.segment_jitter_ms.min(config.segment_ms);
        if range <= 0 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        (&self.topic_partition, base_offset).hash(&mut hasher);
        (hasher.finish() % range.unsigned_abs()) as i64
    }

    pub(super) fn roll_locked(self: &Arc<Self>, writer: &mut Writer) {
        let next_offset = writer.next_offset;
        let old = Arc::clone(&writer.active);
        if old.base_offset() == next_offset {
            assert_eq!(old.size(), 0, "a segment with batches ends after its base offset");
            return;
        }
        let new = Arc::new(Segment::new(Arc::clone(&self.segment_dir), next_offset));
        let mut segments = Vec::clone(&self.segments.load());
        if old.size() == 0 {
            // Nothing was ever written at its base offset, and nothing will be.
            segments.pop();
            if let Err(error) = self.remove_files(&old) {
                tracing::warn!(segment = %old, %error, "Cannot remove an empty segment");
            }
        } else {
            writer.unsynced.push(old);
            self.write_producer_snapshot(writer);
        }
        segments.push(Arc::clone(&new));
        self.segments.store(Arc::new(segments));
        writer.active = new;
        writer.durable_bytes = 0;
        self.publish_end(writer, None);
        // The old segment's bytes and indexes get to the disk in the background.
        self.context.sync_queue.push(self);
    }
}

/// How long a segment takes appends: with compaction at most `max.compaction.lag.ms`.
fn segment_ms(config: &LogConfig) -> i64 {
    if config.cleanup_policy.compact {
        config.max_compaction_lag_ms.min(config.segment_ms)
    } else {
        config.segment_ms
    }
}
