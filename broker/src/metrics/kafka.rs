//! The gauges of Kafka's subsystems, by their usual names. Those who own the values fill in the
//! structs here; the names stay in one place.

use super::exposition::Exposition;

/// One partition that this broker hosts.
#[derive(Debug, Clone, Copy)]
pub struct PartitionGauges<'a> {
    pub topic: &'a str,
    pub partition: i32,
    /// -1: none.
    pub leader: i32,
    /// The replica that should lead.
    pub preferred_leader: i32,
    pub replicas: usize,
    pub in_sync_replicas: usize,
    pub min_in_sync_replicas: usize,
    /// Bytes of its log.
    pub size: u64,
    pub log_start_offset: i64,
    pub log_end_offset: i64,
    /// Where consumers can read to.
    pub high_watermark: i64,
    pub segments: usize,
}

/// What the replica manager has in sum.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicaManagerGauges {
    pub partitions: usize,
    pub leaders: usize,
    pub offline_replicas: usize,
    pub under_replicated: usize,
    pub under_min_isr: usize,
    pub at_min_isr: usize,
    pub producer_ids: usize,
    pub offline_log_directories: usize,
    /// Sealed files that the scrub found damaged.
    pub damaged_files: usize,
}

/// The state of the metadata, as the active controller sees it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ControllerGauges {
    pub is_active: bool,
    pub topics: usize,
    pub partitions: usize,
    pub offline_partitions: usize,
    pub active_brokers: usize,
    pub fenced_brokers: usize,
    pub last_applied_offset: i64,
}

/// What a group committed for one partition.
#[derive(Debug, Clone, Copy)]
pub struct GroupOffset<'a> {
    pub group: &'a str,
    pub topic: &'a str,
    pub partition: i32,
    pub committed_offset: i64,
    /// Where consumers can read to; None if the partition is not known.
    pub end_offset: Option<i64>,
}

/// Connections of one listener.
#[derive(Debug, Clone, Copy)]
pub struct ListenerGauges<'a> {
    pub listener: &'a str,
    pub connections: usize,
}

impl PartitionGauges<'_> {
    /// Writes the partition's gauges under Kafka's names and those of kafka_exporter.
    pub fn collect(&self, out: &mut Exposition) {
        let number = self.partition.to_string();
        let labels = [("topic", self.topic), ("partition", number.as_str())];
        let flag = |set: bool| if set { 1.0 } else { 0.0 };
        let under_replicated = flag(self.in_sync_replicas < self.replicas);
        let (start, end) = (self.log_start_offset as f64, self.high_watermark as f64);
        let replicas = self.replicas as f64;
        let in_sync = self.in_sync_replicas as f64;
        for (name, help, value) in [
            ("kafka_log_log_size", "Bytes of the log.", self.size as f64),
            ("kafka_log_log_logstartoffset", "First offset of the log.", start),
            (
                "kafka_log_log_logendoffset",
                "Offset of the next record.",
                self.log_end_offset as f64,
            ),
            ("kafka_log_log_numlogsegments", "Segments of the log.", self.segments as f64),
            (
                "kafka_cluster_partition_underreplicated",
                "1 if a replica is not in sync.",
                under_replicated,
            ),
            (
                "kafka_cluster_partition_underminisr",
                "1 if too few replicas are in sync for acks=all.",
                flag(self.in_sync_replicas < self.min_in_sync_replicas),
            ),
            (
                "kafka_cluster_partition_atminisr",
                "1 if just enough replicas are in sync for acks=all.",
                flag(self.in_sync_replicas == self.min_in_sync_replicas),
            ),
            ("kafka_cluster_partition_insyncreplicascount", "Replicas in sync.", in_sync),
            ("kafka_cluster_partition_replicascount", "Replicas.", replicas),
            ("kafka_topic_partition_current_offset", "Where consumers can read to.", end),
            ("kafka_topic_partition_oldest_offset", "First offset that can be read.", start),
            ("kafka_topic_partition_in_sync_replica", "Replicas in sync.", in_sync),
            ("kafka_topic_partition_replicas", "Replicas.", replicas),
            ("kafka_topic_partition_leader", "The leader; -1: none.", f64::from(self.leader)),
            (
                "kafka_topic_partition_leader_is_preferred",
                "1 if the first replica leads.",
                flag(self.leader == self.preferred_leader),
            ),
            (
                "kafka_topic_partition_under_replicated_partition",
                "1 if a replica is not in sync.",
                under_replicated,
            ),
        ] {
            out.gauge(name, help, &labels, value);
        }
    }
}

/// How many partitions a topic has.
pub fn topic_partitions(out: &mut Exposition, topic: &str, partitions: usize) {
    let help = "Partitions of the topic.";
    out.gauge("kafka_topic_partitions", help, &[("topic", topic)], partitions as f64);
}

/// The brokers there are, by id and `host:port`.
pub fn brokers<'a>(out: &mut Exposition, brokers: impl IntoIterator<Item = (i32, &'a str)>) {
    let mut count = 0.0;
    for (id, address) in brokers {
        count += 1.0;
        let labels = [("id", &*id.to_string()), ("address", address)];
        out.gauge("kafka_broker_info", "1 for each broker.", &labels, 1.0);
    }
    out.gauge("kafka_brokers", "Brokers there are.", &[], count);
}

