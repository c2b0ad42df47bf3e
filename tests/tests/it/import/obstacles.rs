//! What cannot be taken over is named, and nothing is changed.

use std::fs;
use std::path::Path;

use protocol_codec::metadata_records::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, RegisterBrokerRecord, ZkMigrationStateRecord,
};
use protocol_codec::records::{BatchBuilder, BatchHeader};
use tests::kafka::StoppedKafka;
use tests::moving::moving;

use super::{contents, filled, import, without_authorizer};

/// Changes a copy, and expects a refusal that holds all these words and changes nothing.
fn refused(doctor: impl FnOnce(&Path), words: &[&str]) {
    let kafka = filled().kafka.copy();
    let properties = without_authorizer(kafka.directory());
    doctor(kafka.directory());
    refused_as_it_is(&kafka, &properties, words);
}

fn refused_as_it_is(kafka: &StoppedKafka, properties: &Path, words: &[&str]) {
    let before = contents(kafka);
    let said = import(properties, &[]).failed();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(contents(kafka) == before, "nothing is changed");
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a text file");
    assert!(text.contains(from), "{from} is not in {}", file.display());
    fs::write(file, text.replace(from, to)).expect("the copy is writable");
}

#[test]
fn an_unclean_stop_is_kafkas_to_recover() {
    refused(
        |kafka| fs::remove_file(kafka.join("data2/.kafka_cleanshutdown")).expect("it was clean"),
        &["data2/.kafka_cleanshutdown is missing", "start Kafka and stop it"],
    );
}

#[test]
fn foreign_and_old_directories_are_named() {
    refused(
        |kafka| replace(&kafka.join("data/meta.properties"), "version=1", "version=0"),
        &["data/meta.properties", "ZooKeeper", "KRaft"],
    );
    refused(
        |kafka| {
            let file = kafka.join("barnabas.properties");
            replace(&file, "node.id=1", "node.id=2");
            replace(&file, "controller.quorum.voters=1@", "controller.quorum.voters=2@");
        },
        &["is of node 1, not of node.id 2"],
    );
    refused(
        |kafka| replace(&kafka.join("data2/meta.properties"), "5L6g3nShT", "XXXXXXXXX"),
        &["data2/meta.properties is of cluster XXXXXXXXX"],
    );
    refused(
        |kafka| {
            fs::rename(kafka.join("data/__cluster_metadata-0"), kafka.join("away"))
                .expect("a folder")
        },
        &["__cluster_metadata-0 is not there", "migrated to KRaft"],
    );
}

#[test]
fn missing_data_is_named() {
    refused(
        |kafka| {
            let both = format!("{0}/data,{0}/data2", kafka.display());
            let one = format!("{}/data", kafka.display());
            replace(&kafka.join("barnabas.properties"), &both, &one);
        },
        &["directory.id", "not among those given"],
    );
    refused(
        |kafka| fs::remove_dir_all(folder(kafka, "large-0")).expect("a folder"),
        &["large-0 has no folder in any log directory"],
    );
    refused(
        |kafka| {
            let copy =
                folder(kafka, "money-1").with_file_name(format!("money-1.{:032x}-future", 7));
            fs::create_dir(copy).expect("the copy is writable");
        },
        &["-future is on its way to another log directory"],
    );
    refused(
        |kafka| {
            let log = kafka.join("data/__cluster_metadata-0/00000000000000000000.log");
            let bytes = fs::read(&log).expect("the metadata log");
            fs::write(&log, &bytes[..bytes.len() - 1]).expect("the copy is writable");
        },
        &["00000000000000000000.log is damaged at position"],
    );
}

/// Whichever log directory Kafka chose for it.
fn folder(kafka: &Path, name: &str) -> std::path::PathBuf {
    let places = ["data", "data2"].map(|dir| kafka.join(dir).join(name));
    places.into_iter().find(|path| path.is_dir()).expect("the partition has a folder")
}

/// All that the metadata itself says against it comes in one answer.
#[test]
fn what_the_metadata_says_against_it_is_listed() {
    let records = [
        (
            MetadataRecord::RegisterBroker(RegisterBrokerRecord {
                broker_id: 2,
                broker_epoch: 99,
                ..Default::default()
            }),
            0,
        ),
        (
            MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: "metadata.version".into(),
                feature_level: 34,
            }),
            0,
        ),
        (MetadataRecord::ZkMigrationState(ZkMigrationStateRecord { zk_migration_state: 2 }), 0),
        (
            MetadataRecord::Config(ConfigRecord {
                resource_type: 2,
                resource_name: "large".into(),
                name: "remote.storage.enable".into(),
                value: Some("true".into()),
            }),
            0,
        ),
    ];
    refused(
        |kafka| append(kafka, &records),
        &[
            "broker 2 is registered beside node 1",
            "metadata.version 34 is newer than 33",
            "the migration from ZooKeeper has not ended",
            "topic large is tiered",
        ],
    );
}

/// Appends a batch to Kafka's metadata log.
fn append(kafka: &Path, records: &[(MetadataRecord, i16)]) {
    let log = kafka.join("data/__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = fs::read(&log).expect("the metadata log");
    let (mut position, mut end) = (0, 0);
    while position < bytes.len() {
        let header = BatchHeader::read(&bytes[position..]).expect("a batch");
        end = header.next_offset();
        position += header.size();
    }
    let mut builder = BatchBuilder::new();
    for (record, version) in records {
        let value = record.encode(*version).expect("the version has these fields");
        builder.append(0, None, Some(&value), &[]).expect("a small record");
    }
    let mut batch = builder.build().expect("a small batch").to_vec();
    batch[..8].copy_from_slice(&end.to_be_bytes());
    batch[12..16].copy_from_slice(&9_i32.to_be_bytes());
    bytes.extend(batch);
    fs::write(&log, bytes).expect("the copy is writable");
}

#[test]
fn an_import_happens_once() {
    let kafka = filled().kafka.copy();
    let properties = without_authorizer(kafka.directory());
    let _ = import(&properties, &[]).ok();
    refused_as_it_is(&kafka, &properties, &["Barnabas uses this directory already"]);
}

/// These need a Kafka to make them.
#[test]
fn open_transactions_and_newer_groups_are_named() {
    let kafka = filled().kafka.copy().start();
    let _ = moving("open", &kafka.bootstrap());
    let _ = moving("share", &kafka.bootstrap());
    let kafka = kafka.stop();
    let properties = without_authorizer(kafka.directory());
    refused_as_it_is(
        &kafka,
        &properties,
        &[
            "group modern is a consumer (KIP-848) group",
            "the transaction of transactional.id forgotten has not ended",
            "money-0 has an open transaction of producer",
        ],
    );
}
