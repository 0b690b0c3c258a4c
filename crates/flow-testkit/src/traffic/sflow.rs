//! sFlow v5 (sflow.org, "sFlow Version 5"): a flow as one sampled packet, whose sampling rate stands for all of the flow's.

use std::net::IpAddr;

use super::export::{put_addr, put16, put32, saturate};
use super::flow::Flow;

/// Version, agent, sub-agent, sequence, uptime, count of samples.
pub(super) const HEADER_LEN: usize = 28;

/// The datagram's header; the agent is the sender.
pub(super) fn header(
    out: &mut Vec<u8>,
    agent: IpAddr,
    sub_agent: u32,
    sequence: u32,
    uptime_ms: u32,
    samples: usize,
) {
    put32(out, 5);
    put_typed(out, agent);
    for word in [sub_agent, sequence, uptime_ms, samples as u32] {
        put32(out, word);
    }
}

/// Octets of [`sample`].
pub(super) fn sample_len(flow: &Flow) -> usize {
    let addr_len = if flow.src.is_ipv6() { 16 } else { 4 };
    8 + 32 + (8 + 16 + frame_len(flow).next_multiple_of(4)) + (8 + 16) + (8 + 4 + addr_len + 8)
}

/// A flow sample: the start of a tagged frame, what the switch knows, what the router knows.
pub(super) fn sample(out: &mut Vec<u8>, flow: &Flow, sequence: u32) {
    const STRIPPED_LEN: u32 = 4;
    let rate = saturate(flow.packets).max(1);
    put32(out, 1);
    put32(out, (sample_len(flow) - 8) as u32);
    let (input, output) = (flow.input_if.into(), flow.output_if.into());
    for word in [sequence, input, rate, sequence.wrapping_mul(rate), 0, input, output, 3] {
        put32(out, word);
    }
    let frame_len = frame_len(flow);
    let len = saturate(flow.bytes / flow.packets.max(1));
    for word in [1, 16 + frame_len.next_multiple_of(4) as u32, 1, len, STRIPPED_LEN, frame_len as u32] {
        put32(out, word);
    }
    let end = out.len() + frame_len.next_multiple_of(4);
    frame(out, flow);
    out.resize(end, 0);
    let vlan = flow.vlan.into();
    for word in [1001, 16, vlan, 0, vlan, 0] {
        put32(out, word);
    }
    put32(out, 1002);
    put32(out, if flow.next_hop.is_ipv6() { 28 } else { 16 });
    put_typed(out, flow.next_hop);
    put32(out, flow.src_mask.into());
    put32(out, flow.dst_mask.into());
}

/// Ethernet with a tag, IP, and as many octets as TCP has at least.
const ETHERNET_LEN: usize = 18;
const TRANSPORT_LEN: usize = 20;

fn frame_len(flow: &Flow) -> usize {
    ETHERNET_LEN + if flow.src.is_ipv6() { 40 } else { 20 } + TRANSPORT_LEN
}

fn frame(out: &mut Vec<u8>, flow: &Flow) {
    // Locally administered, by interface.
    for interface in [flow.output_if, flow.input_if] {
        out.extend([2, 0, 0, 0]);
        put16(out, interface);
    }
    put16(out, 0x8100);
    put16(out, flow.vlan);
    match (flow.src, flow.dst) {
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            put16(out, 0x86dd);
            put32(out, 6 << 28 | u32::from(flow.tos) << 20);
            put16(out, TRANSPORT_LEN as u16);
            out.extend([flow.proto, 64]);
            out.extend([src.octets(), dst.octets()].concat());
        }
        (src, dst) => {
            put16(out, 0x0800);
            out.extend([0x45, flow.tos]);
            for word in [20 + TRANSPORT_LEN as u16, 0, 0x4000] {
                put16(out, word);
            }
            out.extend([64, flow.proto, 0, 0]);
            put_addr(out, src);
            put_addr(out, dst);
        }
    }
    match flow.proto {
        // Type and code.
        1 | 58 => {
            put16(out, flow.dst_port);
            put16(out, 0);
        }
        _ => {
            put16(out, flow.src_port);
            put16(out, flow.dst_port);
        }
    }
    for word in [1, 1, 0x5000_0000 | u32::from(flow.tcp_flags) << 16 | 512, 0] {
        put32(out, word);
    }
}

/// An address behind its type.
fn put_typed(out: &mut Vec<u8>, addr: IpAddr) {
    put32(out, if addr.is_ipv6() { 2 } else { 1 });
    put_addr(out, addr);
}
