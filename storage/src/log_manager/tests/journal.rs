//! Durable appends through the journal, with power cuts in between.
//!
//! There are no threads here: what is queued is done by `run_pending`.

use super::*;
use crate::fs::{Fault, Op, PowerCut, Rule};
use crate::log::durable::NotDurable;

type Answer = mpsc::Receiver<Result<i64, NotDurable>>;

fn machine() -> Machine {
    let mut machine = Machine::new(&["/a"]);
    machine.config.sync_threads_per_data_dir = 0;
    machine.config.journal_bytes_max = Some(64 << 10);
    machine
}

/// Asks for a durable append, without doing anything for it.
fn ask(log: &Arc<Log>, records: usize) -> Answer {
    let appended = log.append_as_leader(&batch(records), 0, RequiredAcks::All, 0).unwrap();
    when_durable(log, appended.last_offset + 1)
}

fn when_durable(log: &Arc<Log>, end: i64) -> Answer {
    let (sender, receiver) = mpsc::channel();
    let done = move |answer: Result<crate::Durable, _>| {
        // Not every test wants to know.
        let _ = sender.send(answer.map(|durable| durable.end()));
    };
    log.when_durable(end, Box::new(done));
    receiver
}

fn run(log: &Arc<Log>) {
    log.sync_queue().run_pending();
}

/// Logs whose names are durable: from now on they go through the journal.
fn settled_logs(manager: &LogManager, count: i32) -> Vec<Arc<Log>> {
    let logs: Vec<_> = (0..count).map(|number| create(manager, number)).collect();
    let asked: Vec<_> = logs.iter().map(|log| ask(log, 1)).collect();
    run(&logs[0]);
    assert!(asked.iter().all(|answer| answer.try_recv() == Ok(Ok(1))));
    logs
}

fn syncs(machine: &Machine) -> usize {
    machine.faulty.count(Op::SyncData)
}

fn log_of(manager: &LogManager, number: i32) -> Arc<Log> {
    manager
        .get_or_create(&partition(number), topic_id(1), LogConfig::default(), Placement::Any)
        .unwrap()
}

#[test]
fn twelve_logs_are_made_durable_by_one_sync_and_survive_a_power_cut() {
    let machine = machine();
    let (manager, _) = machine.start();
    let logs = settled_logs(&manager, 12);
    drop(ask(&logs[0], 1));
    run(&logs[0]);
    for _ in 0..3 {
        let before = syncs(&machine);
        let asked: Vec<_> = logs.iter().map(|log| ask(log, 2)).collect();
        // An ack covers what was appended before it, whoever wanted nothing.
        append(&logs[3], 1);
        assert!(asked.iter().all(|answer| answer.try_recv().is_err()));
        run(&logs[0]);
        assert!(asked.iter().all(|answer| answer.try_recv().unwrap().is_ok()));
        assert_eq!(syncs(&machine) - before, 1);
    }
    assert_eq!((logs[3].durable_end(), logs[3].recovery_point()), (10, 1));
    assert_eq!(logs[3].visible_end(), 10);
    machine.crash(manager);

    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.failed.len()), (12, 0));
    assert_eq!(log_of(&manager, 0).log_end_offset(), 8);
    assert_eq!(log_of(&manager, 3).log_end_offset(), 10);
    // Nothing was durable of which nobody asked it.
    append(&log_of(&manager, 5), 4);
    machine.crash(manager);
    assert_eq!(log_of(&machine.start().0, 5).log_end_offset(), 7);
}

#[test]
fn readers_and_duplicates_wait_for_the_journal_too() {
    let machine = machine();
    let (manager, _) = machine.start();
    let log = &settled_logs(&manager, 1)[0];
    let mut builder = BatchBuilder::new().producer(7, 0, 0);
    builder.append(0, None, Some(b"once"), &[]).unwrap();
    let once = ValidatedBatch::internal(&builder.build().unwrap()).unwrap();
    let append = || log.append_as_leader(&once, 0, RequiredAcks::All, 0).unwrap();
    let first = append();
    let again = append();
    assert!(again.duplicate && again.last_offset == first.last_offset);
    let answer = when_durable(log, again.last_offset + 1);
    assert_eq!((log.visible_end(), log.log_end_offset()), (1, 2));
    assert!(answer.try_recv().is_err());
    run(log);
    assert_eq!((answer.try_recv(), log.visible_end()), (Ok(Ok(2)), 2));
}

