//! Every API that the broker advertises, one file each, on the wire and in its oldest and newest
//! versions: the same questions to Barnabas and to Kafka, and the same answers.

mod api_versions;
mod create_topics;
mod list_offsets;
mod metadata;
mod produce;
