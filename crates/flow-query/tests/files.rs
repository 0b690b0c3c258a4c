//! Queries over real files: several, damaged, missing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_file::{Compression, FileTail, FileWriter, FlowFile, WriteOptions};
use flow_filter::{Filter, ParseOptions};
use flow_model::{BatchBuilder, CountRule, Field, FieldSet, FlowBatch, LossLedger, Order, Selection, Totals};
use flow_query::{Aggregate, Direction, Listing, Query, Ranking, Sort, TimeWindow, list, run, write};
use flow_testkit::generate::{Mix, START_MS, batches};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn options() -> WriteOptions {
    WriteOptions {
        ident: "test".into(),
        format: Compression::Lz4.into(),
        rule: CountRule::Collected,
        created_ms: START_MS,
    }
}

fn make(directory: &Path, name: &str, batches: &[FlowBatch]) -> PathBuf {
    let path = directory.join(name);
    let mut writer = FileWriter::create(&path, options()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    let ledger = LossLedger { missed: 3, ..LossLedger::default() };
    writer.finish(FileTail { ledger, ..FileTail::default() }).unwrap();
    path
}

fn all(batches: &[FlowBatch]) -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for batch in batches {
        builder.append(batch, &Selection::all(batch.len()));
    }
    builder.finish()
}

fn listed(query: &Query) -> FlowBatch {
    let mut pieces = Vec::new();
    let mut emit = |_: Vec<u8>| ControlFlow::Continue(());
    list(query, FieldSet::EMPTY, &mut emit, &|_, _, _| Vec::new()).unwrap();
    let sort = Sort { order: Order::Flows, ascending: true, top: 0, columns: FieldSet::ALL };
    pieces.extend(batches_of(run(query, &sort).unwrap().0));
    all(&pieces)
}

fn batches_of(listing: Listing) -> Vec<FlowBatch> {
    listing.collect::<Result<_, _>>().unwrap()
}

#[test]
fn files_count_in_the_order_given_and_broken_ones_are_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let flows = batches(5, 900, 100, Mix::default());
    let second = make(directory.path(), "b", &flows[4..]);
    let first = make(directory.path(), "a", &flows[..4]);
    let missing = directory.path().join("missing");
    let garbage = directory.path().join("garbage");
    std::fs::write(&garbage, b"not a flow file at all").unwrap();
    for threads in [1, 3] {
        let files = vec![missing.clone(), second.clone(), garbage.clone(), first.clone()];
        let query = Query { files, threads, ..Query::new(Filter::all()) };
        let key = Aggregate {
            key: Aggregate::five_tuple(),
            keep_first: true,
            direction: Direction::OneWay,
            rankings: vec![Ranking::by_appearance(1)],
            columns: FieldSet::ALL,
        };
        let (answer, report) = run(&query, &key).unwrap();
        let answer: Vec<_> = answer.into_iter().flat_map(batches_of).collect();
        assert_eq!(answer[0].column(Field::ReceivedMs).num(0), flows[4].column(Field::ReceivedMs).num(0));
        let paths: Vec<&Path> = report.problems.iter().map(flow_file::FileError::path).collect();
        assert_eq!(paths, [missing.as_path(), garbage.as_path()]);
        assert_eq!((report.files, report.processed, report.passed, report.ledger.missed), (2, 900, 900, 6));
        let mut totals = Totals::default();
        for batch in &flows {
            totals.add(batch, &Selection::all(batch.len()), CountRule::Written);
        }
        assert_eq!(report.totals, totals);
        assert_eq!(report.span_ms, Some((totals.first_ms, totals.last_ms)));
        assert!(report.bytes_read > 1_000);
    }
}