impl ReplicaManagerGauges {
    pub fn collect(&self, out: &mut Exposition) {
        for (name, help, value) in [
            ("kafka_server_replicamanager_partitioncount", "Partitions hosted.", self.partitions),
            ("kafka_server_replicamanager_leadercount", "Partitions led.", self.leaders),
            (
                "kafka_server_replicamanager_offlinereplicacount",
                "Partitions on failed log directories.",
                self.offline_replicas,
            ),
            (
                "kafka_server_replicamanager_underreplicatedpartitions",
                "Partitions led with a replica that is not in sync.",
                self.under_replicated,
            ),
            (
                "kafka_server_replicamanager_underminisrpartitioncount",
                "Partitions led with too few replicas in sync for acks=all.",
                self.under_min_isr,
            ),
            (
                "kafka_server_replicamanager_atminisrpartitioncount",
                "Partitions led with just enough replicas in sync for acks=all.",
                self.at_min_isr,
            ),
            (
                "kafka_server_replicamanager_produceridcount",
                "Producers whose state is kept.",
                self.producer_ids,
            ),
            (
                "kafka_log_logmanager_offlinelogdirectorycount",
                "Log directories that failed.",
                self.offline_log_directories,
            ),
            (
                "barnabas_log_damaged_files",
                "Files of sealed segments that the scrub found damaged.",
                self.damaged_files,
            ),
        ] {
            out.gauge(name, help, &[], value as f64);
        }
    }
}

impl ControllerGauges {
    pub fn collect(&self, out: &mut Exposition) {
        for (name, help, value) in [
            (
                "kafka_controller_kafkacontroller_activecontrollercount",
                "1 on the active controller.",
                if self.is_active { 1.0 } else { 0.0 },
            ),
            ("kafka_controller_kafkacontroller_globaltopiccount", "Topics.", self.topics as f64),
            (
                "kafka_controller_kafkacontroller_globalpartitioncount",
                "Partitions of all topics.",
                self.partitions as f64,
            ),
            (
                "kafka_controller_kafkacontroller_offlinepartitionscount",
                "Partitions without a leader.",
                self.offline_partitions as f64,
            ),
            (
                "kafka_controller_kafkacontroller_activebrokercount",
                "Brokers that serve.",
                self.active_brokers as f64,
            ),
            (
                "kafka_controller_kafkacontroller_fencedbrokercount",
                "Brokers that do not serve.",
                self.fenced_brokers as f64,
            ),
            (
                "kafka_controller_kafkacontroller_lastappliedrecordoffset",
                "The last metadata record that is in force.",
                self.last_applied_offset as f64,
            ),
        ] {
            out.gauge(name, help, &[], value);
        }
    }
}

impl GroupOffset<'_> {
    /// Writes the committed offset and the lag.
    pub fn collect(&self, out: &mut Exposition) {
        let number = self.partition.to_string();
        let labels =
            [("consumergroup", self.group), ("topic", self.topic), ("partition", number.as_str())];
        let committed = self.committed_offset as f64;
        let name = "kafka_consumergroup_current_offset";
        out.gauge(name, "Offset that the group committed.", &labels, committed);
        if let Some(lag) = self.lag() {
            let help = "Records after the committed offset.";
            out.gauge("kafka_consumergroup_lag", help, &labels, lag as f64);
        }
    }

    /// Records after the committed offset.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end_offset?.saturating_sub(self.committed_offset).max(0))
    }
}

/// Members of a group.
pub fn group_members(out: &mut Exposition, group: &str, members: usize) {
    let help = "Members of the group.";
    out.gauge("kafka_consumergroup_members", help, &[("consumergroup", group)], members as f64);
}

/// The lag of a group in a topic, over all partitions.
pub fn group_lag_sum(out: &mut Exposition, group: &str, topic: &str, lag: i64) {
    let labels = [("consumergroup", group), ("topic", topic)];
    let help = "Records after the committed offsets, over all partitions.";
    out.gauge("kafka_consumergroup_lag_sum", help, &labels, lag as f64);
}

/// How many groups there are in a state (`Stable`, `Empty`, ...).
pub fn groups(out: &mut Exposition, state: &str, count: usize) {
    let help = "Groups by state.";
    let name = "kafka_coordinator_group_groupmetadatamanager_numgroups";
    out.gauge(name, help, &[("state", state)], count as f64);
}

impl ListenerGauges<'_> {
    pub fn collect(&self, out: &mut Exposition) {
        let name = "kafka_server_socket_server_metrics_connection_count";
        let labels = [("listener", self.listener)];
        out.gauge(name, "Open connections.", &labels, self.connections as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_and_a_groups_lag() {
        let mut out = Exposition::default();
        let partition = PartitionGauges {
            topic: "t",
            partition: 3,
            leader: 1,
            preferred_leader: 1,
            replicas: 1,
            in_sync_replicas: 1,
            min_in_sync_replicas: 1,
            size: 99,
            log_start_offset: 5,
            log_end_offset: 20,
            high_watermark: 18,
            segments: 2,
        };
        partition.collect(&mut out);
        let offset = GroupOffset {
            group: "g",
            topic: "t",
            partition: 3,
            committed_offset: 11,
            end_offset: Some(18),
        };
        offset.collect(&mut out);
        let text = out.finish();
        for line in [
            "kafka_log_log_size{topic=\"t\",partition=\"3\"} 99",
            "kafka_topic_partition_current_offset{topic=\"t\",partition=\"3\"} 18",
            "kafka_topic_partition_leader_is_preferred{topic=\"t\",partition=\"3\"} 1",
            "kafka_cluster_partition_underminisr{topic=\"t\",partition=\"3\"} 0",
            "kafka_consumergroup_lag{consumergroup=\"g\",topic=\"t\",partition=\"3\"} 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(GroupOffset { committed_offset: 30, ..offset }.lag(), Some(0));
        assert_eq!(GroupOffset { end_offset: None, ..offset }.lag(), None);
    }
}
