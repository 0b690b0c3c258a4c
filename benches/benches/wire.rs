//! Decoding datagrams, flows a second, warmed: templates known, memory for the flows there.
//!
//! Templates have 20 fields. The exporters of `v9` and `ipfix` have two, one of each family, and a fifth of the flows is
//! IPv6. The one of `ipfix-variable` sends IPv4 alone; two of its fields are of variable length.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::{datagrams, decode_into};
use flow_model::BatchBuilder;
use flow_testkit::traffic::Protocol;
use flow_wire::{Decoder, DecoderOptions, Limits};

const FLOWS: u64 = 50_000;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(FLOWS));
    for (name, protocol) in [
        ("v5", Protocol::NetflowV5),
        ("v9", Protocol::NetflowV9),
        ("ipfix", Protocol::Ipfix),
        ("ipfix-variable", Protocol::IpfixVariable),
        ("sflow", Protocol::Sflow),
    ] {
        let datagrams = datagrams(protocol, FLOWS);
        let mut decoder = Decoder::new(DecoderOptions::default());
        let mut builder = BatchBuilder::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for datagram in &datagrams {
                    if builder.room() < Limits::default().flows_per_datagram {
                        let full = builder.finish();
                        builder.recycle(black_box(full));
                    }
                    decode_into(&mut decoder, datagram, &mut builder);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