#[test]
fn a_log_with_much_to_add_or_a_new_segment_syncs_its_own_files() {
    let machine = machine();
    let (manager, _) = machine.start();
    let logs = settled_logs(&manager, 2);
    let large = ask(&logs[0], 12_000);
    assert!(logs[0].size() > 64 << 10);
    let small = ask(&logs[1], 1);
    run(&logs[0]);
    assert!(large.try_recv().unwrap().is_ok() && small.try_recv().unwrap().is_ok());
    assert_eq!((logs[0].recovery_point(), logs[1].recovery_point()), (12_001, 1));

    let before_roll = ask(&logs[1], 1);
    logs[1].roll().unwrap();
    let after_roll = ask(&logs[1], 1);
    run(&logs[0]);
    assert!(before_roll.try_recv().unwrap().is_ok() && after_roll.try_recv().unwrap().is_ok());
    assert_eq!(logs[1].recovery_point(), 4);
    machine.crash(manager);
    let (manager, _) = machine.start();
    assert_eq!(log_of(&manager, 0).log_end_offset(), 12_001);
    assert_eq!(log_of(&manager, 1).log_end_offset(), 4);
}

#[test]
fn a_small_journal_is_used_again_and_again() {
    let machine = machine();
    let (manager, _) = machine.start();
    let logs = settled_logs(&manager, 3);
    for round in 0..200 {
        let asked: Vec<_> = logs.iter().map(|log| ask(log, 20 + round % 7)).collect();
        run(&logs[0]);
        assert!(asked.iter().all(|answer| answer.try_recv().unwrap().is_ok()), "{round}");
    }
    assert!(logs[0].recovery_point() > 0, "debts are settled on the way");
    let len = machine.mem.metadata(Path::new("/a/barnabas-journal")).unwrap().len;
    assert!(len <= (64 << 10) + 4096, "{len}");
    let ends: Vec<i64> = logs.iter().map(|log| log.log_end_offset()).collect();
    machine.crash(manager);
    let (manager, _) = machine.start();
    for (number, end) in (0..).zip(ends) {
        assert_eq!(log_of(&manager, number).log_end_offset(), end);
    }
}

#[test]
fn truncation_deletion_and_a_new_topic_leave_nothing_to_be_replayed() {
    let machine = machine();
    let (manager, _) = machine.start();
    let logs = settled_logs(&manager, 3);
    let asked: Vec<_> = logs.iter().map(|log| ask(log, 5)).collect();
    run(&logs[0]);
    drop(asked);
    logs[0].truncate_to(1).unwrap();
    logs[1].truncate_fully_and_start_at(40).unwrap();
    manager.delete(&partition(2), 0).unwrap();
    let anew = manager
        .get_or_create(&partition(2), topic_id(2), LogConfig::default(), Placement::Any)
        .unwrap();
    drop((ask(&logs[0], 1), ask(&logs[1], 1), ask(&anew, 1)));
    run(&logs[0]);
    drop((ask(&logs[0], 1), ask(&logs[1], 1), ask(&anew, 1)));
    run(&logs[0]);
    machine.crash(manager);
    let (manager, report) = machine.start();
    assert_eq!(report.failed.len(), 0, "{:?}", report.failed);
    assert_eq!(log_of(&manager, 0).log_end_offset(), 3);
    let log = log_of(&manager, 1);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (40, 42));
    assert_eq!(manager.get(&partition(2)).unwrap().log_end_offset(), 2);
    assert_eq!(manager.topic_id(&partition(2)), Some(topic_id(2)));
}

#[test]
fn damage_in_what_the_journal_knows_to_be_durable_is_not_cut_off() {
    for (from_end, is_refused) in [(200, true), (10, false)] {
        let machine = machine();
        let (manager, _) = machine.start();
        let log = settled_logs(&manager, 1).remove(0);
        for _ in 0..4 {
            drop(ask(&log, 1));
            run(&log);
        }
        // The file holds it now, and nothing else says that it was durable.
        log.sync_queue().settle_all();
        append(&log, 1);
        let file = machine
            .mem
            .open(&log.path().join("00000000000000000000.log"), crate::fs::OpenMode::ReadWrite)
            .unwrap();
        let len = file.len().unwrap();
        crate::fs::write_all_at(&*file, &mut [std::io::IoSlice::new(b"X")], len - from_end)
            .unwrap();
        file.sync_data().unwrap();
        machine.crash(manager);
        let (manager, report) = machine.start();
        assert_eq!(report.failed.len(), usize::from(is_refused), "{:?}", report.failed);
        if !is_refused {
            assert_eq!(log_of(&manager, 0).log_end_offset(), 5);
        }
    }
}

