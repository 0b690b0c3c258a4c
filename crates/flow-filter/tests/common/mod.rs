//! What an expression means, and expressions to try it on.

mod naive;

pub(crate) use naive::matches;
use proptest::prelude::*;

/// Any filter text that is accepted, about values that generated flows have.
pub(crate) fn any_filter() -> impl Strategy<Value = String> {
    any_primitive().prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            4 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            4 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
            2 => inner.clone().prop_map(|a| format!("not {a}")),
            3 => inner.clone().prop_map(|a| format!("({a})")),
            2 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} or {b}) and not ({c})")),
        ]
    })
}

fn any_primitive() -> impl Strategy<Value = String> {
    let side = || prop::sample::select(&["", "src ", "dst ", "src or dst ", "src and dst "][..]);
    let compare = || prop::sample::select(&["", "= ", "> ", "< ", ">= ", "<= ", "eq ", "lt "][..]);
    let numbers = |values: &'static [&'static str]| prop::sample::select(values);
    let addr = || {
        let number = 0_u64..12;
        (number, any::<bool>()).prop_map(|(number, v6)| flow_testkit::generate::host(number, v6).to_string())
    };
    let net = || {
        let nets =
            ["10.0.0.0/8", "10.0.0.0/29", "192.168/16", "0.0.0.0/0", "::/0", "2001:db8::/32", "::/125"];
        prop::sample::select(nets.to_vec())
    };
    let list = |entry: BoxedStrategy<String>| {
        prop::collection::vec(entry, 1..12).prop_map(|entries| format!("in [ {} ]", entries.join(" ")))
    };
    let port = || numbers(&["0", "22", "53", "80", "443", "769", "1024", "1500", "2048", "8080", "65535"]);
    let fixed = prop::sample::select(
        &[
            "any",
            "ipv4",
            "ipv6",
            "ident here",
            "ident there",
            "flags S",
            "flags SA",
            "flags X",
            "flags > 17",
            "flags 18",
            "proto tcp",
            "proto udp",
            "proto icmp6",
            "proto 0",
            "proto 200",
            "icmp-type 8",
            "icmp-type > 3",
            "icmp-code 1",
            "asa event create",
            "asa event > 1",
            "asa event denied ingress",
            "asa xevent 2016",
            "nat event invalid",
            "nat event add",
            "mpls label1 1234",
            "mpls label2 > 50",
            "mpls exp1 5",
            "mpls eos 77",
            "mpls eos < 100",
            "mpls any 99",
            "payload content HTTP",
            "payload content HTT",
            "flowlabel x",
            "port in pblock",
            "src port in pblock",
            "if 3",
            "in if 70000",
            "out if 4294967295",
            "if 0",
            "vlan 100",
            "src vlan 0",
            "mask 24",
            "dst mask 64",
            "next ip 10.0.0.1",
            "next ip in [10.0.0.1 2001:db8::2]",
            "router ip 10.0.0.1",
            "bgpnext ip 2001:db8::1",
            "sysid 1",
            "sysid 2",
            "engine-type 1",
            "engine-id > 0",
            "fwdstat 64",
            "flowdir 1",
            "flowdir ingress",
            "client latency 1",
            "server latency > 0",
            "app latency < 2",
            "observation domain id 5",
            "observation point id 0",
            "nfversion 9",
            "nfversion > 5",
            "tun proto 4",
            "min ttl 64",
            "max ttl > 60",
            "ttl < 128",
            "ttl equal",
            "not ttl equal",
            "src tun ip 10.0.0.1",
            "engine type 1",
            "dst nat net 10.0.0.0/8",
            "net in [10.0/16 2001:db8::/32]",
            "tunip 10.0.0.1",
            "xip 10.0.0.1",
            "src xnet 10.0.0.0/8",
            "xport 443",
            "ingress vrf 11",
            "egress vrf 0",
            "ingress acl 1",
            "egress acl 0",
            "pblock start 1024",
            "pblock end > 0",
            "mac 00:11:22:33:44:55",
            "in src mac de:ad:be:ef:00:01",
            "src mac 00:11:22:33:44:55",
            "tos 16",
            "dst tos 1",
            "src or dst tos 0",
            "as 65001",
            "src as 0",
            "as > 60000",
            "as in [15169 65001]",
            "prev as 1299",
            "next as 0",
            "flows 1",
            "flows > 1",
            "out bytes > 0",
            "out packets 7",
            "first seen > 2023-11-14T22:15",
            "port not 53",
        ][..],
    );
    prop_oneof![
        6 => fixed.prop_map(str::to_string),
        2 => (side(), addr()).prop_map(|(side, addr)| format!("{side}ip {addr}")),
        1 => (side(), net()).prop_map(|(side, net)| format!("{side}net {net}")),
        1 => (side(), list(addr().boxed())).prop_map(|(side, list)| format!("{side}ip {list}")),
        3 => (side(), compare(), port()).prop_map(|(side, compare, port)| format!("{side}port {compare}{port}")),
        1 => (side(), list(port().prop_map(str::to_string).boxed())).prop_map(|(side, list)| format!("{side}port {list}")),
        2 => (numbers(&["packets", "bytes", "in bytes", "bpp", "pps", "bps", "duration"]), compare(),
            numbers(&["0", "1", "10", "1k", "100k", "1m", "10g"]))
            .prop_map(|(word, compare, number)| format!("{word} {compare}{number}")),
        1 => (compare(), 0_u32..400).prop_map(|(compare, count)| format!("count {compare}{count}")),
    ]
}
