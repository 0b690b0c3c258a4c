//! How long a flow takes: `cargo test --release -p flow-wire --test speed -- --ignored --nocapture`.

#![expect(clippy::print_stderr, reason = "the numbers are the point")]

#[path = "support/messages.rs"]
mod messages;

use flow_model::BatchBuilder;
use flow_wire::{Decoder, DecoderOptions, Exporter, Limits};
use messages::{V9_TWENTY_FIELDS, v5, v9_data, v9_template};
use std::net::IpAddr;

const FROM: Exporter = Exporter { addr: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port: 9 };
const DATAGRAMS: u32 = 400_000;

fn measure(name: &str, datagram: &[u8], template: Option<&[u8]>) {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut out = BatchBuilder::new();
    let room = Limits::default().flows_per_datagram;
    if let Some(template) = template {
        decoder.decode(FROM, 0, template, &mut out);
    }
    let mut flows = 0;
    let start = cpu_nanos();
    for _ in 0..DATAGRAMS {
        flows += decoder.decode(FROM, 0, datagram, &mut out).flows;
        if out.room() < room {
            let batch = out.finish();
            out.recycle(batch);
        }
    }
    let nanos = (cpu_nanos() - start) as f64;
    eprintln!("{name}: {:.1} ns per flow, {flows} flows", nanos / flows as f64);
}

/// Nanoseconds this thread has run: other load of the machine does not count.
fn cpu_nanos() -> u64 {
    let stat =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("the first number is nanoseconds")
}

#[test]
#[ignore = "measures time; run it in a release build"]
fn nanoseconds_per_flow() {
    measure("v5, 30 records", &v5(30), None);
    let template = v9_template(256, V9_TWENTY_FIELDS);
    measure("v9, 24 records of 20 fields", &v9_data(256, V9_TWENTY_FIELDS, 24), Some(&template));
}
