//! Making a log durable by its own files, and who waits for it.
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
//! Small commits of many logs go through the journal instead: see `commit.rs`. The journal's
//! promise is as good as a sync, so both publish in the same way; only the recovery point waits for
//! the files themselves.
//!
//! A failed sync is final for the log directory and is never repeated: the kernel may have
//! dropped the pages, and a second sync would lie.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::writer::{Writer, WriterGuard};
use super::{Log, OnVisible, Unwritable};
use crate::fs::replace_file;
use crate::leader_epoch_cache::LEADER_EPOCH_CHECKPOINT;
use crate::log_dir::is_out_of_descriptors;
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
    active_bytes: u64,
    sync_names: bool,
    sync_dir: bool,
    cuts: u64,
}

/// What to do once a log's new durable end is published: to be called without any lock.
#[must_use]
pub(super) struct Published {
    end: i64,
    due: Vec<(i64, DurableCallback)>,
    on_visible: Option<OnVisible>,
}

impl Published {
    pub(super) fn call(self, log: &Log) {
        let Self { end, due, on_visible } = self;
        for (_, done) in due {
            done(Ok(Durable { end }));
        }
        if let Some(hook) = on_visible {
            hook(&log.topic_partition);
        }
    }
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

    /// Makes everything durable that was appended before the call, in the calling thread, by the
    /// log's own files.
    pub fn flush(self: &Arc<Self>) -> Result<Durable, NotDurable> {
        let (published, end, cuts) = {
            let _one_at_a_time = self.sync_lock.lock();
            self.check_writable()?;
            let (plan, sequence) = self.sync_by_files()?;
            let (end, cuts) = (plan.end, plan.cuts);
            let published = self.publish_durable(plan);
            if let Some((journal, key)) = self.journal() {
                journal.settled(key, sequence);
                journal.note(key, &self.topic_partition.topic, end);
            }
            (published, end, cuts)
        };
        published.call(self);
        self.tidy(end, cuts);
        Ok(Durable { end: self.durable_end() })
    }

    /// Syncs the files. Returns what was synced, and up to which frame of the journal it holds what
    /// that one holds. The caller holds `sync_lock`.
    fn sync_by_files(&self) -> Result<(Plan, u64), NotDurable> {
        let _no_settling = self.file_lock.lock();
        // What was settling may have failed.
        self.check_writable()?;
        let sequence = self.context.sync_queue.journal().map_or(0, |j| j.last_sequence());
        let plan = self.lock_writer().plan_sync();
        match self.sync_files(&plan) {
            Ok(()) => Ok((plan, sequence)),
            Err((error, what)) => {
                self.judge_failed_sync(&error, &what);
                Err(self.fail_waiters())
            }
        }
    }

    /// After a failed sync nothing is known of the disk. Without a descriptor to sync with, nothing was
    /// tried: the disk is as good as before, but this log cannot go on as if it had been synced.
    pub(super) fn judge_failed_sync(&self, error: &io::Error, what: &str) {
        if is_out_of_descriptors(error) {
            self.fail(&format!("{what}: {error}"));
        } else {
            self.context.dir.take_offline(&format!("{what}: {error}"));
        }
    }

    pub(super) fn sync_files(&self, plan: &Plan) -> Result<(), (io::Error, String)> {
        for segment in plan.rolled.iter().chain([&plan.active]) {
            self.sync_segment(segment)?;
        }
        if plan.sync_dir {
            let sync = || partition_metadata::sync(self.fs(), &self.path);
            self.context.open_files.with_descriptor(sync).map_err(|error| {
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

    pub(super) fn sync_segment(&self, segment: &Segment) -> Result<(), (io::Error, String)> {
        segment.sync().map_err(|error| (error, format!("cannot sync {segment}")))
    }

    pub(super) fn sync_names(&self, path: &Path) -> Result<(), (io::Error, String)> {
        let what = || format!("cannot sync directory {}", path.display());
        let synced = self.context.open_files.with_descriptor(|| self.fs().sync_dir(path));
        synced.map_err(|error| (error, what()))
    }

    pub(super) fn publish_durable(&self, plan: Plan) -> Published {
        let mut writer = self.lock_writer();
        writer.unsealed.extend(plan.rolled);
        self.publish_durable_end(writer, plan.end, &plan.active, plan.active_bytes)
    }

    /// Everything before `end` is on stable storage, `active_bytes` of `active` among it.
    pub(super) fn publish_durable_end(
        &self,
        mut writer: WriterGuard<'_>,
        end: i64,
        active: &Arc<Segment>,
        active_bytes: u64,
    ) -> Published {
        assert!(end <= writer.next_offset, "a log is not cut while it is synced");
        assert!(end >= self.durable_end(), "what is durable stays so");
        if Arc::ptr_eq(&writer.active, active) {
            writer.durable_bytes = active_bytes;
        }
        self.durable_end.store(end, Ordering::Release);
        writer.first_syncing = None;
        let visible_before = self.visible_end();
        self.publish_visible(&mut writer);
        let moved = self.visible_end() > visible_before;
        drop(writer);
        let due = self.waiters.lock().take(|offset| offset <= end);
        let on_visible = if moved { self.on_visible.read().clone() } else { None };
        Published { end, due, on_visible }
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

    /// The files hold everything before `end`: writes what recovery would otherwise have to make
    /// anew, and moves the recovery point. Not if the log has been cut since.
    pub(super) fn tidy(&self, end: i64, cuts: u64) {
        let _no_sync = self.sync_lock.lock();
        if self.check_writable().is_ok() && self.lock_writer().cuts == cuts {
            self.housekeeping(end);
        }
    }

    /// A full disk, or no descriptor, leaves it for later; the recovery point stays back then.
    fn housekeeping(&self, end: i64) {
        let (unsealed, epochs) = {
            let mut writer = self.lock_writer();
            // A log that was led but never written to has no directory for them yet.
            let are_due = self.is_on_disk(&writer) && mem::take(&mut writer.epochs_unwritten);
            let epochs = are_due.then(|| writer.encode_epochs());
            (mem::take(&mut writer.unsealed), epochs)
        };
        let mut written = self.write_epochs(epochs.as_deref());
        if written.is_ok() {
            written = self.seal(&unsealed);
        }
        match written {
            Ok(()) => {
                self.recovery_point.fetch_max(end, Ordering::AcqRel);
                self.sums_are_due(&unsealed);
            }
            Err((error, what)) => {
                self.context.dir.judge_write_error(&error, &what);
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
    /// What is appended from now on waits for the next sync.
    pub(super) fn begin_sync(&mut self) {
        let first = self.first_undurable.take();
        self.first_syncing = self.first_syncing.or(first);
        self.unflushed_records = 0;
        self.unflushed_since_ms = None;
    }

    pub(super) fn plan_sync(&mut self) -> Plan {
        self.begin_sync();
        Plan {
            end: self.next_offset,
            rolled: mem::take(&mut self.unsynced),
            active: Arc::clone(&self.active),
            active_bytes: self.active.size(),
            cuts: self.cuts,
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
