//! CreatePartitions: topics get more partitions.

use std::collections::HashMap;
use std::sync::Arc;

use controller::command::{CreatePartitionsResult, NewPartitions};
use controller::{ApiError, Command, Outcome};
use protocol_codec::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsTopic, CreatePartitionsTopicResult, Request,
    Response,
};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::submit::{code_and_message, submit, unexpected};

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let mut counts: HashMap<StrBytes, usize> = HashMap::new();
    for topic in &request.topics {
        *counts.entry(topic.name.clone()).or_default() += 1;
    }
    let once = request.topics.iter().filter(|topic| counts.get(&topic.name) == Some(&1));
    let topics: Vec<NewPartitions> = once.map(new_partitions).collect();
    let command =
        Command::CreatePartitions { topics: topics.clone(), validate_only: request.validate_only };
    let results = match submit(broker, command, request.timeout_ms).await {
        Ok(Outcome::CreatePartitions(results)) => results,
        Ok(other) => all(topics, &unexpected(&other)),
        Err(error) => all(topics, &error),
    };
    let mut results: Vec<_> = results.into_iter().map(answer).collect();
    let repeated = ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    for (name, _) in counts.into_iter().filter(|(_, count)| *count > 1) {
        let (name, result) = (Arc::from(&*name), Err(repeated.clone()));
        results.push(answer(CreatePartitionsResult { name, result }));
    }
    Response { results, ..Default::default() }
}

fn new_partitions(topic: &CreatePartitionsTopic) -> NewPartitions {
    let brokers = |rows: &Vec<CreatePartitionsAssignment>| {
        rows.iter().map(|row| row.broker_ids.clone()).collect()
    };
    NewPartitions {
        name: Arc::from(&*topic.name),
        count: topic.count,
        assignments: topic.assignments.as_ref().map(brokers),
    }
}

fn all(topics: Vec<NewPartitions>, error: &ApiError) -> Vec<CreatePartitionsResult> {
    let failed = |topic: NewPartitions| CreatePartitionsResult {
        name: topic.name,
        result: Err(error.clone()),
    };
    topics.into_iter().map(failed).collect()
}

fn answer(result: CreatePartitionsResult) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = code_and_message(result.result);
    CreatePartitionsTopicResult { name: StrBytes::from(&*result.name), error_code, error_message }
}
