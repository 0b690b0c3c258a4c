//! A warmed decoder does not allocate: not per flow, and not per datagram.

#![expect(unsafe_code, reason = "counting allocations takes a global allocator")]

#[path = "support/messages.rs"]
mod messages;

use flow_model::BatchBuilder;
use flow_wire::{Decoder, DecoderOptions, Exporter};
use messages::{
    V9_TWENTY_FIELDS, ipfix, sflow, sflow_v4, v5, v9_data, v9_interface_options, v9_set, v9_template, words,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

/// The system's allocator, with a count for each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments; the counter neither
// allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of a second run over `datagrams`, and the flows in it.
fn second_run(datagrams: &[Vec<u8>]) -> (usize, usize) {
    let from = Exporter { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 9 };
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut out = BatchBuilder::new();
    let mut run = |out: &mut BatchBuilder| -> usize {
        let decode = |datagram: &Vec<u8>| decoder.decode(from, 0, datagram, out).flows;
        datagrams.iter().map(decode).sum()
    };
    run(&mut out);
    let batch = out.finish();
    out.recycle(batch);
    let before = ALLOCATIONS.get();
    let flows = run(&mut out);
    (ALLOCATIONS.get() - before, flows)
}

#[test]
fn v5_does_not_allocate() {
    assert_eq!(second_run(&vec![v5(30); 100]), (0, 3_000));
}

#[test]
fn v9_does_not_allocate_and_a_refreshed_template_neither() {
    let mut datagrams = vec![v9_data(256, V9_TWENTY_FIELDS, 20); 100];
    datagrams.insert(0, v9_template(256, V9_TWENTY_FIELDS));
    datagrams.insert(50, v9_template(256, V9_TWENTY_FIELDS));
    assert_eq!(second_run(&datagrams), (0, 2_000));
}

#[test]
fn neither_do_fields_of_variable_length() {
    let fields = [(1, 4), (95, u16::MAX), (48, 1)];
    let mut record = [0, 0, 0, 9, 3, 13, 0, 80, 1].repeat(50);
    let mut data = v9_data(257, &[], 0);
    data.splice(22..24, (4 + record.len() as u16).to_be_bytes());
    data.append(&mut record);
    assert_eq!(second_run(&[v9_template(257, &fields), data]), (0, 50));
}

#[test]
fn neither_do_options_data_and_what_they_say_of_interfaces() {
    let name = |number: u16| {
        let mut record = words(&[0, number]);
        record.extend(format!("eth{number:<5}").bytes());
        record.extend(words(&[0, 100 + number]));
        record
    };
    let names: Vec<_> = (0..20).map(name).collect();
    let fields = [(1, 4), (2, 4), (10, 2), (14, 2)];
    let flows: Vec<_> = (0..20).map(|row| words(&[0, 1500, 0, 1, row, 20 - row])).collect();
    let datagrams = [
        v9_interface_options(300, &[(82, 8), (34, 4)]),
        v9_template(256, &fields),
        v9_set(300, &names),
        v9_set(256, &flows),
        v9_set(300, &names),
        v9_set(256, &flows),
    ];
    assert_eq!(second_run(&datagrams), (0, 40));
}

#[test]
fn neither_do_lists_and_what_is_said_of_other_domains() {
    let variable = u16::MAX;
    let templates = words(&[256, 2, 4, 1, 292, variable, 257, 2, 7, 2, 95, variable]);
    let options = words(&[300, 2, 1, 149, 4, 34, 4]);
    // Protocol 6; a list of eleven octets: semantic, template, and two records of port and application.
    let record = [6, 11, 255, 1, 1, 0, 80, 1, 3, 0, 81, 1, 4];
    let datagram = ipfix(&[
        (2, templates),
        (3, options),
        (300, words(&[0, 2, 0, 10, 0, 3, 0, 20])),
        (256, record.repeat(50)),
    ]);
    assert_eq!(second_run(&vec![datagram; 4]), (0, 200));
}

#[test]
fn sflow_does_not_allocate() {
    assert_eq!(second_run(&vec![sflow(7); 100]), (0, 700));
    assert_eq!(second_run(&vec![sflow_v4(7); 100]), (0, 700));
}
