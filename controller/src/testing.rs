//! What the tests of this crate share.

use std::future::Future;

use protocol_codec::Uuid;

use crate::command::{ApiError, Command, NewTopic, Outcome, RegisterBroker};
use crate::config_rules::{ConfigMap, ConfigRules};
use crate::handle::{ControllerError, ControllerHandle};
use crate::image::configs::{ConfigResource, ConfigResourceType};

pub(crate) mod arbitrary;

/// Rules that accept everything but the value `bad`; `cleanup.policy` is a list.
#[derive(Debug)]
pub(crate) struct AnyConfig;

impl ConfigRules for AnyConfig {
    fn validate(
        &self,
        _resource: &ConfigResource,
        proposed: &ConfigMap,
        _existing: &ConfigMap,
    ) -> Result<(), ApiError> {
        match proposed.iter().find(|(_, value)| &***value == "bad") {
            Some((name, _)) => Err(ApiError::new(
                protocol_codec::ErrorCode::InvalidConfig,
                format!("Invalid value bad for configuration {name}"),
            )),
            None => Ok(()),
        }
    }

    fn is_list(&self, _kind: ConfigResourceType, name: &str) -> bool {
        name == "cleanup.policy"
    }

    fn default_value(&self, _kind: ConfigResourceType, name: &str) -> Option<String> {
        (name == "cleanup.policy").then(|| "delete".to_owned())
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Polls all futures together, each at least once before the first is waited for.
pub(crate) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

pub(crate) fn new_topic(name: &str, num_partitions: i32, replication_factor: i16) -> NewTopic {
    NewTopic { name: name.into(), num_partitions, replication_factor, ..NewTopic::default() }
}

pub(crate) fn broker_registration(broker_id: i32) -> RegisterBroker {
    RegisterBroker {
        broker_id,
        incarnation_id: Uuid::from_bytes([7; 16]),
        log_dirs: vec![Uuid::from_bytes([u8::try_from(broker_id).unwrap() + 100; 16])],
        ..RegisterBroker::default()
    }
}

pub(crate) async fn register_and_unfence(handle: &ControllerHandle, broker_id: i32) -> i64 {
    let register = Command::RegisterBroker(broker_registration(broker_id));
    let Ok(Outcome::RegisterBroker(Ok(broker_epoch))) = handle.submit(register).await else {
        panic!("not registered");
    };
    let unfence = Command::UnfenceBroker { broker_id, broker_epoch };
    let unfenced: Result<Outcome, ControllerError> = handle.submit(unfence).await;
    assert_eq!(unfenced, Ok(Outcome::UnfenceBroker(Ok(()))));
    broker_epoch
}
