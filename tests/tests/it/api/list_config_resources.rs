//! ListConfigResources (KIP-1142).

use crate::against::wire;
use protocol_codec::messages::list_config_resources::Request;

#[test]
fn topics_and_brokers_are_listed() {
    wire(|session| {
        let _ = session.topic("resources", 1);
        for types in [vec![], vec![2], vec![4], vec![2, 4], vec![16], vec![32], vec![99]] {
            let answer = session.client.call(1, &Request { resource_types: types.clone() });
            let ours = |name: &str, kind| name == "resources" || kind != 2;
            let mut listed: Vec<_> = answer
                .config_resources
                .iter()
                .map(|one| (one.resource_type, one.resource_name.to_string()))
                .filter(|(kind, name)| ours(name, *kind))
                .collect();
            listed.sort();
            session.note(
                &format!("ListConfigResources version 1 {types:?}"),
                &(answer.error_code, listed),
            );
        }
        let _ = session.ask(0, &Request::default());
    });
}
