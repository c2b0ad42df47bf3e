//! Every API of Kafka 4.4: one table.

use std::fmt;
use std::ops::RangeInclusive;

/// The first flexible version of an API that has none.
const NEVER: i16 = i16::MAX;

/// What the table says of one API.
struct Row {
    key: ApiKey,
    name: &'static str,
    versions: RangeInclusive<i16>,
    first_flexible: i16,
}

/// Declares [`ApiKey`] and its table.
macro_rules! apis {
    ($($key:literal $name:ident $min:literal..=$max:literal, $first_flexible:expr;)*) => {
        /// An API of Kafka 4.4, by its number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        #[allow(missing_docs, reason = "the schema file of each says what it is for")]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// Every key, by number, the removed ones too.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }

        #[allow(clippy::reversed_empty_ranges, reason = "a removed API has no versions")]
        static TABLE: &[Row] = &[$(Row {
            key: ApiKey::$name,
            name: stringify!($name),
            versions: $min..=$max,
            first_flexible: $first_flexible,
        },)*];
    };
}

// Key, name, the versions that Kafka 4.4 serves (none for the keys of the ZooKeeper era), and the
// first version with tagged fields and compact lengths (KIP-482).
apis! {
     0 Produce 3..=13, 9;
     1 Fetch 4..=18, 12;
     2 ListOffsets 1..=11, 6;
     3 Metadata 0..=13, 9;
     4 LeaderAndIsr 0..=-1, NEVER;
     5 StopReplica 0..=-1, NEVER;
     6 UpdateMetadata 0..=-1, NEVER;
     7 ControlledShutdown 0..=-1, NEVER;
     8 OffsetCommit 2..=10, 8;
     9 OffsetFetch 1..=10, 6;
    10 FindCoordinator 0..=6, 3;
    11 JoinGroup 0..=9, 6;
    12 Heartbeat 0..=4, 4;
    13 LeaveGroup 0..=5, 4;
    14 SyncGroup 0..=5, 4;
    15 DescribeGroups 0..=6, 5;
    16 ListGroups 0..=5, 3;
    17 SaslHandshake 0..=1, NEVER;
    18 ApiVersions 0..=5, 3;
    19 CreateTopics 2..=7, 5;
    20 DeleteTopics 1..=6, 4;
    21 DeleteRecords 0..=2, 2;
    22 InitProducerId 0..=5, 2;
    23 OffsetForLeaderEpoch 2..=4, 4;
    24 AddPartitionsToTxn 0..=5, 3;
    25 AddOffsetsToTxn 0..=4, 3;
    26 EndTxn 0..=5, 3;
    27 WriteTxnMarkers 1..=2, 1;
    28 TxnOffsetCommit 0..=6, 3;
    29 DescribeAcls 1..=3, 2;
    30 CreateAcls 1..=3, 2;
    31 DeleteAcls 1..=3, 2;
    32 DescribeConfigs 1..=4, 4;
    33 AlterConfigs 0..=2, 2;
    34 AlterReplicaLogDirs 1..=2, 2;
    35 DescribeLogDirs 1..=5, 2;
    36 SaslAuthenticate 0..=2, 2;
    37 CreatePartitions 0..=3, 2;
    38 CreateDelegationToken 1..=3, 2;
    39 RenewDelegationToken 1..=2, 2;
    40 ExpireDelegationToken 1..=2, 2;
    41 DescribeDelegationToken 1..=3, 2;
    42 DeleteGroups 0..=3, 2;
    43 ElectLeaders 0..=2, 2;
    44 IncrementalAlterConfigs 0..=1, 1;
    45 AlterPartitionReassignments 0..=1, 0;
    46 ListPartitionReassignments 0..=0, 0;
    47 OffsetDelete 0..=0, NEVER;
    48 DescribeClientQuotas 0..=1, 1;
    49 AlterClientQuotas 0..=1, 1;
    50 DescribeUserScramCredentials 0..=0, 0;
    51 AlterUserScramCredentials 0..=0, 0;
    52 Vote 0..=2, 0;
    53 BeginQuorumEpoch 0..=1, 1;
    54 EndQuorumEpoch 0..=1, 1;
    55 DescribeQuorum 0..=2, 0;
    56 AlterPartition 2..=3, 0;
    57 UpdateFeatures 0..=2, 0;
    58 Envelope 0..=0, 0;
    59 FetchSnapshot 0..=1, 0;
    60 DescribeCluster 0..=2, 0;
    61 DescribeProducers 0..=0, 0;
    62 BrokerRegistration 0..=4, 0;
    63 BrokerHeartbeat 0..=2, 0;
    64 UnregisterBroker 0..=0, 0;
    65 DescribeTransactions 0..=0, 0;
    66 ListTransactions 0..=2, 0;
    67 AllocateProducerIds 0..=0, 0;
    68 ConsumerGroupHeartbeat 0..=1, 0;
    69 ConsumerGroupDescribe 0..=1, 0;
    70 ControllerRegistration 0..=0, 0;
    71 GetTelemetrySubscriptions 0..=0, 0;
    72 PushTelemetry 0..=0, 0;
    73 AssignReplicasToDirs 0..=0, 0;
    74 ListConfigResources 0..=1, 0;
    75 DescribeTopicPartitions 0..=0, 0;
    76 ShareGroupHeartbeat 1..=1, 0;
    77 ShareGroupDescribe 1..=1, 0;
    78 ShareFetch 1..=2, 0;
    79 ShareAcknowledge 1..=2, 0;
    80 AddRaftVoter 0..=1, 0;
    81 RemoveRaftVoter 0..=0, 0;
    82 UpdateRaftVoter 0..=0, 0;
    83 InitializeShareGroupState 0..=0, 0;
    84 ReadShareGroupState 0..=0, 0;
    85 WriteShareGroupState 0..=1, 0;
    86 DeleteShareGroupState 0..=0, 0;
    87 ReadShareGroupStateSummary 0..=1, 0;
    88 StreamsGroupHeartbeat 0..=1, 0;
    89 StreamsGroupDescribe 0..=1, 0;
    90 DescribeShareGroupOffsets 0..=1, 0;
    91 AlterShareGroupOffsets 0..=0, 0;
    92 DeleteShareGroupOffsets 0..=0, 0;
    93 StreamsGroupTopologyDescriptionUpdate 0..=0, 0;
    94 UnregisterController 0..=0, 0;
}

