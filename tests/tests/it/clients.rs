//! Other clients against Barnabas and Kafka: kcat and rdkafka (librdkafka), kafka-python.

mod kcat;
mod python;
mod rdkafka;
