//! The verifiable clients and the performance tools: every record accounted for.

use crate::against::both;
use tests::tool::run;

#[test]
fn every_verifiable_record_is_acked_and_consumed() {
    both(|bootstrap| {
        let arguments = format!(
            "--bootstrap-server {bootstrap} --topic verifiable --max-messages 2000 --acks -1"
        );
        let produced = run("kafka-verifiable-producer", &arguments).ok();
        let acked = produced.lines().filter(|line| line.contains("producer_send_success")).count();
        let arguments = format!(
            "--bootstrap-server {bootstrap} --topic verifiable --group-id verifiable-g \
             --max-messages 2000 --reset-policy earliest"
        );
        let consumed = run("kafka-verifiable-consumer", &arguments).ok();
        let commits =
            consumed.lines().filter(|line| line.contains("offsets_committed")).collect::<Vec<_>>();
        assert!(commits.iter().all(|line| line.contains("\"success\":true")), "{consumed}");
        let last = commits.last().copied().unwrap_or_default();
        let offset = last.split("\"offset\":").nth(1).unwrap_or_default();
        let digits: String = offset.chars().take_while(char::is_ascii_digit).collect();
        format!("acked {acked}, committed {digits}")
    });
}

/// Rates differ; the counts must not.
#[test]
fn performance_tools_move_every_record() {
    both(|bootstrap| {
        let arguments = format!(
            "--topic perf --num-records 20000 --record-size 100 --throughput -1 \
             --bootstrap-server {bootstrap} --command-property acks=all"
        );
        let produced = run("kafka-producer-perf-test", &arguments).ok();
        let sent = produced.split_whitespace().next().unwrap_or_default().to_owned();
        let arguments = format!(
            "--topic perf --num-records 20000 --bootstrap-server {bootstrap} --timeout 30000"
        );
        let consumed = run("kafka-consumer-perf-test", &arguments).ok();
        let row = consumed.lines().last().unwrap_or_default();
        let count = row.split(',').nth(4).unwrap_or_default().trim();
        format!("sent {sent}, consumed {count}")
    });
}
