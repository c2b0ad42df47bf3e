//! Produce: appends one batch to each named partition.
//!
//! Everything up to the append happens at once, without a task hop. Only `acks=all` waits: until
//! what was appended is durable.

use std::time::Duration;

use protocol_codec::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, Request, Response, TopicProduceResponse,
};
use protocol_codec::records::{
    CompressedCheck, Compression, ProduceRules, RecordError, validate_produce,
};
use protocol_codec::wire::Records;
use protocol_codec::{ApiKey, ErrorCode, StrBytes};
use storage::{
    AppendError, Appended, CompressionType, Log, LogConfig, RequiredAcks, TimestampType,
};

use crate::broker::{Broker, NodeAddress};
use crate::config::{Durability, ValidateCompressed};
use crate::context::RequestContext;
use crate::dispatch::{self, Answer, Fault, Reply};
use crate::error_mapping::ToErrorCode;
use crate::replication::partition::NotUsable;
use crate::replication::produce_wait::ProduceWait;
use crate::replication::replica_manager::TopicReplicas;
use crate::replication::{Leadership, Partition};
use crate::security::{Operation, Resource};

/// Kafka's admin client may write to internal topics, nobody else.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// From this version on, answers say who leads instead (KIP-951).
const LEADER_HINTS_FROM: i16 = 10;

/// The response, unless nobody wants one.
#[derive(Debug)]
pub struct ProduceAnswer {
    response: Response,
    acks: i16,
}

impl Answer for ProduceAnswer {
    fn set_throttle_time(&mut self, throttle_ms: i32) {
        self.response.throttle_time_ms = throttle_ms;
    }

    fn encode(self, context: &RequestContext) -> Result<Reply, Fault> {
        if self.acks != 0 {
            let response = dispatch::Response::encode(context, &self.response, vec![]);
            return response.map(Reply::Response);
        }
        let mut partitions =
            self.response.responses.iter().flat_map(|topic| &topic.partition_responses);
        // The producer of acks=0 learns of an error only by a closed connection.
        if partitions.any(|partition| partition.error_code != 0) {
            return Err(Fault::NothingToSay);
        }
        Ok(Reply::Nothing)
    }
}

/// What all partitions of a request have in common.
struct Produce<'a> {
    broker: &'a Broker,
    context: &'a RequestContext,
    version: i16,
    acks: RequiredAcks,
    may_write_internal: bool,
    validate: CompressedCheck,
    now_ms: i64,
    wait: Option<ProduceWait>,
    /// Batches so far: the number of a batch in `wait`.
    count: usize,
}

/// Why one batch was refused.
struct Refusal {
    code: ErrorCode,
    message: Option<String>,
    record_errors: Vec<BatchIndexAndErrorMessage>,
    leader: Option<Leadership>,
    /// -1: not told.
    log_start_offset: i64,
}

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> ProduceAnswer {
    let acks = request.acks;
    let config = broker.config();
    let required = match acks {
        0 => Some(RequiredAcks::None),
        1 => Some(RequiredAcks::Leader),
        // Without the promise of stable storage, all in-sync replicas are this one.
        -1 if config.durability == Durability::Kafka => Some(RequiredAcks::Leader),
        -1 => Some(RequiredAcks::All),
        _ => None,
    };
    let Some(required) = required else {
        return ProduceAnswer {
            response: refuse_all(&request, ErrorCode::InvalidRequiredAcks),
            acks,
        };
    };
    if request.transactional_id.is_some() {
        return ProduceAnswer { response: refuse_all(&request, ErrorCode::InvalidTxnState), acks };
    }
    let validate = match config.validate_compressed {
        ValidateCompressed::Full => CompressedCheck::Records,
        ValidateCompressed::Header => CompressedCheck::Header,
    };
    drop(config);
    let mut produce = Produce {
        broker,
        context,
        version: context.api_version,
        acks: required,
        may_write_internal: context.client_id.as_deref() == Some(ADMIN_CLIENT_ID),
        validate,
        now_ms: broker.clock().wall_ms(),
        wait: None,
        count: 0,
    };
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let mut response = produce.append_all(request, acks == -1);
    if let Some(wait) = produce.wait.take() {
        let outcome = wait.outcome(Duration::from_millis(timeout_ms)).await;
        let mut partitions: Vec<_> = response
            .responses
            .iter_mut()
            .flat_map(|topic| &mut topic.partition_responses)
            .collect();
        for number in outcome.timed_out {
            if let Some(partition) = partitions.get_mut(number) {
                set_error(partition, ErrorCode::RequestTimedOut, None);
            }
        }
        for (number, error) in outcome.failed {
            if let Some(partition) = partitions.get_mut(number) {
                set_error(partition, error.error_code(), Some(error.to_string()));
            }
        }
    }
    ProduceAnswer { response, acks }
}