impl ApiKey {
    /// The API with this number, if Kafka 4.4 has one with any version.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        let row = TABLE.get(usize::try_from(code).ok()?)?;
        (!row.versions.is_empty()).then_some(row.key)
    }

    /// The number of the API.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Kafka's name, such as `OffsetForLeaderEpoch`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// The versions that Kafka 4.4 serves: an empty range for the removed APIs. Versions that are
    /// not stable in 4.4 are left out, even if [`messages`](crate::messages) has them.
    #[must_use]
    pub fn versions(self) -> RangeInclusive<i16> {
        self.row().map_or(RangeInclusive::new(0, -1), |row| row.versions.clone())
    }

    /// The lowest version that ApiVersions names. It is 0 for Produce, though versions 0 to 2 are
    /// gone: librdkafka switches features off otherwise (KAFKA-18659).
    #[must_use]
    pub fn advertised_min_version(self) -> i16 {
        if self == Self::Produce { 0 } else { *self.versions().start() }
    }

    /// Whether a version has tagged fields and compact lengths. Versions outside the range are
    /// answered too: the header of an unknown version of ApiVersions must be read.
    #[must_use]
    pub fn is_flexible(self, version: i16) -> bool {
        self.row().is_some_and(|row| version >= row.first_flexible)
    }

    /// The version of the request header before a request of `version`: 1 or 2.
    #[must_use]
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the response header before a response of `version`: 0 or 1. That of
    /// ApiVersions is always 0, so that a client can read it before it knows anything (KIP-511).
    #[must_use]
    pub fn response_header_version(self, version: i16) -> i16 {
        if self != Self::ApiVersions && self.is_flexible(version) { 1 } else { 0 }
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.get(usize::try_from(self.code()).ok()?)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<ApiKey> for i16 {
    fn from(key: ApiKey) -> Self {
        key.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_indexed_by_number() {
        assert_eq!(TABLE.len(), 95);
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(usize::try_from(row.key.code()), Ok(at), "{}", row.name);
        }
        assert_eq!(ApiKey::ALL.len(), TABLE.len());
    }

    #[test]
    fn removed_and_unknown_numbers_are_no_api() {
        for code in [-1, 4, 5, 6, 7, 95, i16::MAX, i16::MIN] {
            assert_eq!(ApiKey::from_code(code), None, "{code}");
        }
        assert_eq!(ApiKey::from_code(94), Some(ApiKey::UnregisterController));
    }

    #[test]
    fn header_versions() {
        assert_eq!(ApiKey::Metadata.request_header_version(8), 1);
        assert_eq!(ApiKey::Metadata.request_header_version(9), 2);
        assert_eq!(ApiKey::Metadata.response_header_version(8), 0);
        assert_eq!(ApiKey::Metadata.response_header_version(9), 1);
        assert_eq!(ApiKey::ApiVersions.request_header_version(i16::MAX - 1), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(5), 0);
        assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
    }
}
