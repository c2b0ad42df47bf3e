//! Kafka's command line tools against Barnabas and Kafka: the same commands, the same answers.

mod configs;
mod console;
mod dump_log;
mod groups;
mod offsets;
mod topics;
mod verifiable;