/// The same error for every partition.
fn refuse_all(request: &Request, code: ErrorCode) -> Response {
    let refuse = |data: &PartitionProduceData| {
        let mut partition = empty_response(data.index);
        set_error(&mut partition, code, None);
        partition
    };
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(refuse).collect(),
    });
    Response { responses: responses.collect(), ..Default::default() }
}

impl Produce<'_> {
    fn append_all(&mut self, request: Request, is_acks_all: bool) -> Response {
        let broker = self.broker;
        let topics = broker.replicas().topics();
        let mut response = Response::default();
        response.responses.reserve_exact(request.topic_data.len());
        for topic in request.topic_data {
            let by_id = self.version >= 13;
            let found =
                if by_id { topics.by_id(&topic.topic_id) } else { topics.by_name(&topic.name) };
            // Who may not write does not learn whether the topic is there.
            let name = found.map_or(&*topic.name, |found| &*found.name);
            let is_denied = !name.is_empty()
                && !broker.allows(self.context, Operation::Write, Resource::Topic(name));
            let mut answer = TopicProduceResponse {
                name: topic.name,
                topic_id: topic.topic_id,
                partition_responses: Vec::with_capacity(topic.partition_data.len()),
            };
            for data in topic.partition_data {
                let mut partition = empty_response(data.index);
                let appended = if is_denied {
                    Err(ErrorCode::TopicAuthorizationFailed.into())
                } else {
                    self.append(found, by_id, &data, is_acks_all)
                };
                match appended {
                    Ok(appended) => {
                        partition.base_offset = appended.base_offset;
                        partition.log_append_time_ms = appended.log_append_time_ms;
                        partition.log_start_offset = appended.log_start_offset;
                    }
                    Err(refusal) => {
                        let bytes = data.records.as_ref().map_or(0, Records::len) as u64;
                        broker.metrics().topics.produce_failed(None, bytes);
                        broker.metrics().requests.record_errors(ApiKey::Produce, refusal.code, 1);
                        let leader = refusal.leader.filter(|_| self.version >= LEADER_HINTS_FROM);
                        refusal.write_to(&mut partition);
                        if let Some(leader) = leader {
                            partition.current_leader = leader_id_and_epoch(leader);
                            let listener = &self.context.connection.listener;
                            add_endpoint(broker, listener, leader.leader, &mut response);
                        }
                    }
                }
                self.count += 1;
                answer.partition_responses.push(partition);
            }
            response.responses.push(answer);
        }
        response
    }

    fn append(
        &mut self,
        topic: Option<&std::sync::Arc<TopicReplicas>>,
        by_id: bool,
        data: &PartitionProduceData,
        is_acks_all: bool,
    ) -> Result<Appended, Refusal> {
        let unknown =
            if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let topic = topic.ok_or(unknown)?;
        if !self.may_write_internal && is_internal(&topic.name) {
            return Err(ErrorCode::InvalidTopicException.into());
        }
        let partition = topic.partition(data.index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let (log, leadership) = partition.leader_log(-1)?;
        let Some(Records::Memory(records)) = &data.records else {
            return Err(RecordError::NoBatch.into());
        };
        let config = log.config();
        if is_acks_all && !partition.has_enough_in_sync(config.min_insync_replicas) {
            return Err(Refusal::from(ErrorCode::NotEnoughReplicas).with_log_start(log));
        }
        let rules = produce_rules(&config, self.version, self.validate);
        let batch = validate_produce(records, &rules, self.now_ms).map_err(|error| {
            let told = !is_refused_unseen(&error);
            let refusal = Refusal::from(error);
            if told { refusal.with_log_start(log) } else { refusal }
        })?;
        if batch.header().attributes.is_transactional() {
            return Err(ErrorCode::InvalidTxnState.into());
        }
        let appended =
            Partition::append(partition, log, &batch, leadership.epoch, self.acks, self.now_ms)
                .map_err(|error| append_refused(partition, &error).with_log_start(log))?;
        if !appended.duplicate {
            let metrics = self.broker.metrics();
            let records = u64::try_from(batch.header().records_count).unwrap_or(0);
            metrics.topics.produced(partition.counters(metrics), records, batch.size() as u64);
        }
        if self.acks == RequiredAcks::All {
            let wait = self.wait.get_or_insert_default();
            wait.add(log, appended.last_offset + 1, self.count);
        }
        Ok(appended)
    }
}

