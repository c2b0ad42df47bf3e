import java.io.PrintStream;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.zip.CRC32C;

import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.BufferSupplier;
import org.apache.kafka.common.utils.internals.PrimitiveRef;
import org.apache.kafka.server.record.BrokerCompressionType;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

/**
 * Record batches by Kafka's own classes.
 *
 *   golden OUT       batches of every kind, each as a line "batch NAME HEX" and the text below
 *   read IN OUT      the text of the batches in IN:
 *                      = offsets, codec, timestamps, producer, flags, number of records
 *                      - offset, timestamp, key, value and headers of each record
 *   validate IN OUT  what a broker says to each batch that is produced; IN and OUT are described below
 *
 * A key, a value: "null", hexadecimal up to 8 bytes, "LENGTH:CRC-32C" beyond.
 *
 * Run: java -cp 'kafka-libs/*' RecordBatches.java MODE FILE...
 */
public final class RecordBatches {
    private static PrintStream out;

    public static void main(String[] arguments) throws Exception {
        out = new PrintStream(Files.newOutputStream(Path.of(arguments[arguments.length - 1])), false, StandardCharsets.UTF_8);
        switch (arguments[0]) {
            case "golden" -> golden();
            case "read" -> read(ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[1]))));
            case "validate" -> validate(ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[1]))));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        out.close();
    }

    // ---- golden

    private static final Header[] NO_HEADERS = new Header[0];

    private static void golden() {
        for (CompressionType type : CompressionType.values()) {
            Compression codec = Compression.of(type).build();
            show(type.name + "-fields", fields(builder(codec).build()));
            show(type.name + "-large", large(builder(codec).build(), type == CompressionType.NONE ? 300 : 150_000));
            show(type.name + "-many", many(builder(codec).build()));
        }
        show("producer", fields(builder(Compression.NONE).producer(1L << 40, (short) 7, Integer.MAX_VALUE - 1, false).build()));
        show("transactional", fields(builder(Compression.lz4().build()).producer(5, (short) 0, 0, true).build()));
        show("append-time", fields(builder(Compression.NONE).appendTime(1_700_000_000_123L).build()));
        show("append-time-zstd", fields(builder(Compression.zstd().build()).appendTime(1_700_000_000_123L).build()));
        show("negative-deltas", backwards(builder(Compression.NONE).build()));
        for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.COMMIT, ControlRecordType.ABORT})
            show("marker-" + type, MemoryRecords.withEndTransactionMarker(
                42, 1_700_000_000_000L, 3, 1000, (short) 2, new EndTransactionMarker(type, 77)));
        ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, 9, (short) 1, 4, 100, 109, 5, TimestampType.CREATE_TIME, 123, false, false);
        empty.flip();
        show("emptied-by-compaction", MemoryRecords.readableRecords(empty));
    }

    private static final class Settings {
        final Compression codec;
        long producer = -1;
        short epoch = -1;
        int sequence = -1;
        boolean transactional = false;
        Long appendTime = null;

        Settings(Compression codec) {
            this.codec = codec;
        }

        Settings producer(long id, short epoch, int sequence, boolean transactional) {
            this.producer = id;
            this.epoch = epoch;
            this.sequence = sequence;
            this.transactional = transactional;
            return this;
        }

        Settings appendTime(long ms) {
            this.appendTime = ms;
            return this;
        }

        MemoryRecordsBuilder build() {
            return MemoryRecords.builder(ByteBuffer.allocate(1024), (byte) 2, codec,
                appendTime == null ? TimestampType.CREATE_TIME : TimestampType.LOG_APPEND_TIME, 1000,
                appendTime == null ? -1 : appendTime, producer, epoch, sequence, transactional, 12);
        }
    }

    private static Settings builder(Compression codec) {
        return new Settings(codec);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static MemoryRecords fields(MemoryRecordsBuilder batch) {
        batch.append(1_700_000_000_000L, utf8("key"), utf8("value"), NO_HEADERS);
        batch.append(1_700_000_000_005L, null, utf8("v"), NO_HEADERS);
        batch.append(1_700_000_000_003L, utf8("tombstone"), null, NO_HEADERS);
        batch.append(1_700_000_000_100L, new byte[0], new byte[0], NO_HEADERS);
        batch.append(1_700_000_000_000L, (byte[]) null, (byte[]) null, new Header[] {
            new RecordHeader("same", utf8("1")), new RecordHeader("same", utf8("2")), new RecordHeader("", null),
            new RecordHeader("gr\u00fc\u00df", new byte[0]),
        });
        return batch.build();
    }

    private static MemoryRecords large(MemoryRecordsBuilder batch, int size) {
        byte[] value = new byte[size];
        for (int i = 0; i < size; i++) value[i] = (byte) ((i / 1000) ^ (i % 7));
        batch.append(1_700_000_000_000L, utf8("small"), utf8("before"), NO_HEADERS);
        batch.append(1_700_000_000_001L, Arrays.copyOf(value, 100), value,
            new Header[] {new RecordHeader("h", Arrays.copyOf(value, 200))});
        batch.append(1_700_000_000_002L, utf8("small"), utf8("after"), NO_HEADERS);
        return batch.build();
    }

    private static MemoryRecords many(MemoryRecordsBuilder batch) {
        for (int i = 0; i < 60; i++)
            batch.append(1_700_000_000_000L + i, utf8("k" + i), Arrays.copyOf(utf8("the same words again"), i % 20), NO_HEADERS);
        return batch.build();
    }

    private static MemoryRecords backwards(MemoryRecordsBuilder batch) {
        for (long timestamp : new long[] {1L << 50, 0, -1, (1L << 50) + 1})
            batch.append(timestamp, (byte[]) null, utf8("x"), NO_HEADERS);
        return batch.build();
    }

    private static void show(String name, MemoryRecords records) {
        ByteBuffer bytes = records.buffer().duplicate();
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        out.println("batch " + name + " " + HexFormat.of().formatHex(copy));
        read(ByteBuffer.wrap(copy));
    }

    // ---- read

    private static void read(ByteBuffer bytes) {
        MemoryRecords records = MemoryRecords.readableRecords(bytes);
        int read = 0;
        for (MutableRecordBatch batch : records.batches()) {
            read += batch.sizeInBytes();
            text((DefaultRecordBatch) batch);
        }
        if (read != bytes.limit()) throw new IllegalArgumentException("only " + read + " bytes were read");
    }

    private static void text(DefaultRecordBatch batch) {
        batch.ensureValid();
        out.println("= " + batch.baseOffset() + " " + batch.lastOffset() + " " + batch.partitionLeaderEpoch()
            + " " + batch.compressionType().name + " " + batch.timestampType().name + " " + batch.baseTimestamp()
            + " " + batch.maxTimestamp() + " " + batch.producerId() + " " + batch.producerEpoch()
            + " " + batch.baseSequence() + " " + batch.lastSequence() + " " + batch.isTransactional()
            + " " + batch.isControlBatch() + " " + batch.countOrNull());
        for (Record record : batch) {
            StringBuilder line = new StringBuilder("- " + record.offset() + " " + record.timestamp()
                + " " + bytes(record.key()) + " " + bytes(record.value()));
            for (Header header : record.headers())
                line.append(" ").append(bytes(ByteBuffer.wrap(utf8(header.key())))).append("=")
                    .append(bytes(header.value() == null ? null : ByteBuffer.wrap(header.value())));
            out.println(line);
        }
    }

    private static String bytes(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] copy = new byte[buffer.remaining()];
        buffer.duplicate().get(copy);
        if (copy.length <= 8) return "x" + HexFormat.of().formatHex(copy);
        CRC32C crc = new CRC32C();
        crc.update(copy, 0, copy.length);
        return copy.length + ":" + Long.toHexString(crc.getValue());
    }

    // ---- validate

    /**
     * IN: any number of
     *   int16 Produce version, int8 append time?, int8 compacted?, int64 before max ms, int64 after max ms,
     *   int32 max message bytes, int32 max record bytes, int8 compression + 1 or 0 for the producer's, int64 now,
     *   int32 length, records
     * OUT: a line each, "ok HEX" with the bytes that would be written (offset 0, epoch 0), or
     *   "error CODE INDEXES class: message", INDEXES being the refused records with commas, or "-".
     */
    private static void validate(ByteBuffer in) {
        while (in.hasRemaining()) {
            short version = in.getShort();
            TimestampType time = in.get() == 0 ? TimestampType.CREATE_TIME : TimestampType.LOG_APPEND_TIME;
            boolean compacted = in.get() != 0;
            long before = in.getLong(), after = in.getLong();
            int maxBytes = in.getInt(), maxRecord = in.getInt(), target = in.get();
            long now = in.getLong();
            byte[] bytes = new byte[in.getInt()];
            in.get(bytes);
            try {
                MemoryRecords valid = accept(MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)),
                    version, time, compacted, before, after, maxBytes, maxRecord, target, now);
                byte[] written = new byte[valid.sizeInBytes()];
                valid.buffer().duplicate().get(written);
                out.println("ok " + HexFormat.of().formatHex(written));
            } catch (RecordValidationException e) {
                StringBuilder indexes = new StringBuilder();
                e.recordErrors().forEach(error -> indexes.append(error.batchIndex).append(","));
                refuse(e.invalidException(), indexes.toString());
            } catch (Throwable e) {
                refuse(e, "-");
            }
        }
    }

    private static void refuse(Throwable e, String indexes) {
        String message = String.valueOf(e.getMessage()).replace('\n', ' ');
        out.println("error " + Errors.forException(e).code() + " " + indexes + " " + e.getClass().getSimpleName() + ": " + message);
    }

    // What the request and the log check before the validator runs, in their order.
    private static MemoryRecords accept(MemoryRecords records, short version, TimestampType time, boolean compacted, long before,
                                        long after, int maxBytes, int maxRecord, int target, long now) throws Exception {
        ProduceRequest.validateRecords(version, records);
        CompressionType source = CompressionType.NONE;
        int validBytes = 0;
        for (MutableRecordBatch batch : records.batches()) {
            if (batch.baseOffset() != 0) throw new InvalidRecordException("The baseOffset should be 0");
            batch.lastOffset();
            if (batch.sizeInBytes() > maxBytes) throw new RecordTooLargeException("too large");
            if (!batch.isValid()) throw new CorruptRecordException("Record is corrupt");
            batch.maxTimestamp();
            validBytes += batch.sizeInBytes();
            source = batch.compressionType();
        }
        ByteBuffer trimmed = records.buffer().duplicate();
        trimmed.limit(validBytes);
        Optional<Compression> wanted = target == 0 ? Optional.empty()
            : Optional.of(Compression.of(CompressionType.forId(target - 1)).build());
        Time clock = (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, arguments) -> method.getReturnType() == long.class ? now : null);
        LogValidator validator = new LogValidator(MemoryRecords.readableRecords(trimmed), new TopicPartition("t", 0), clock, source,
            BrokerCompressionType.targetCompression(wanted, source), compacted, (byte) 2, time, before, after, 0,
            AppendOrigin.CLIENT, maxRecord);
        return validator.validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(0), new NoMetrics(), BufferSupplier.NO_CACHING)
            .validatedRecords();
    }

    private static final class NoMetrics implements LogValidator.MetricsRecorder {
        @Override public void recordInvalidMagic() { }
        @Override public void recordInvalidOffset() { }
        @Override public void recordInvalidSequence() { }
        @Override public void recordInvalidChecksums() { }
        @Override public void recordNoKeyCompactedTopic() { }
    }
}