#[test]
fn a_clean_stop_leaves_nothing_that_counts_and_another_mode_replays_what_there_is() {
    let mut machine = machine();
    let (manager, _) = machine.start();
    let logs = settled_logs(&manager, 2);
    drop((ask(&logs[0], 1), ask(&logs[1], 1)));
    run(&logs[0]);
    assert!(manager.close(EPOCH));
    drop((logs, manager));
    let (manager, report) = machine.start();
    assert!(report.recovered_dirs.is_empty());
    let logs: Vec<_> = (0..2).map(|number| log_of(&manager, number)).collect();
    // The first durable append after a start makes sure of the names.
    for end in [3, 4] {
        let asked: Vec<_> = logs.iter().map(|log| ask(log, 1)).collect();
        run(&logs[0]);
        assert!(asked.iter().all(|answer| answer.try_recv() == Ok(Ok(end))));
    }
    machine.crash(manager);
    machine.config.journal_bytes_max = None;
    let (manager, _) = machine.start();
    let log = log_of(&manager, 1);
    assert_eq!(log.log_end_offset(), 4);
    let before = syncs(&machine);
    drop(ask(&log, 1));
    run(&log);
    assert!(syncs(&machine) > before && log.recovery_point() == 5, "its own file is synced");
    machine.crash(manager);
    assert_eq!(log_of(&machine.start().0, 1).log_end_offset(), 5);
}

#[test]
fn a_failed_sync_of_the_journal_is_final_for_its_directory_alone() {
    let mut machine = Machine::new(&["/a", "/b"]);
    machine.config.sync_threads_per_data_dir = 0;
    let (manager, _) = machine.start();
    let logs = [create(&manager, 0), create(&manager, 1)];
    let (a, b) = if logs[0].path().starts_with("/a") { (0, 1) } else { (1, 0) };
    for log in &logs {
        drop(ask(log, 1));
        run(log);
    }
    let rule = Rule::next(Op::SyncData, 1, Fault::Io);
    machine.faulty.add(Rule { path_contains: "/a/barnabas-journal".to_owned(), ..rule });
    let lost = ask(&logs[a], 1);
    run(&logs[a]);
    assert!(matches!(lost.try_recv().unwrap(), Err(NotDurable::Unwritable(_))));
    assert_eq!((logs[a].durable_end(), logs[a].visible_end()), (1, 1));
    assert!(logs[a].dir().offline_reason().unwrap().contains("barnabas-journal"));
    let before = syncs(&machine);
    assert!(logs[a].append_as_leader(&batch(1), 0, RequiredAcks::All, 0).is_err());
    run(&logs[a]);
    logs[a].sync_queue().settle_all();
    assert_eq!(syncs(&machine), before, "a sync is never repeated");
    let good = ask(&logs[b], 1);
    run(&logs[b]);
    assert_eq!(good.try_recv(), Ok(Ok(2)));
    assert_eq!(manager.tick(0).newly_offline.len(), 1);
}

#[test]
fn a_disk_without_room_for_the_journal_syncs_the_files() {
    let machine = machine();
    let (manager, _) = machine.start();
    let log = settled_logs(&manager, 1).remove(0);
    let rule = Rule::next(Op::Write, usize::MAX, Fault::NoSpace);
    machine.faulty.add(Rule { path_contains: "barnabas-journal".to_owned(), ..rule });
    let answer = ask(&log, 1);
    run(&log);
    assert_eq!((answer.try_recv(), log.recovery_point()), (Ok(Ok(2)), 2));
    assert!(!log.dir().is_offline() && !log.dir().is_full());
    machine.faulty.heal();
    let answer = ask(&log, 1);
    run(&log);
    assert_eq!((answer.try_recv(), log.recovery_point()), (Ok(Ok(3)), 2));
}

