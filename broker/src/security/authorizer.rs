//! The seam for authorisation.
//!
//! The request wrapper asks where one resource decides over a whole request (the cluster, a group;
//! the rows of [`crate::dispatch`] say which); handlers ask for what they are about to touch:
//! Produce, Fetch, ListOffsets and Metadata for each topic, with Kafka's operations and answers. The
//! only authorizer there is allows everything; a configuration that names another is refused at the
//! start. Whoever makes a second one adds the question to the handlers that do not ask yet: those
//! that change or describe topics, configs and offsets, InitProducerId, and those of many groups.

use std::fmt::Debug;

use protocol_codec::ErrorCode;

use crate::context::ConnectionInfo;

/// What is done to a resource: Kafka's `AclOperation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
}

/// What it is done to: Kafka's `ResourceType`, and the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    Cluster,
    Topic(&'a str),
    Group(&'a str),
    TransactionalId(&'a str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Denied,
}

/// Decides who may do what. Asked on the request path: it must not block.
pub trait Authorizer: Debug + Send + Sync {
    /// `client` has the principal and the address that requests come from.
    fn authorize(
        &self,
        client: &ConnectionInfo,
        operation: Operation,
        resource: Resource<'_>,
    ) -> Decision;
}

/// Everybody may do everything.
#[derive(Clone, Copy, Debug)]
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize(&self, _: &ConnectionInfo, _: Operation, _: Resource<'_>) -> Decision {
        Decision::Allowed
    }
}

impl Resource<'_> {
    /// Kafka's code for one who may not.
    pub fn denied(&self) -> ErrorCode {
        match self {
            Self::Cluster => ErrorCode::ClusterAuthorizationFailed,
            Self::Topic(_) => ErrorCode::TopicAuthorizationFailed,
            Self::Group(_) => ErrorCode::GroupAuthorizationFailed,
            Self::TransactionalId(_) => ErrorCode::TransactionalIdAuthorizationFailed,
        }
    }
}
