import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.log.remote.metadata.storage.generated.ProducerSnapshot;

/**
 * Writes what Kafka's own classes make of every message, one line each:
 *
 *   kind number name versions filling leaves hex
 *
 * Versions that give the same bytes share a line. The fillings: "default" (a new object), "filled"
 * (every field of the version has a value, arrays have two elements), "null" (what may be null is;
 * arrays have one element). A value is made from a hash of its path, such as
 * filled/topics/0/partitions/1/errorcode, so that a reader can tell which field it belongs to;
 * "leaves" counts the values that are not booleans.
 *
 * Run: java -cp 'kafka-libs/*' Golden.java FILE
 */
public final class Golden {
    private static PrintStream out;

    public static void main(String[] arguments) throws Exception {
        out = new PrintStream(Files.newOutputStream(Path.of(arguments[0])), false, StandardCharsets.UTF_8);
        for (ApiKeys key : ApiKeys.values()) {
            ApiMessageType type = key.messageType;
            if (type.lowestSupportedVersion() > type.highestSupportedVersion(true)) continue;
            headers(key);
            message("request", key.id, key.name, type::newRequest, (version, m) -> bytes(version, m));
            message("response", key.id, key.name, type::newResponse, (version, m) -> bytes(version, m));
        }
        for (var type : org.apache.kafka.coordinator.group.generated.CoordinatorRecordType.values())
            record("consumer_offsets", type.id(), type::newRecordKey, type::newRecordValue);
        for (var type : org.apache.kafka.coordinator.transaction.generated.CoordinatorRecordType.values())
            record("transaction_state", type.id(), type::newRecordKey, type::newRecordValue);
        for (var type : org.apache.kafka.coordinator.share.generated.CoordinatorRecordType.values())
            record("share_group_state", type.id(), type::newRecordKey, type::newRecordValue);
        for (MetadataRecordType type : MetadataRecordType.values()) metadata(type);
        data(AbortedTxn::new);
        data(ConsumerProtocolAssignment::new);
        data(ConsumerProtocolSubscription::new);
        data(ControlRecordTypeSchema::new);
        data(DefaultPrincipalData::new);
        data(EndTxnMarker::new);
        data(KRaftVersionRecord::new);
        data(LeaderChangeMessage::new);
        data(ProducerSnapshot::new);
        data(SnapshotFooterRecord::new);
        data(SnapshotHeaderRecord::new);
        data(VotersRecord::new);
        out.close();
    }

    interface Encoder {
        byte[] encode(short version, Message message);
    }

    /** The versions of the headers around each version of an API. */
    private static void headers(ApiKeys key) {
        Map<String, List<String>> versions = new TreeMap<>();
        ApiMessageType type = key.messageType;
        for (short v = type.lowestSupportedVersion(); v <= type.highestSupportedVersion(false); v++)
            versions.computeIfAbsent(key.requestHeaderVersion(v) + "/" + key.responseHeaderVersion(v), k -> new ArrayList<>()).add("" + v);
        versions.forEach((headers, list) -> out.println("headers " + key.id + " " + key.name + " " + String.join(",", list) + " " + headers));
    }

    private static void record(String topic, short id, Supplier<? extends ApiMessage> key, Supplier<? extends ApiMessage> value) throws Exception {
        String name = key.get().getClass().getSimpleName().replaceAll("Key$", "");
        message(topic + "-key", id, name, key, (version, m) -> MessageUtil.toCoordinatorTypePrefixedBytes((ApiMessage) m));
        message(topic + "-value", id, name, value, (version, m) -> MessageUtil.toVersionPrefixedBytes(version, m));
    }

    private static void metadata(MetadataRecordType type) throws Exception {
        String name = type.newMetadataRecord().getClass().getSimpleName();
        message("metadata", type.id(), name, type::newMetadataRecord, (version, m) -> {
            var record = new ApiMessageAndVersion((ApiMessage) m, version);
            var cache = new ObjectSerializationCache();
            var buffer = new ByteBufferAccessor(ByteBuffer.allocate(MetadataRecordSerde.INSTANCE.recordSize(record, cache)));
            MetadataRecordSerde.INSTANCE.write(record, cache, buffer);
            return buffer.buffer().array();
        });
    }

    private static void data(Supplier<? extends Message> make) throws Exception {
        message("data", 0, make.get().getClass().getSimpleName(), make, (version, m) -> bytes(version, m));
    }

    private static byte[] bytes(short version, Message message) {
        return MessageUtil.byteBufferToArray(MessageUtil.toByteBufferAccessor(message, version).buffer());
    }

    private static void message(String kind, int number, String name, Supplier<? extends Message> make, Encoder encoder) throws Exception {
        for (String filling : List.of("default", "filled", "null")) {
            Map<String, List<String>> lines = new java.util.LinkedHashMap<>();
            Message any = make.get();
            for (short v = any.lowestSupportedVersion(); v <= any.highestSupportedVersion(); v++) {
                Message message = make.get();
                Schema[] schemas = (Schema[]) message.getClass().getField("SCHEMAS").get(null);
                Filler filler = new Filler(filling);
                filler.fill(message, schemas[v], filling);
                String hex = HexFormat.of().formatHex(encoder.encode(v, message));
                lines.computeIfAbsent(filler.leaves + " " + hex, k -> new ArrayList<>()).add("" + v);
            }
            lines.forEach((line, versions) -> out.println(String.join(" ", kind, "" + number, name, String.join(",", versions), filling, line)));
        }
    }