#[test]
fn a_damaged_journal_takes_its_directory_offline_with_one_sentence() {
    let machine = machine();
    let (manager, _) = machine.start();
    let log = settled_logs(&manager, 1).remove(0);
    drop(ask(&log, 1));
    run(&log);
    let file =
        machine.mem.open(Path::new("/a/barnabas-journal"), crate::fs::OpenMode::ReadWrite).unwrap();
    crate::fs::write_all_at(&*file, &mut [std::io::IoSlice::new(b"X")], 25).unwrap();
    file.sync_data().unwrap();
    machine.crash(manager);
    let error = machine.try_start().unwrap_err().to_string();
    assert!(error.contains("/a/barnabas-journal is damaged at position 0"), "{error}");
}

#[test]
fn a_repair_writes_back_what_the_journal_holds_before_it_judges() {
    let machine = machine();
    let (manager, _) = machine.start();
    let log = settled_logs(&manager, 1).remove(0);
    drop(ask(&log, 5));
    run(&log);
    drop(log);
    machine.crash(manager);
    let fs: Arc<dyn Fs> = Arc::new(machine.faulty.clone());
    let repair = crate::repair::Repair::plan(&fs, Path::new("/a")).unwrap();
    repair.apply(&mut |_, _| {}).unwrap();
    drop(repair);
    assert_eq!(log_of(&machine.start().0, 0).log_end_offset(), 6);
}

#[test]
fn flush_ms_counts_acks_1_and_has_its_own_timer() {
    let machine = machine();
    let (manager, _) = machine.start();
    let log = settled_logs(&manager, 1).remove(0);
    log.update_config(LogConfig { flush_ms: 50, ..LogConfig::default() });
    log.append_as_leader(&batch(1), 0, RequiredAcks::Leader, 1000).unwrap();
    let fire = |now_ms| {
        manager.flush_timer.fire(now_ms);
        run(&log);
        log.durable_end()
    };
    assert_eq!((fire(1049), fire(1050)), (1, 2));
    // What a sync has covered in the meantime starts no other.
    log.append_as_leader(&batch(1), 0, RequiredAcks::Leader, 2000).unwrap();
    log.flush().unwrap();
    log.append_as_leader(&batch(1), 0, RequiredAcks::Leader, 2040).unwrap();
    assert_eq!((fire(2050), fire(2089), fire(2090)), (3, 3, 4));
}

#[test]
fn no_ack_is_lost_to_a_cut_at_any_write_or_sync() {
    let mut cut_short = 0;
    for (op, skip) in [Op::Write, Op::SyncData, Op::SyncDir]
        .into_iter()
        .flat_map(|op| (0..40).map(move |skip| (op, skip)))
    {
        for kind in PowerCut::ALL {
            let machine = machine();
            let (manager, _) = machine.start();
            machine.faulty.add(Rule { skip, ..Rule::next(op, usize::MAX, Fault::Io) });
            let logs: Vec<_> = (0..3).map(|number| create(&manager, number)).collect();
            let mut acked = [0; 3];
            for round in 0..12 {
                let ask = |log: &Arc<Log>| {
                    let appended = log.append_as_leader(&batch(30), 0, RequiredAcks::All, 0);
                    appended.ok().map(|appended| when_durable(log, appended.last_offset + 1))
                };
                let asked: Vec<_> = logs.iter().map(ask).collect();
                run(&logs[0]);
                for (acked, answer) in acked.iter_mut().zip(asked) {
                    if let Some(Ok(Ok(end))) = answer.map(|answer| answer.try_recv()) {
                        *acked = end;
                    }
                }
                if round % 5 == 4 {
                    let _ = logs[round % 3].roll();
                }
            }
            cut_short += usize::from(logs[0].dir().is_offline());
            machine.faulty.heal();
            machine.mem.cut_power(kind, skip as u64);
            drop(manager);
            let (manager, report) = machine.start();
            assert!(report.failed.is_empty(), "{op:?} {skip} {kind:?}: {:?}", report.failed);
            for (number, acked) in (0..).zip(acked) {
                let end = manager.get(&partition(number)).map_or(0, |log| log.log_end_offset());
                assert!(
                    end >= acked,
                    "{op:?} {skip} {kind:?}: {number} ends at {end}, not {acked}"
                );
            }
        }
    }
    assert!(cut_short > 100, "only {cut_short} histories were cut short");
}
