//! Group commit: what makes appended bytes durable, and who waits for it.
//!
//! One sync covers everything that was appended before it began, so that all who wait for one log
//! share it. Its order:
//!
//! 1. under the lock, note the end and which segments have unsynced bytes;
//! 2. sync those segments, oldest first, then the names that are new;
//! 3. publish the durable end and with it what readers may see, and call those who wait;
//! 4. write the indexes of rolled segments and the leader epochs, sync them, and move the
//!    recovery point.
//!
//! A failed sync is final for the log directory and is never repeated: the kernel may have
//! dropped the pages, and a second sync would lie.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::{Log, Unwritable, Writer};
use crate::fs::replace_file;
use crate::leader_epoch_cache::LEADER_EPOCH_CHECKPOINT;
use crate::log_dir::is_out_of_space;
use crate::partition_metadata;
use crate::segment::Segment;

/// The proof that everything before an offset is on stable storage. Only a sync makes one.
#[derive(Debug)]
pub struct Durable {
    end: i64,
}

impl Durable {
    /// Everything before this offset is durable.
    pub fn end(&self) -> i64 {
        self.end
    }
}

/// Why an offset will not become durable.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotDurable {
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The log was cut before the offset was durable.
    #[error("log was truncated to offset {0}")]
    Truncated(i64),
}

/// Called once, on a sync thread or, if the answer is known at once, in the caller.
pub type DurableCallback = Box<dyn FnOnce(Result<Durable, NotDurable>) + Send>;

/// Who waits for which offset. Bounded by the requests that the broker lets in.
#[derive(Default)]
pub(super) struct Waiters(Vec<(i64, DurableCallback)>);

impl std::fmt::Debug for Waiters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Waiters({})", self.0.len())
    }
}

/// What a sync has to do, as it was when it began.
#[derive(Debug)]
pub(crate) struct Plan {
    end: i64,
    rolled: Vec<Arc<Segment>>,
    active: Arc<Segment>,
    sync_names: bool,
    sync_dir: bool,
}

impl Plan {
    /// Rolled segments whose bytes were not synced when it was made.
    pub(super) fn rolled(&self) -> &[Arc<Segment>] {
        &self.rolled
    }
}

impl Log {
    /// Calls `done` when everything before `end` is on stable storage: at once if it is, otherwise
    /// after a sync that this asks for.
    pub fn when_durable(self: &Arc<Self>, end: i64, done: DurableCallback) {
        let mut waiters = self.waiters.lock();
        // Under the lock: a sync or a truncation publishes first and looks at the waiters then, so
        // it either finds this one or is seen here.
        let answer = if self.durable_end() >= end {
            Ok(Durable { end: self.durable_end() })
        } else if let Err(error) = self.check_writable() {
            Err(error.into())
        } else if end > self.log_end_offset() {
            Err(NotDurable::Truncated(self.log_end_offset()))
        } else {
            waiters.0.push((end, done));
            drop(waiters);
            self.context.sync_queue.push(self);
            return;
        };
        drop(waiters);
        done(answer);
    }

    /// Makes everything durable that was appended before the call, in the calling thread.
    pub fn flush(self: &Arc<Self>) -> Result<Durable, NotDurable> {
        let _one_at_a_time = self.sync_lock.lock();
        self.check_writable()?;
        self.sync_locked()
    }

    /// One sync. The caller holds `sync_lock`.
    pub(super) fn sync_locked(&self) -> Result<Durable, NotDurable> {
        let plan = self.lock_writer().plan_sync();
        match self.sync_files(&plan) {
            Ok(()) => {
                self.publish_durable(plan);
                self.housekeeping();
                Ok(Durable { end: self.durable_end() })
            }
            Err((error, what)) => {
                self.context.dir.take_offline(&format!("{what}: {error}"));
                Err(self.fail_waiters())
            }
        }
    }

    pub(super) fn sync_files(&self, plan: &Plan) -> Result<(), (io::Error, String)> {
        for segment in plan.rolled.iter().chain([&plan.active]) {
            segment.sync().map_err(|error| (error, format!("cannot sync {segment}")))?;
        }
        if plan.sync_dir {
            partition_metadata::sync(self.fs(), &self.path).map_err(|error| {
                (error, format!("cannot sync partition.metadata of {}", self.topic_partition))
            })?;
        }
        if plan.sync_names {
            self.sync_names(&self.path)?;
        }
        if plan.sync_dir {
            self.sync_names(self.context.dir.path())?;
        }
        Ok(())
    }

