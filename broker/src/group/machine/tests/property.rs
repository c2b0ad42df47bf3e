//! What holds after any history: replaying the records gives the state that is live, nobody is
//! answered twice, and in the end everybody has been answered. The first is checked after every
//! command by the world of the scripts, which runs these histories too.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::script::World;

fn member() -> impl Strategy<Value = String> {
    let dynamic = (1..12u8).prop_map(|n| format!("c-{n}"));
    let static_member = (select(vec!["i", "j"]), 1..12u8)
        .prop_map(|(instance, n)| format!("{instance}-{n} instance={instance}"));
    prop_oneof![4 => dynamic, 1 => static_member]
}

fn group() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just("g"), 1 => Just("h")]
}

fn join() -> impl Strategy<Value = String> {
    let who = prop_oneof![
        3 => Just(String::new()),
        1 => Just("instance=i".to_owned()),
        1 => Just("instance=j".to_owned()),
        6 => member(),
    ];
    let protocols = select(vec!["range:t", "range:t,rr:t", "rr:t,range:t", "rr:u", "range:!"]);
    let timeouts = select(vec!["", "session=20000", "rebalance=5000", "rebalance=90000"]);
    (who, group(), select(vec![0, 3, 5, 9]), protocols, timeouts).prop_map(
        |(who, group, version, protocols, timeouts)| {
            format!("join {who} group={group} v={version} protocols={protocols} {timeouts}")
        },
    )
}

fn command() -> impl Strategy<Value = String> {
    let assign = "assign=c-1:A,c-2:B,c-3:C,i-4:D,j-5:E";
    let sync = (member(), group(), 0..5).prop_map(move |(who, group, generation)| {
        format!("sync {who} group={group} gen={generation} {assign}")
    });
    let heartbeat = (member(), group(), 0..5).prop_map(|(who, group, generation)| {
        format!("heartbeat {who} group={group} gen={generation}")
    });
    let leaver = select(vec!["c-1", "c-2", "c-3", "i-4@i", "@i", "@j", "j-5"]);
    let leave = (vec(leaver, 1..3), group())
        .prop_map(|(who, group)| format!("leave {} group={group}", who.join(" ")));
    let commit = (1..12u8, group(), -1..5, 0..3u8, 0..2u8).prop_map(
        |(member, group, generation, partition, id)| {
            let who = if generation < 0 { String::new() } else { format!("member=c-{member}") };
            format!("commit t-{partition} u-0 group={group} gen={generation} {who} id={id}")
        },
    );
    let time = select(vec![0, 1, 1_000, 3_000, 5_000, 10_000, 60_000, 700_000]);
    let other = select(vec![
        "delete-offsets t-0 u-0",
        "delete-groups g h",
        "delete-topic t id=1",
        "describe",
        "list",
        "fetch all",
        "restart",
    ]);
    prop_oneof![
        8 => join(),
        6 => sync,
        3 => heartbeat,
        2 => leave,
        3 => commit,
        5 => time.prop_map(|ms| format!("time {ms}")),
        1 => other.prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_can_be_replayed_and_everybody_is_answered(
        max_size in select(vec!["", "max_size=2"]),
        commands in vec(command(), 1..60),
    ) {
        let mut world = World::new();
        world.run(&format!("config retention=1000000 {max_size}"));
        for command in commands {
            world.run(&command);
        }
        // Longer than any session, rebalance and join timeout, one after the other.
        world.run("time 3000000");
        prop_assert_eq!(world.unanswered(), Vec::<u64>::new());
    }
}