/// What Kafka refuses before it looks at the partition.
fn is_refused_unseen(error: &RecordError) -> bool {
    matches!(
        error,
        RecordError::NoBatch
            | RecordError::OldMagic
            | RecordError::ManyBatches
            | RecordError::Compression(_)
    )
}

/// What a client did wrong it is told; what is wrong here goes to the log.
fn append_refused(partition: &Partition, error: &AppendError) -> Refusal {
    let code = error.error_code();
    if code == ErrorCode::KafkaStorageError {
        tracing::error!(partition = %partition.topic_partition(), "Append failed: {error}");
    }
    code.into()
}

/// The internal topics of Kafka: only coordinators write to them.
pub fn is_internal(topic: &str) -> bool {
    matches!(topic, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

fn produce_rules(config: &LogConfig, version: i16, validate: CompressedCheck) -> ProduceRules {
    let size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let compression = match config.compression_type {
        CompressionType::Producer => None,
        CompressionType::Uncompressed => Some((Compression::None, None)),
        CompressionType::Gzip => Some((Compression::Gzip, Some(config.compression_gzip_level))),
        CompressionType::Snappy => Some((Compression::Snappy, None)),
        CompressionType::Lz4 => Some((Compression::Lz4, Some(config.compression_lz4_level))),
        CompressionType::Zstd => Some((Compression::Zstd, Some(config.compression_zstd_level))),
    };
    ProduceRules {
        produce_version: version,
        max_message_bytes: size(config.max_message_bytes),
        timestamp_type: match config.message_timestamp_type {
            TimestampType::CreateTime => protocol_codec::records::TimestampType::CreateTime,
            TimestampType::LogAppendTime => protocol_codec::records::TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        compacted: config.cleanup_policy.compact,
        max_record_bytes: size(config.max_decompressed_message_bytes),
        compressed_check: validate,
        compression,
        ..ProduceRules::default()
    }
}

fn empty_response(index: i32) -> PartitionProduceResponse {
    PartitionProduceResponse { index, base_offset: -1, ..Default::default() }
}

fn set_error(partition: &mut PartitionProduceResponse, code: ErrorCode, message: Option<String>) {
    partition.error_code = code.into();
    partition.base_offset = -1;
    partition.log_append_time_ms = -1;
    partition.log_start_offset = -1;
    partition.error_message = message.map(StrBytes::from);
}

impl Refusal {
    /// Where the log starts is told as well, except with those errors where Kafka does not.
    fn with_log_start(self, log: &Log) -> Self {
        let log_start_offset = match self.code {
            ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge
            | ErrorCode::CorruptMessage
            | ErrorCode::KafkaStorageError => -1,
            _ => log.log_start_offset(),
        };
        Self { log_start_offset, ..self }
    }

    fn write_to(self, partition: &mut PartitionProduceResponse) {
        set_error(partition, self.code, self.message);
        partition.record_errors = self.record_errors;
        partition.log_start_offset = self.log_start_offset;
    }
}

fn leader_id_and_epoch(leadership: Leadership) -> LeaderIdAndEpoch {
    LeaderIdAndEpoch { leader_id: leadership.leader, leader_epoch: leadership.epoch }
}

fn add_endpoint(broker: &Broker, listener: &str, leader: i32, response: &mut Response) {
    if response.node_endpoints.iter().any(|node| node.node_id == leader) {
        return;
    }
    let Some(NodeAddress { host, port, rack }) = broker.endpoint(leader, listener) else { return };
    response.node_endpoints.push(NodeEndpoint { node_id: leader, host, port, rack });
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        let record_errors = Vec::new();
        Self { code, message: None, record_errors, leader: None, log_start_offset: -1 }
    }
}

impl From<NotUsable> for Refusal {
    fn from(error: NotUsable) -> Self {
        let leader = match error {
            NotUsable::NotLeader(leadership) => Some(leadership),
            NotUsable::Fenced(_) | NotUsable::UnknownEpoch(_) | NotUsable::Offline => None,
        };
        Self { leader, ..Self::from(error.error_code()) }
    }
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        let code = error.code();
        let record_errors =
            error.refused_records().iter().map(|record| BatchIndexAndErrorMessage {
                batch_index: record.batch_index,
                batch_index_error_message: Some(StrBytes::from(record.message.as_str())),
            });
        // Kafka sends a message only where single records are at fault.
        let message = matches!(error, RecordError::Refused { .. }).then(|| error.to_string());
        let record_errors = record_errors.collect();
        Self { code, message, record_errors, leader: None, log_start_offset: -1 }
    }
}
