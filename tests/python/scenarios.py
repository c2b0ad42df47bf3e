"""Scenarios for kafka-python: each prints what it saw, and nothing that differs from run to run."""

import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic


def round_trip(bootstrap):
    """Produces with keys, headers and compression, then consumes as a group, seeks and commits."""
    for codec in (None, "gzip"):
        producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type=codec)
        for number in range(20):
            sent = producer.send("python-round", key=b"k%d" % number, value=b"v%d" % number, headers=[("h", b"1")])
            metadata = sent.get(timeout=30)
            print("sent", metadata.partition, metadata.offset)
        producer.close()
    consumer = KafkaConsumer(
        "python-round",
        bootstrap_servers=bootstrap,
        group_id="python-group",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=30000,
    )
    for _, record in zip(range(40), consumer):
        print(record.offset, record.key, record.value, record.headers)
    consumer.commit()
    partition = TopicPartition("python-round", 0)
    print("committed", consumer.committed(partition), "position", consumer.position(partition))
    consumer.seek(partition, 35)
    print("after seek", next(consumer).offset)
    print("bounds", consumer.beginning_offsets([partition]), consumer.end_offsets([partition]))
    consumer.close()


def administration(bootstrap):
    """Creates, describes and deletes a topic."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    topic = NewTopic("python-admin", num_partitions=3, replication_factor=1)
    admin.create_topics([topic])
    described = admin.describe_topics(["python-admin"])[0]
    print(described["name"], sorted(part["partition_index"] for part in described["partitions"]))
    admin.delete_topics(["python-admin"])
    print("python-admin" in admin.list_topics())
    admin.close()


if __name__ == "__main__":
    {"round_trip": round_trip, "administration": administration}[sys.argv[1]](sys.argv[2])
