import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
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
import org.apache.kafka.storage.internals.log.OffsetMap;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Compacts a partition's directory with Kafka's own cleaner, as of a given time.
 *
 *   DIR NOW_MS MAP_BYTES DIRTY... -- key=value...    once for each DIRTY, the first dirty offset
 *   -- key=value...    the same words, a line for each directory, on standard input until it ends
 *
 * Prints "RANGE first dirty offset, first uncleanable offset, end of what was cleaned, microseconds
 * it took, CPU microseconds of the process meanwhile" for each DIRTY. The log must have been closed
 * cleanly, and is again afterwards.
 *
 * Run: java -cp 'kafka-libs/*' Clean.java ...
 */
public final class Clean {
    /** Of the one thread; a broker keeps its map, too. */
    private static OffsetMap map;

    public static void main(String[] arguments) throws Exception {
        List<String> all = List.of(arguments);
        int split = all.indexOf("--");
        Map<String, String> settings = new HashMap<>();
        for (String setting : all.subList(split + 1, all.size())) {
            String[] parts = setting.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        LogConfig config = new LogConfig(settings);
        if (split > 0) {
            cleanDirectory(all.subList(0, split), config);
            return;
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            cleanDirectory(List.of(line.split(" ")), config);
        }
    }

    private static void cleanDirectory(List<String> words, LogConfig config) throws Exception {
        long now = Long.parseLong(words.get(1));
        int mapBytes = Integer.parseInt(words.get(2));
        if (map == null) {
            map = new SkimpyOffsetMap(mapBytes);
        }
        Time time = at(now);
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        UnifiedLog log = UnifiedLog.create(new File(words.get(0)), config, 0, Long.MAX_VALUE, scheduler,
            new BrokerTopicStats(), time, 900_000, new ProducerStateManagerConfig(86_400_000, false), 600_000,
            new LogDirFailureChannel(1), true, Optional.empty());
        log.updateHighWatermark(log.logEndOffset());
        for (String dirty : words.subList(3, words.size())) {
            clean(log, config, Long.parseLong(dirty), now, time);
        }
        log.close();
        scheduler.shutdown();
    }

    private static void clean(UnifiedLog log, LogConfig config, long dirty, long now, Time time) throws Exception {
        Method ranges = LogCleanerManager.class.getDeclaredMethod(
            "cleanableOffsets", UnifiedLog.class, Optional.class, long.class);
        ranges.setAccessible(true);
        Object range = ranges.invoke(null, log, Optional.of(dirty), now);
        LogToClean work = new LogToClean(log, part(range, "firstDirtyOffset"),
            part(range, "firstUncleanableDirtyOffset"), false);
        Throttler throttler = new Throttler(Double.MAX_VALUE, 300, "throttler", "entries", Time.SYSTEM);
        Cleaner cleaner = new Cleaner(0, map, 256 * 1024, config.maxMessageSize(), 0.9, throttler, time,
            partition -> { });
        OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long begun = System.nanoTime();
        long cpu = process.getProcessCpuTime();
        long end = cleaner.doClean(work, now).getKey();
        long took = (System.nanoTime() - begun) / 1000;
        cpu = (process.getProcessCpuTime() - cpu) / 1000;
        System.out.println("RANGE " + work.firstDirtyOffset() + " " + work.firstUncleanableOffset() + " " + end
            + " " + took + " " + cpu);
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