#[test]
fn a_damaged_block_is_reported_and_the_others_answer() {
    let directory = tempfile::tempdir().unwrap();
    let flows = batches(6, 400, 100, Mix::default());
    let path = make(directory.path(), "damaged", &flows);
    let file = FlowFile::open(&path).unwrap();
    let (start, len) = (file.block_offset(2) as usize, file.block_bytes(2) as usize);
    drop(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[start + len / 4..start + len].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    for threads in [1, 2] {
        for filter in ["", "bytes > 0 and packets < 100000"] {
            let filter = Filter::parse(filter, &ParseOptions::default()).unwrap();
            let query = Query { files: vec![path.clone()], threads, ..Query::new(filter) };
            let ((), report) = run(&query, &()).unwrap();
            assert_eq!((report.problems.len(), report.processed), (1, 300));
            let limited = Query { limit: Some(250), ..query };
            let sort = Sort { order: Order::Start, ascending: true, top: 1, columns: FieldSet::ALL };
            let (_, report) = run(&limited, &sort).unwrap();
            assert!(report.passed <= 250 && report.problems.len() == 1);
        }
    }
}

#[test]
fn totals_are_those_of_the_flows_whether_the_file_knows_them_or_not() {
    let directory = tempfile::tempdir().unwrap();
    for (number, mix) in [Mix::default(), Mix { rich: false, ..Mix::default() }].into_iter().enumerate() {
        let flows = batches(6, 400, 100, mix);
        let path = make(directory.path(), &number.to_string(), &flows);
        let query = Query { files: vec![path.clone()], ..Query::new(Filter::all()) };
        let mut expected = Totals::default();
        for batch in &flows {
            expected.add(batch, &Selection::all(batch.len()), CountRule::Written);
        }
        let five_tuple = Aggregate {
            key: Aggregate::five_tuple(),
            keep_first: true,
            direction: Direction::OneWay,
            rankings: vec![Ranking::by(Order::Bytes, 3)],
            columns: FieldSet::ALL,
        };
        assert_eq!(run(&query, &()).unwrap().1.totals, expected);
        assert_eq!(run(&query, &five_tuple).unwrap().1.totals, expected);

        // Of a file with a damaged block they are added up.
        let file = FlowFile::open(&path).unwrap();
        let (start, len) = (file.block_offset(1) as usize, file.block_bytes(1) as usize);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[start + len / 8..start + len].fill(0x5a);
        let damaged = directory.path().join(format!("{number}d"));
        std::fs::write(&damaged, bytes).unwrap();
        let mut expected = Totals::default();
        for batch in [&flows[0], &flows[2], &flows[3]] {
            expected.add(batch, &Selection::all(batch.len()), CountRule::Written);
        }
        let query = Query { files: vec![damaged], ..query };
        let (_, report) = run(&query, &five_tuple).unwrap();
        assert_eq!((report.totals, report.problems.len()), (expected, 1));
    }
}

#[test]
fn a_block_counts_whole_or_not_at_all_wherever_it_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let flows = batches(21, 300, 100, Mix { rich: false, ..Mix::default() });
    let path = make(directory.path(), "whole", &flows);
    let without = make(directory.path(), "without", &[flows[0].clone(), flows[2].clone()]);
    let counters = Totals::FIELDS.without(FieldSet::of(&[Field::Proto]));
    let top = |columns| Aggregate {
        key: Aggregate::five_tuple(),
        keep_first: true,
        direction: Direction::OneWay,
        rankings: vec![Ranking::by(Order::Bytes, 5)],
        columns,
    };
    let answer = |path: &Path| {
        let query = Query { files: vec![path.to_owned()], threads: 2, ..Query::new(Filter::all()) };
        let (groups, report) = run(&query, &top(counters)).unwrap();
        // Columns that only the shown rows need may be missing, but nothing fails.
        run(&query, &top(FieldSet::ALL)).unwrap();
        let groups: Vec<_> = groups.into_iter().map(batches_of).collect();
        (groups, report.totals, report.passed, report.problems.len())
    };
    let (all, rest) = (answer(&path), answer(&without));
    assert!(all.0 != rest.0 && all.3 == 0);
    let file = FlowFile::open(&path).unwrap();
    let (start, len) = (file.block_offset(1) as usize, file.block_bytes(1) as usize);
    drop(file);
    let bytes = std::fs::read(&path).unwrap();
    let damaged = directory.path().join("damaged");
    let mut hits = 0;
    for offset in (start..start + len).step_by(23) {
        let mut bytes = bytes.clone();
        bytes[offset] ^= 0x10;
        std::fs::write(&damaged, bytes).unwrap();
        let (groups, totals, passed, problems) = answer(&damaged);
        if problems == 0 {
            assert!((groups, totals, passed) == (all.0.clone(), all.1, all.2), "offset {offset}");
        } else {
            assert!((groups, totals, passed) == (rest.0.clone(), rest.1, rest.2), "offset {offset}");
            hits += 1;
        }
    }
    assert!(hits > 20, "{hits}");
}

#[test]
fn blocks_outside_the_window_are_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for number in 0..5_u64 {
        let mut builder = BatchBuilder::new();
        for second in 0..60 {
            let first = START_MS + (number * 60 + second) * 1_000;
            builder.set(Field::FirstMs, first);
            builder.set(Field::LastMs, first + 2_000);
            builder.finish_row();
        }
        files.push(make(directory.path(), &number.to_string(), &[builder.finish()]));
    }
    let window = TimeWindow { first_ms: START_MS + 60_000, last_ms: START_MS + 130_000 };
    let query = Query { files, window: Some(window), ..Query::new(Filter::all()) };
    let ((), report) = run(&query, &()).unwrap();
    // The flows that start at second 60 and end at second 130 are inside.
    assert_eq!((report.passed, report.processed, report.blocks_skipped), (69, 300, 3));
    assert_eq!(report.span_ms, Some((window.first_ms, window.last_ms)));
    let outside = TimeWindow { first_ms: START_MS - 9_000, last_ms: START_MS - 1 };
    let ((), report) = run(&Query { window: Some(outside), ..query }, &()).unwrap();
    assert_eq!((report.passed, report.blocks_skipped, report.bytes_read), (0, 5, 0));
}

#[test]
fn what_is_written_is_what_matched() {
    let directory = tempfile::tempdir().unwrap();
    let flows = batches(8, 1_000, 90, Mix::default());
    let files = vec![make(directory.path(), "a", &flows[..7]), make(directory.path(), "b", &flows[7..])];
    let filter = Filter::parse("proto tcp", &ParseOptions::default()).unwrap();
    let query = Query { files, limit: Some(333), ..Query::new(filter) };
    let path = directory.path().join("out");
    let mut writer =
        FileWriter::create(&path, WriteOptions { rule: CountRule::Written, ..options() }).unwrap();
    let report = write(&query, &mut writer).unwrap();
    let totals = writer.finish(FileTail::default()).unwrap().totals;
    assert_eq!((totals, report.passed), (report.totals, 333));
    assert_eq!(FlowFile::open(&path).unwrap().block_count(), 1);
    let again = Query { files: vec![path], ..Query::new(Filter::all()) };
    assert_eq!(listed(&again), listed(&query));
}