    /** Gives the fields of one version of a message their values. */
    private static final class Filler {
        private final String filling;
        private final boolean keepsDefaults;
        int leaves = 0;

        Filler(String filling) {
            this.filling = filling;
            this.keepsDefaults = filling.equals("default");
        }

        void fill(Object message, Schema schema, String path) throws Exception {
            Map<String, Field> fields = new HashMap<>();
            for (Field field : message.getClass().getDeclaredFields())
                if (!Modifier.isStatic(field.getModifiers())) fields.put(field.getName().toLowerCase(), field);
            for (BoundField bound : schema.fields()) {
                if (bound.def.type instanceof TaggedFields tagged) {
                    for (var definition : tagged.fields().values()) set(message, fields, definition, path);
                } else {
                    set(message, fields, bound.def, path);
                }
            }
        }

        private void set(Object message, Map<String, Field> fields, org.apache.kafka.common.protocol.types.Field definition, String path) throws Exception {
            String name = definition.name.replace("_", "").toLowerCase();
            Field field = fields.get(name);
            if (field == null) throw new IllegalStateException("no field " + name + " in " + message.getClass());
            field.setAccessible(true);
            var type = definition.type;
            boolean nullable = type.isNullable();
            if (keepsDefaults) {
                // Some defaults are null where the version has no null.
                if (field.get(message) == null && !nullable) field.set(message, value(field.getGenericType(), type, path + "/" + name));
                return;
            }
            if (nullable && filling.equals("null")) {
                field.set(message, null);
            } else {
                field.set(message, value(field.getGenericType(), type, path + "/" + name));
            }
        }

        private Object value(Type java, org.apache.kafka.common.protocol.types.Type type, String path) throws Exception {
            Class<?> raw = (Class<?>) (java instanceof ParameterizedType p ? p.getRawType() : java);
            if (Collection.class.isAssignableFrom(raw)) return array(java, raw, type, path);
            if (Message.class.isAssignableFrom(raw)) {
                Object inner = raw.getDeclaredConstructor().newInstance();
                fill(inner, (Schema) type, path);
                return inner;
            }
            long h = hash(path);
            if (raw == boolean.class || raw == Boolean.class) return (h & 1) == 1;
            leaves++;
            boolean negative = h >>> 31 == 1;
            if (raw == byte.class || raw == Byte.class) return (byte) ((h % 100 + 5) * (negative ? -1 : 1));
            if (raw == short.class || raw == Short.class) return (short) ((h % 32000 + 5) * (negative ? -1 : 1));
            if (type == org.apache.kafka.common.protocol.types.Type.UINT16) return (int) (h % 65000 + 5);
            if (type == org.apache.kafka.common.protocol.types.Type.UNSIGNED_INT32) return h;
            if (raw == int.class || raw == Integer.class) return (int) h;
            if (raw == long.class || raw == Long.class) return wide(path);
            if (raw == double.class) return h / 16.0;
            if (raw == Uuid.class) return new Uuid(wide(path), wide(path + "/"));
            if (raw == String.class) return text("s", h) + (h % 7 == 0 ? "é" : "");
            byte[] content = text(raw == BaseRecords.class ? "r" : "b", h).getBytes(StandardCharsets.UTF_8);
            if (raw == byte[].class) return content;
            if (raw == ByteBuffer.class) return ByteBuffer.wrap(content);
            if (raw == BaseRecords.class) return MemoryRecords.readableRecords(ByteBuffer.wrap(content));
            throw new IllegalStateException("no value for " + raw);
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        private Object array(Type java, Class<?> raw, org.apache.kafka.common.protocol.types.Type type, String path) throws Exception {
            Type holder = java instanceof ParameterizedType ? java : raw.getGenericSuperclass();
            Type element = ((ParameterizedType) holder).getActualTypeArguments()[0];
            Collection array = raw == List.class ? new ArrayList<>() : (Collection) raw.getDeclaredConstructor().newInstance();
            int count = keepsDefaults ? 0 : filling.equals("null") ? 1 : 2;
            for (int i = 0; i < count; i++) array.add(value(element, type.arrayElementType().get(), path + "/" + i));
            return array;
        }
    }

    /** Mostly short, at times longer than one byte of a varint can say. */
    private static String text(String prefix, long hash) {
        return prefix + Long.toString(hash, 36) + (hash % 13 == 0 ? "x".repeat(130) : "");
    }

    private static long wide(String path) {
        return hash(path + "#") << 32 | hash(path);
    }

    /** FNV-1a of 32 bits. */
    private static long hash(String path) {
        int hash = 0x811c9dc5;
        for (byte b : path.getBytes(StandardCharsets.UTF_8)) hash = (hash ^ (b & 0xff)) * 0x01000193;
        return hash & 0xffffffffL;
    }
}
