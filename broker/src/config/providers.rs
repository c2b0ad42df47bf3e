//! `config.providers`: values that stand elsewhere, as `${env:NAME}` or `${file:PATH:KEY}`.
//!
//! Only when `config.providers` names a provider is `${...}` anything but plain text, as in Kafka.
//! Three of Kafka's providers are built in; their restricting parameters (allowed paths, names)
//! protect something, so that they stop the start instead of being passed over.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::properties;
use super::settings::Settings;
use super::value::split_list;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    /// A key of a properties file.
    File,
    /// A whole file of a directory.
    Directory,
    Env,
}

/// Replaces every reference in `settings`, and drops the providers' own settings.
pub(super) fn resolve(
    settings: &mut Settings,
    environment: &[(String, String)],
) -> Result<(), ConfigError> {
    let Some(names) = settings.get("config.providers").map(|s| split_list(&s.value)) else {
        return Ok(());
    };
    let providers = providers(settings, &names)?;
    settings.retain(|key, _| !key.starts_with("config.providers."));
    for (key, setting) in settings.iter_mut() {
        if let Some(value) = replace(&setting.value, &providers, environment)
            .map_err(|why| ConfigError::refused(key, Some(setting), why))?
        {
            setting.value = value;
        }
    }
    Ok(())
}

fn providers(
    settings: &Settings,
    names: &[String],
) -> Result<BTreeMap<String, Provider>, ConfigError> {
    let mut providers = BTreeMap::new();
    for name in names {
        let key = format!("config.providers.{name}.class");
        let class = settings.get(&key);
        let provider = match class.and_then(|s| s.value.trim().rsplit('.').next()) {
            Some("FileConfigProvider") => Provider::File,
            Some("DirectoryConfigProvider") => Provider::Directory,
            Some("EnvVarConfigProvider") => Provider::Env,
            _ => {
                let why = "must be Kafka's FileConfigProvider, DirectoryConfigProvider or \
                           EnvVarConfigProvider";
                return Err(ConfigError::refused(&key, class, why));
            }
        };
        let parameters = format!("config.providers.{name}.param.");
        if let Some((key, setting)) = settings.iter().find(|(key, _)| key.starts_with(&parameters))
        {
            let why = "restricting a config provider does not work yet";
            return Err(ConfigError::refused(key, Some(setting), why));
        }
        providers.insert(name.clone(), provider);
    }
    Ok(providers)
}

/// `text` with its references replaced; None if it has none.
fn replace(
    text: &str,
    providers: &BTreeMap<String, Provider>,
    environment: &[(String, String)],
) -> Result<Option<String>, String> {
    let mut out = String::new();
    let mut rest = text;
    let mut replaced = false;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let reference = after.split_once('}').and_then(|(inner, tail)| {
            let (name, path) = inner.split_once(':')?;
            Some((*providers.get(name)?, path, tail))
        });
        match reference {
            Some((provider, path, tail)) => {
                out.push_str(&look_up(provider, path, environment)?);
                rest = tail;
                replaced = true;
            }
            None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(replaced.then_some(out))
}

fn look_up(
    provider: Provider,
    reference: &str,
    environment: &[(String, String)],
) -> Result<String, String> {
    let (path, key) = reference.rsplit_once(':').unwrap_or(("", reference));
    let read = |path: &str| {
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
    };
    match provider {
        Provider::Env => {
            let found = environment.iter().find(|(name, _)| name == key);
            let missing = || format!("environment variable {key} is not set");
            found.map(|(_, value)| value.clone()).ok_or_else(missing)
        }
        Provider::Directory => read(&format!("{path}/{key}")),
        Provider::File => {
            let found = properties::parse(&read(path)?).map_err(|e| format!("{path}, {e}"))?;
            let last = found.into_iter().rev().find(|property| property.key == key);
            last.map(|property| property.value).ok_or_else(|| format!("{path} has no key {key}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{Origin, Setting};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let setting = |v: &str| Setting { value: v.to_owned(), origin: Origin::Override };
        pairs.iter().map(|(k, v)| ((*k).to_owned(), setting(v))).collect()
    }

    const ENV: (&str, &str) = (
        "config.providers.env.class",
        "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    );

    #[test]
    fn without_providers_a_reference_is_plain_text() {
        let mut plain = settings(&[("broker.rack", "${env:RACK}")]);
        resolve(&mut plain, &[]).unwrap();
        assert_eq!(plain["broker.rack"].value, "${env:RACK}");
    }

    #[test]
    fn references_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        std::fs::write(&path, "a=1\nb=two\n").unwrap();
        let file = ("config.providers.file.class", "FileConfigProvider");
        let reference = format!("x-${{file:{}:b}}-${{env:RACK}}-${{other:y}}", path.display());
        let mut given =
            settings(&[("config.providers", "env,file"), ENV, file, ("broker.rack", &reference)]);
        resolve(&mut given, &[("RACK".to_owned(), "r1".to_owned())]).unwrap();
        assert_eq!(given["broker.rack"].value, "x-two-r1-${other:y}");
        assert!(!given.contains_key(ENV.0));
    }

    #[test]
    fn what_cannot_be_looked_up_is_refused() {
        let mut missing =
            settings(&[("config.providers", "env"), ENV, ("broker.rack", "${env:NONE}")]);
        let error = resolve(&mut missing, &[]).unwrap_err().to_string();
        assert!(error.ends_with("environment variable NONE is not set"), "{error}");
        let limited = ("config.providers.env.param.allowlist.pattern", "A.*");
        let mut limited = settings(&[("config.providers", "env"), ENV, limited]);
        assert!(resolve(&mut limited, &[]).is_err());
        let mut unknown = settings(&[("config.providers", "vault")]);
        assert!(resolve(&mut unknown, &[]).is_err());
    }
}
