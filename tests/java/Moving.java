import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.*;

/**
 * What a user may have in a Kafka that moves, and what clients see of it.
 *
 *   fill HOST:PORT    makes topics, records, transactions, groups, configs, access rules
 *   tell HOST:PORT    prints all that clients can read, one fact a line
 *   open HOST:PORT    begins a transaction, writes into it and says so; never ends it
 *   share HOST:PORT   makes a group of the newer consumer protocol
 *   go-on HOST:PORT   reads in the group of old what is new to it, prints and commits it
 *
 * Run: java -cp 'kafka-libs/*' Moving.java COMMAND HOST:PORT
 */
public final class Moving {
    private static String bootstrap;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[1];
        switch (arguments[0]) {
            case "fill" -> fill();
            case "tell" -> tell();
            case "open" -> open();
            case "share" -> newer();
            case "go-on" -> goOn();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        System.out.flush();
        // The producer of an open transaction must not end it on its way out.
        Runtime.getRuntime().halt(0);
    }

    private static Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    private static KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        config.putIfAbsent("enable.idempotence", true);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    private static KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    private static void fill() throws Exception {
        try (Admin admin = admin()) {
            admin.createTopics(List.of(
                new NewTopic("plain", 3, (short) 1),
                new NewTopic("keyed", 2, (short) 1).configs(Map.of("cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01")),
                new NewTopic("large", 1, (short) 1).configs(Map.of("segment.bytes", "1048576", "compression.type", "zstd")),
                new NewTopic("money", 2, (short) 1),
                new NewTopic("empty.one", 4, (short) 1),
                new NewTopic("gone", 2, (short) 1))).all().get();
            records();
            transactions();
            admin.deleteRecords(Map.of(new TopicPartition("large", 0), RecordsToDelete.beforeOffset(40))).all().get();
            admin.createPartitions(Map.of("empty.one", NewPartitions.increaseTo(5))).all().get();
            configs(admin);
            groups(admin);
            access(admin);
            admin.deleteTopics(List.of("gone")).all().get();
        }
    }

