//! `docs/COMPATIBILITY.md`, made from the tables of APIs, configuration keys and errors, and the
//! test that the page in the repository is the one they make.

use std::fmt::Write as _;
use std::path::PathBuf;

use protocol_codec::ApiKey;
use protocol_codec::error_code::ErrorCode;

use crate::cli::KAFKA_VERSION;
use crate::config::table::{self, ConfigKey, OWN_PREFIX, Scope, Treatment};
use crate::dispatch;

const COMMAND: &str = "UPDATE_DOCS=1 cargo test -p broker compatibility";

/// The whole page.
fn document() -> String {
    let mut page = String::new();
    let text = format!(
        "# Compatibility with Apache Kafka {KAFKA_VERSION}\n\n\
         This page is made from the tables that the broker itself works with; do not edit it.\n\
         To make it again: `{COMMAND}`\n\n"
    );
    page.push_str(&text);
    apis(&mut page);
    broker_keys(&mut page);
    resource_keys(&mut page);
    errors(&mut page);
    page
}

fn apis(page: &mut String) {
    page.push_str(
        "## APIs\n\n\
         Versions served here, beside those of Kafka. An API that is not served is not advertised \
         by ApiVersions, so that clients do not try it.\n\n\
         | key | API | here | Kafka |\n|---:|---|---|---|\n",
    );
    for api in ApiKey::ALL {
        let kafka = api.versions();
        if kafka.is_empty() {
            continue;
        }
        let versions = |first: i16, last: i16| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        let here = dispatch::find(*api).map_or("not yet".to_owned(), |served| {
            versions(*served.versions.start(), *served.versions.end())
        });
        let theirs = versions(*kafka.start(), *kafka.end());
        let _ = writeln!(page, "| {} | {} | {here} | {theirs} |", api.code(), api.name());
    }
    page.push_str(
        "\nKeys without versions in Kafka 4 (those of the ZooKeeper era) are left out.\n\n",
    );
}

fn broker_keys(page: &mut String) {
    page.push_str(
        "## Broker configuration\n\n\
         Every key of Kafka is known: its type and range are checked, and it is shown by \
         `kafka-configs.sh --describe`. Update modes are Kafka's: cluster-wide and per-broker keys \
         can be changed while the broker runs.\n\n",
    );
    let own = |key: &&ConfigKey| key.name.starts_with(OWN_PREFIX);
    let treated = |treatment| {
        move |key: &&ConfigKey| {
            key.treatment == treatment && !key.internal && !key.name.starts_with(OWN_PREFIX)
        }
    };
    let all = || table::keys(Scope::Broker);
    section(page, "### Acted on", "", all().filter(treated(Treatment::Acted)), true);
    section(page, "### Keys of Barnabas's own", "", all().filter(own), true);
    section(
        page,
        "### Refused",
        "These protect something and are not there yet. The broker does not start with them, \
         unless their value is the default or has no effect. The same holds for a listener that is \
         not PLAINTEXT.",
        all().filter(treated(Treatment::Protects)),
        true,
    );
    section(
        page,
        "### Known, without effect yet",
        "Setting one of them is warned of once.",
        all().filter(treated(Treatment::Known)),
        true,
    );
    page.push_str(
        "Keys that Kafka 4 dropped (`zookeeper.*`, `password.encoder.*`, \
         `inter.broker.protocol.version`, `log.message.format.version` and so on) are ignored with \
         a warning; so are unknown keys, with the nearest known one suggested.\n\n",
    );
}

fn resource_keys(page: &mut String) {
    let keys = |scope, treatment| {
        table::keys(scope).filter(move |key| key.treatment == treatment && !key.internal)
    };
    page.push_str("## Topic configuration\n\n");
    section(page, "### Acted on", "", keys(Scope::Topic, Treatment::Acted), false);
    let known = keys(Scope::Topic, Treatment::Known);
    section(page, "### Known, without effect yet", "", known, false);
    page.push_str(
        "`message.format.version`, `message.downconversion.enable` and \
         `message.timestamp.difference.max.ms`, which old clients still send when they create a \
         topic, are left out silently.\n\n\
         ## Group and client-metrics configuration\n\n",
    );
    let group = keys(Scope::Group, Treatment::Known);
    let note = "These concern the consumer, share and streams group protocols.";
    section(page, "### Groups: known, without effect yet", note, group, false);
    let metrics = keys(Scope::ClientMetrics, Treatment::Known);
    section(page, "### Client metrics: known, without effect yet", "", metrics, false);
}

fn section<'a>(
    page: &mut String,
    title: &str,
    introduction: &str,
    keys: impl Iterator<Item = &'a ConfigKey>,
    with_update_mode: bool,
) {
    let mut keys: Vec<&ConfigKey> = keys.collect();
    keys.sort_by_key(|key| key.name);
    if keys.is_empty() {
        return;
    }
    let _ = write!(page, "{title} ({})\n\n", keys.len());
    if !introduction.is_empty() {
        let _ = write!(page, "{introduction}\n\n");
    }
    page.push_str(if with_update_mode {
        "| key | default | update | |\n|---|---|---|---|\n"
    } else {
        "| key | default | |\n|---|---|---|\n"
    });
    for key in keys {
        let default = match key.default {
            None if key.required => "(required)".to_owned(),
            None => "null".to_owned(),
            Some("") => "(empty)".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        let update =
            if with_update_mode { format!(" {} |", key.update.name()) } else { String::new() };
        let doc = key.doc.replace('|', "\\|");
        let _ = writeln!(page, "| `{}` | {default} |{update} {doc} |", key.name);
    }
    page.push('\n');
}

fn errors(page: &mut String) {
    page.push_str(
        "## Error codes\n\n\
         The codes of the protocol, all of which have Kafka's meaning here.\n\n\
         | code | name | retriable |\n|---:|---|---|\n",
    );
    for error in (-1..=i16::MAX).filter_map(ErrorCode::from_code) {
        let retriable = if error.is_retriable() { "yes" } else { "" };
        let _ = writeln!(page, "| {} | {} | {retriable} |", error.code(), error.name());
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/COMPATIBILITY.md")
}

#[test]
fn the_page_in_the_repository_is_up_to_date() {
    let made = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path().parent().unwrap()).unwrap();
        std::fs::write(path(), &made).unwrap();
    }
    let found = std::fs::read_to_string(path()).unwrap_or_default();
    let differs = made.lines().zip(found.lines()).position(|(made, found)| made != found);
    let line = differs.unwrap_or(found.lines().count()) + 1;
    assert!(
        made == found,
        "docs/COMPATIBILITY.md no longer says what the tables say (line {line}); \
         make it again with: {COMMAND}"
    );
}