    fn sync_names(&self, path: &Path) -> Result<(), (io::Error, String)> {
        let what = || format!("cannot sync directory {}", path.display());
        self.fs().sync_dir(path).map_err(|error| (error, what()))
    }

    pub(super) fn publish_durable(&self, plan: Plan) {
        let mut writer = self.lock_writer();
        assert!(plan.end <= writer.next_offset, "a log is not cut while it is synced");
        assert!(plan.end >= self.durable_end(), "what is durable stays so");
        self.durable_end.store(plan.end, Ordering::Release);
        writer.first_syncing = None;
        writer.unsealed.extend(plan.rolled);
        let visible_before = self.visible_end();
        self.publish_visible(&mut writer);
        let moved = self.visible_end() > visible_before;
        drop(writer);
        self.call_waiters(plan.end);
        let hook = self.on_visible.read().clone();
        if let Some(hook) = hook
            && moved
        {
            hook(&self.topic_partition);
        }
    }

    fn call_waiters(&self, end: i64) {
        let due = self.waiters.lock().take(|offset| offset <= end);
        for (_, done) in due {
            done(Ok(Durable { end }));
        }
    }

    /// Tells all who wait that the log directory or the log has failed.
    pub(crate) fn fail_waiters(&self) -> NotDurable {
        let error = match self.check_writable() {
            Err(error) => NotDurable::from(error),
            Ok(()) => Unwritable::Closed(self.topic_partition.clone()).into(),
        };
        let all = self.waiters.lock().take(|_| true);
        for (_, done) in all {
            done(Err(error.clone()));
        }
        error
    }

    /// Tells those who wait for more than `end` that it will not come.
    pub(super) fn truncate_waiters(&self, end: i64) {
        let lost = self.waiters.lock().take(|offset| offset > end);
        for (_, done) in lost {
            done(Err(NotDurable::Truncated(end)));
        }
    }

    /// Writes what recovery would otherwise have to make anew. A full disk leaves it for later;
    /// the recovery point stays back then.
    fn housekeeping(&self) {
        let (unsealed, epochs) = {
            let mut writer = self.lock_writer();
            // A log that was led but never written to has no directory for them yet.
            let are_due = self.is_on_disk(&writer) && mem::take(&mut writer.epochs_unwritten);
            let epochs = are_due.then(|| writer.epochs.encode());
            (mem::take(&mut writer.unsealed), epochs)
        };
        let mut written = self.write_epochs(epochs.as_deref());
        if written.is_ok() {
            written = self.seal(&unsealed);
        }
        match written {
            Ok(()) => {
                self.recovery_point.store(self.durable_end(), Ordering::Release);
                self.sums_are_due(&unsealed);
            }
            Err((error, what)) => {
                if is_out_of_space(&error) {
                    self.context.dir.set_full(true);
                } else {
                    self.context.dir.take_offline(&format!("{what}: {error}"));
                }
                let mut writer = self.lock_writer();
                writer.epochs_unwritten |= epochs.is_some();
                writer.unsealed.splice(..0, unsealed);
            }
        }
    }

    fn seal(&self, segments: &[Arc<Segment>]) -> Result<(), (io::Error, String)> {
        for segment in segments {
            let what = |error| (error, format!("cannot write the indexes of {segment}"));
            for file in segment.seal(self.fs()).map_err(what)?.into_iter().flatten() {
                file.sync_data().map_err(what)?;
            }
        }
        if segments.is_empty() { Ok(()) } else { self.sync_names(&self.path) }
    }

    fn write_epochs(&self, content: Option<&[u8]>) -> Result<(), (io::Error, String)> {
        let Some(content) = content else { return Ok(()) };
        let path = self.path.join(LEADER_EPOCH_CHECKPOINT);
        let what = |error| (error, format!("cannot write {}", path.display()));
        replace_file(self.fs(), &path, content).map_err(what)
    }
}

impl Writer {
    pub(super) fn plan_sync(&mut self) -> Plan {
        // What is appended from now on waits for the next sync.
        self.first_syncing = self.first_syncing.or(self.first_undurable.take());
        self.unflushed_records = 0;
        self.unflushed_since_ms = None;
        Plan {
            end: self.next_offset,
            rolled: mem::take(&mut self.unsynced),
            active: Arc::clone(&self.active),
            sync_names: mem::take(&mut self.names_unsynced),
            sync_dir: mem::take(&mut self.dir_unsynced),
        }
    }
}

impl Waiters {
    fn take(&mut self, is_due: impl Fn(i64) -> bool) -> Vec<(i64, DurableCallback)> {
        self.0.extract_if(.., |(offset, _)| is_due(*offset)).collect()
    }
}