    private static void records() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var producer = producer(Map.of("compression.type", codec, "linger.ms", 5))) {
                for (int i = 0; i < 60; i++) {
                    var record = new ProducerRecord<>("plain", i % 3, 1_700_000_000_000L + i, i % 4 == 0 ? null : "k" + i, codec + "-" + i);
                    record.headers().add("codec", codec.getBytes(StandardCharsets.UTF_8)).add("codec", null);
                    producer.send(record);
                }
            }
        }
        try (var producer = producer(Map.of("linger.ms", 0))) {
            for (int round = 0; round < 4; round++) {
                for (int i = 0; i < 40; i++) producer.send(new ProducerRecord<>("keyed", i % 2, "key-" + i, i % 7 == round ? null : "round-" + round));
                producer.send(new ProducerRecord<>("gone", "k", "v"));
                producer.flush();
            }
            String kilobytes = "0123456789abcdef".repeat(2048);
            for (int i = 0; i < 120; i++) producer.send(new ProducerRecord<>("large", 0, null, i + kilobytes));
        }
    }

    /** Committed, aborted, and one that commits what a group has read. */
    private static void transactions() throws Exception {
        try (var producer = producer(Map.of("transactional.id", "till"));
             var consumer = consumer(Map.of("group.id", "processor"))) {
            producer.initTransactions();
            consumer.assign(List.of(new TopicPartition("plain", 0)));
            for (int i = 0; i < 6; i++) {
                producer.beginTransaction();
                for (int j = 0; j < 5; j++) producer.send(new ProducerRecord<>("money", j % 2, "t" + i, "coin-" + j));
                producer.flush();
                var offsets = Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(10 * i + 5, "in transaction " + i));
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (i % 3 == 1 || i == 5) producer.abortTransaction(); else producer.commitTransaction();
            }
        }
    }

    private static void configs(Admin admin) throws Exception {
        var set = AlterConfigOp.OpType.SET;
        var topic = new ConfigResource(ConfigResource.Type.TOPIC, "plain");
        var one = new ConfigResource(ConfigResource.Type.BROKER, "1");
        var all = new ConfigResource(ConfigResource.Type.BROKER, "");
        var group = new ConfigResource(ConfigResource.Type.GROUP, "processor");
        Map<ConfigResource, Collection<AlterConfigOp>> changes = new HashMap<>();
        changes.put(topic, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "-1"), set), new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), set)));
        changes.put(one, List.of(new AlterConfigOp(new ConfigEntry("log.cleaner.threads", "2"), set)));
        changes.put(all, List.of(new AlterConfigOp(new ConfigEntry("message.max.bytes", "1500000"), set)));
        changes.put(group, List.of(new AlterConfigOp(new ConfigEntry("consumer.session.timeout.ms", "50000"), set)));
        admin.incrementalAlterConfigs(changes).all().get();
    }

    private static void groups(Admin admin) throws Exception {
        admin.alterConsumerGroupOffsets("offsets-only", Map.of(
            new TopicPartition("plain", 1), new OffsetAndMetadata(7, "by hand"),
            new TopicPartition("keyed", 0), new OffsetAndMetadata(3))).all().get();
        admin.alterConsumerGroupOffsets("deleted", Map.of(new TopicPartition("plain", 1), new OffsetAndMetadata(1))).all().get();
        admin.deleteConsumerGroups(List.of("deleted")).all().get();
        try (var consumer = consumer(Map.of("group.id", "readers", "group.protocol", "classic"))) {
            consumer.subscribe(List.of("plain", "money"));
            for (int polls = 0, read = 0; read < 100 && polls < 100; polls++) read += consumer.poll(Duration.ofMillis(200)).count();
            consumer.commitSync();
        }
    }

    private static void access(Admin admin) throws Exception {
        var pattern = new ResourcePattern(ResourceType.TOPIC, "plain", PatternType.LITERAL);
        var prefix = new ResourcePattern(ResourceType.GROUP, "read", PatternType.PREFIXED);
        admin.createAcls(List.of(
            new AclBinding(pattern, new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)),
            new AclBinding(pattern, new AccessControlEntry("User:bob", "10.0.0.1", AclOperation.WRITE, AclPermissionType.DENY)),
            new AclBinding(prefix, new AccessControlEntry("User:alice", "*", AclOperation.ALL, AclPermissionType.ALLOW)))).all().get();
        for (var mechanism : List.of(ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512))
            admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(mechanism, 4096), "secret"))).all().get();
        Map<String, String> entity = new HashMap<>();
        entity.put("user", "alice");
        entity.put("client-id", null);
        admin.alterClientQuotas(List.of(
            new ClientQuotaAlteration(new ClientQuotaEntity(entity), List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1024.0), new ClientQuotaAlteration.Op("request_percentage", 12.5))),
            new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("ip", "10.0.0.1")), List.of(new ClientQuotaAlteration.Op("connection_creation_rate", 5.0))))).all().get();
    }

    /** Writes into a transaction and leaves it open. */
    private static void open() throws Exception {
        var producer = producer(Map.of("transactional.id", "forgotten", "transaction.timeout.ms", 600_000));
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>("money", 0, "k", "v")).get();
        System.out.println("a transaction is open");
    }

    private static void goOn() throws Exception {
        try (var consumer = consumer(Map.of("group.id", "readers", "group.protocol", "classic"))) {
            consumer.subscribe(List.of("plain", "money"));
            for (int polls = 0, read = 0; read == 0 && polls < 100; polls++)
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    System.out.println(line(record));
                    read++;
                }
            consumer.commitSync();
        }
    }

    private static void newer() throws Exception {
        try (var consumer = consumer(Map.of("group.id", "modern", "group.protocol", "consumer"))) {
            consumer.subscribe(List.of("plain"));
            for (int polls = 0; consumer.poll(Duration.ofMillis(200)).isEmpty() && polls < 100; polls++);
            consumer.commitSync();
        }
    }

    private static void tell() throws Exception {
        try (Admin admin = admin()) {
            System.out.println("cluster " + admin.describeCluster().clusterId().get());
            var names = new TreeSet<>(admin.listTopics().names().get());
            var described = new TreeMap<>(admin.describeTopics(names).allTopicNames().get());
            List<TopicPartition> partitions = new ArrayList<>();
            for (var topic : described.values()) {
                System.out.println("topic " + topic.name() + " " + topic.topicId() + " " + topic.partitions().size() + " partitions");
                for (var partition : topic.partitions()) {
                    System.out.println("  " + partition.partition() + " leader " + partition.leader().id() + " isr " + partition.isr().size());
                    partitions.add(new TopicPartition(topic.name(), partition.partition()));
                }
            }
            set(admin, names);
            for (var partition : partitions) {
                var one = admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).all().get().get(partition);
                var end = admin.listOffsets(Map.of(partition, OffsetSpec.latest())).all().get().get(partition);
                System.out.println("offsets " + partition + " " + one.offset() + " to " + end.offset());
            }
            groupsOf(admin);
            for (String isolation : List.of("read_uncommitted", "read_committed")) read(isolation, partitions);
        }
    }

    /** Configs that were set, by topic and for the broker. */
    private static void set(Admin admin, Collection<String> topics) throws Exception {
        List<ConfigResource> resources = new ArrayList<>();
        for (String topic : topics) resources.add(new ConfigResource(ConfigResource.Type.TOPIC, topic));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
        for (ConfigResource resource : resources) {
            var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            var lines = new TreeSet<String>();
            for (ConfigEntry entry : config.entries())
                if (entry.source().name().startsWith("DYNAMIC_TOPIC") || resource.name().isEmpty()) lines.add(entry.name() + "=" + entry.value());
            System.out.println("configs of " + resource + ": " + lines);
        }
    }

    private static void groupsOf(Admin admin) throws Exception {
        var groups = new TreeSet<String>();
        for (var group : admin.listGroups().all().get()) groups.add(group.groupId());
        for (String group : groups) {
            var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            var lines = new TreeSet<String>();
            offsets.forEach((partition, offset) -> lines.add(partition + "=" + offset.offset() + "/" + offset.leaderEpoch().orElse(-1) + "/" + offset.metadata()));
            System.out.println("group " + group + ": " + lines);
        }
    }

    private static void read(String isolation, List<TopicPartition> partitions) {
        var mine = partitions.stream().filter(p -> !p.topic().startsWith("__")).toList();
        try (var consumer = consumer(Map.of("isolation.level", isolation))) {
            consumer.assign(mine);
            consumer.seekToBeginning(mine);
            var ends = consumer.endOffsets(mine);
            Map<TopicPartition, List<String>> records = new HashMap<>();
            while (!mine.stream().allMatch(p -> consumer.position(p) >= ends.get(p))) {
                for (var record : consumer.poll(Duration.ofMillis(200)))
                    records.computeIfAbsent(new TopicPartition(record.topic(), record.partition()), p -> new ArrayList<>()).add(line(record));
            }
            for (TopicPartition partition : mine) {
                System.out.println(isolation + " " + partition);
                records.getOrDefault(partition, List.of()).forEach(line -> System.out.println("  " + line));
            }
        }
    }

    private static String line(ConsumerRecord<String, String> record) {
        var headers = new StringBuilder();
        for (Header header : record.headers()) headers.append(' ').append(header.key()).append('=').append(header.value() == null ? "null" : new String(header.value(), StandardCharsets.UTF_8));
        String value = record.value();
        if (value != null && value.length() > 60) value = value.substring(0, 20) + "..." + value.length() + "#" + value.hashCode();
        return record.offset() + " " + record.timestampType() + " " + record.timestamp() + " " + record.leaderEpoch().orElse(-1) + " " + record.key() + " " + value + headers;
    }
}
