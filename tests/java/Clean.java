import java.io.File;
import java.lang.reflect.Method;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.LogCleanerManager;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Compacts a partition's directory with Kafka's own cleaner, as of a given time.
 *
 *   DIR NOW_MS MAP_BYTES DIRTY... -- key=value...    once for each DIRTY, the first dirty offset
 *
 * Prints "RANGE first dirty offset, first uncleanable offset, end of what was cleaned, ms it took"
 * for each. The log must have been closed cleanly, and is again afterwards.
 *
 * Run: java -cp 'kafka-libs/*' Clean.java ...
 */
public final class Clean {
    public static void main(String[] arguments) throws Exception {
        List<String> all = List.of(arguments);
        int split = all.indexOf("--");
        Map<String, String> settings = new HashMap<>();
        for (String setting : all.subList(split + 1, all.size())) {
            String[] parts = setting.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        long now = Long.parseLong(all.get(1));
        int mapBytes = Integer.parseInt(all.get(2));
        Time time = at(now);
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        LogConfig config = new LogConfig(settings);
        UnifiedLog log = UnifiedLog.create(new File(all.get(0)), config, 0, Long.MAX_VALUE, scheduler,
            new BrokerTopicStats(), time, 900_000, new ProducerStateManagerConfig(86_400_000, false), 600_000,
            new LogDirFailureChannel(1), true, Optional.empty());
        log.updateHighWatermark(log.logEndOffset());
        for (String dirty : all.subList(3, split)) {
            clean(log, config, Long.parseLong(dirty), now, mapBytes, time);
        }
        log.close();
        scheduler.shutdown();
    }

    private static void clean(UnifiedLog log, LogConfig config, long dirty, long now, int mapBytes, Time time)
            throws Exception {
        Method ranges = LogCleanerManager.class.getDeclaredMethod(
            "cleanableOffsets", UnifiedLog.class, Optional.class, long.class);
        ranges.setAccessible(true);
        Object range = ranges.invoke(null, log, Optional.of(dirty), now);
        LogToClean work = new LogToClean(log, part(range, "firstDirtyOffset"),
            part(range, "firstUncleanableDirtyOffset"), false);
        Throttler throttler = new Throttler(Double.MAX_VALUE, 300, "throttler", "entries", Time.SYSTEM);
        Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap(mapBytes), 256 * 1024, config.maxMessageSize(), 0.9,
            throttler, time, partition -> { });
        long begun = System.nanoTime();
        long end = cleaner.doClean(work, now).getKey();
        long took = (System.nanoTime() - begun) / 1_000_000;
        System.out.println("RANGE " + work.firstDirtyOffset() + " " + work.firstUncleanableOffset() + " " + end
            + " " + took);
    }

    private static long part(Object range, String name) throws Exception {
        Method method = range.getClass().getDeclaredMethod(name);
        method.setAccessible(true);
        return (long) method.invoke(range);
    }

    /** A clock that stands still. */
    private static Time at(long now) {
        return (Time) java.lang.reflect.Proxy.newProxyInstance(Clean.class.getClassLoader(),
            new Class<?>[] {Time.class}, (proxy, method, arguments) -> {
                if (method.getName().equals("milliseconds")) {
                    return now;
                }
                return method.invoke(Time.SYSTEM, arguments);
            });
    }
}
