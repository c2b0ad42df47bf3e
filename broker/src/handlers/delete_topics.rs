//! DeleteTopics, by name and from version 6 on by id.

use std::sync::Arc;

use controller::command::{DeleteTopicResult, TopicRef};
use controller::{ApiError, Command, Outcome};
use protocol_codec::messages::delete_topics::{DeletableTopicResult, Request, Response};
use protocol_codec::{ErrorCode, StrBytes, Uuid};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::submit::{code_and_message, submit, unexpected};

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let topics = topics(&request);
    if !broker.config().topics.delete_topic_enable {
        let disabled =
            ApiError::new(ErrorCode::TopicDeletionDisabled, "Topic deletion is disabled.");
        return response(all(topics, &disabled));
    }
    let command = Command::DeleteTopics { topics: topics.clone() };
    response(match submit(broker, command, request.timeout_ms).await {
        Ok(Outcome::DeleteTopics(results)) => results,
        Ok(other) => all(topics, &unexpected(&other)),
        Err(error) => all(topics, &error),
    })
}

fn topics(request: &Request) -> Vec<TopicRef> {
    let text = |text: &StrBytes| Arc::<str>::from(&**text);
    let by_name = |name| TopicRef { name: Some(text(name)), id: Uuid::ZERO };
    let named = request.topic_names.iter().map(by_name);
    let states = request.topics.iter();
    let states =
        states.map(|topic| TopicRef { name: topic.name.as_ref().map(text), id: topic.topic_id });
    named.chain(states).collect()
}

fn all(topics: Vec<TopicRef>, error: &ApiError) -> Vec<DeleteTopicResult> {
    let failed = |topic: TopicRef| DeleteTopicResult {
        name: topic.name,
        topic_id: topic.id,
        result: Err(error.clone()),
    };
    topics.into_iter().map(failed).collect()
}

fn response(results: Vec<DeleteTopicResult>) -> Response {
    let result = |result: DeleteTopicResult| {
        let (error_code, error_message) = code_and_message(result.result);
        DeletableTopicResult {
            name: result.name.map(|name| StrBytes::from(&*name)),
            topic_id: result.topic_id,
            error_code,
            error_message,
        }
    };
    Response { responses: results.into_iter().map(result).collect(), ..Default::default() }
}
