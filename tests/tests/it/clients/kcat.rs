//! kcat: librdkafka from the shell.

use crate::against::both;
use tests::tool::kcat;

#[test]
fn metadata_names_the_broker_and_the_topic() {
    both(|bootstrap| {
        let _ = kcat(bootstrap, "-P -t kcat-metadata", "one\n");
        let said = kcat(bootstrap, "-L -t kcat-metadata", "").replace(bootstrap, "BOOTSTRAP");
        // The first line says which connection was quicker.
        said.lines().skip(1).collect::<Vec<_>>().join("\n")
    });
}

/// Debian's kcat is built without zstd; the console tools test that one.
#[test]
fn produce_and_consume_compressed() {
    both(|bootstrap| {
        ["none", "gzip", "snappy", "lz4"]
            .map(|codec| {
                let topic = format!("kcat-{codec}");
                let lines = "k1:alpha\nk2:beta\nk3:gamma\n".repeat(100);
                let _ = kcat(bootstrap, &format!("-P -t {topic} -K: -z {codec} -H h=1"), &lines);
                kcat(bootstrap, &format!("-C -t {topic} -e -o beginning -f %o|%k|%h|%s\\n"), "")
            })
            .concat()
    });
}

#[test]
fn offsets_are_found_by_position_and_time() {
    both(|bootstrap| {
        let _ = kcat(bootstrap, "-P -t kcat-offsets", "a\nb\nc\nd\n");
        let mut said = kcat(bootstrap, "-C -t kcat-offsets -p 0 -o 2 -e -f %o%s\\n", "");
        said += &kcat(bootstrap, "-C -t kcat-offsets -p 0 -o -1 -e -f %o%s\\n", "");
        said += &kcat(bootstrap, "-Q -t kcat-offsets:0:1", "");
        said += &kcat(bootstrap, "-Q -t kcat-offsets:0:-1", "");
        said + &kcat(bootstrap, "-Q -t kcat-offsets:0:-2", "")
    });
}

#[test]
fn a_group_reads_each_record_once() {
    both(|bootstrap| {
        let _ = kcat(bootstrap, "-P -t kcat-group", "a\nb\nc\n");
        let first = "-G kcat-g -X auto.offset.reset=earliest -c 3 -f %s\\n kcat-group";
        let mut said = kcat(bootstrap, first, "");
        let _ = kcat(bootstrap, "-P -t kcat-group", "d\ne\n");
        let second = "-G kcat-g -X auto.offset.reset=earliest -c 2 -f %s\\n kcat-group";
        said += &kcat(bootstrap, second, "");
        said
    });
}
