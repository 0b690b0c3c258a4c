//! Pictures as documents: well-formed, with everything in them that is to be seen.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_hosts::chart::{Bar, BarChart, Matrix, Series, Shape, Size, TimeChart, Unit};
use roxmltree::Document;

/// What XML would take for its own, or cannot hold, and letters from elsewhere.
const HARD: &str = "<b>&\"'\u{1}\u{ffff}]]> é 日本";

fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let texts =
        document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    texts.filter_map(|node| Some(node.text()?.trim().to_owned())).collect()
}

fn count(svg: &str, tag: &str) -> usize {
    Document::parse(svg).unwrap().descendants().filter(|node| node.tag_name().name() == tag).count()
}

fn chart(shape: Shape, labels: &[Option<&str>], edges: &[u64], size: Size) -> String {
    let bins = edges.len() - 1;
    let series = labels.iter().enumerate().map(|(index, label)| Series {
        label: label.map(str::to_owned),
        values: (0..bins).map(|bin| ((bin * 7 + index * 13) % 50) as f64 * 1e6).collect(),
    });
    let chart = TimeChart {
        title: HARD,
        unit: Unit::BitsPerSecond,
        shape,
        edges_ms: edges,
        series: series.collect(),
        size,
        offset_at: &|_| 3_600,
    };
    chart.draw().unwrap()
}

fn edges(bins: u64) -> Vec<u64> {
    (0..=bins).map(|bin| 1_700_000_000_000 + bin * 300_000).collect()
}

#[test]
fn a_chart_over_time_names_all_groups_and_shows_both_axes() {
    let names: Vec<String> =
        (0..10).map(|number| format!("2001:db8:ffff:ffff:ffff:ffff:0:{number}")).collect();
    let labels: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).chain([None]).collect();
    let svg = chart(Shape::Stacked, &labels, &edges(288), Size::LARGE);
    let texts = texts(&svg);
    for name in names.iter().map(String::as_str).chain(["other", "0", "08:00"]) {
        assert!(texts.iter().any(|text| text == name), "{name} in {texts:?}");
    }
    assert!(texts.iter().any(|text| text.ends_with("(bits/s)")), "{texts:?}");
    assert_eq!(count(&svg, "polygon"), 11);
    assert_eq!(count(&svg, "title"), 1);
    assert!(svg.contains("prefers-color-scheme:dark"));
    assert!(!svg.contains("href") && !svg.contains("url("), "it loads nothing");
}

#[test]
fn labels_are_text_whatever_they_hold() {
    for shape in [Shape::Stacked, Shape::Lines, Shape::InOut] {
        for size in [Size::LARGE, Size::SMALL] {
            let svg = chart(shape, &[Some(HARD), Some("in"), None], &edges(12), size);
            let shown = texts(&svg);
            assert!(shown.iter().any(|text| text.starts_with("<b>&\"'\u{fffd}\u{fffd}]]> é")), "{shown:?}");
        }
    }
    let bars = vec![Bar { label: Some(HARD.to_owned()), value: 3.0 }, Bar { label: None, value: 0.0 }];
    let svg = BarChart { title: HARD, unit: Unit::Bytes, bars, size: Size::LARGE }.draw().unwrap();
    assert!(texts(&svg).iter().any(|text| text == "other"));
    let names = vec![HARD.to_owned(), "b".to_owned()];
    let matrix = Matrix {
        title: "Who",
        unit: Unit::Bytes,
        rows: names.clone(),
        columns: names,
        values: vec![vec![5e9, 0.0], vec![0.0, 1.0]],
        size: Size::LARGE,
    };
    let svg = matrix.draw().unwrap();
    assert!(texts(&svg).iter().any(|text| text == "5 G"));
}

#[test]
fn nothing_and_very_much_can_be_drawn() {
    assert!(texts(&chart(Shape::Stacked, &[], &edges(1), Size::LARGE)).len() > 1);
    chart(Shape::Lines, &[None], &[0, u64::MAX], Size::SMALL);
    let svg = chart(Shape::Stacked, &[Some("a"), None], &edges(131_072), Size::LARGE);
    Document::parse(&svg).unwrap();
    assert!(svg.len() < 200_000, "{} octets", svg.len());
    for title in ["", "x"] {
        BarChart { title, unit: Unit::Flows, bars: Vec::new(), size: Size::SMALL }.draw().unwrap();
        let (rows, columns, values) = (Vec::new(), Vec::new(), Vec::new());
        Matrix { title, unit: Unit::Flows, rows, columns, values, size: Size::SMALL }.draw().unwrap();
    }
}

#[test]
fn means_are_drawn_where_bins_are_closer_than_pixels() {
    let edges = edges(7_200);
    let values = (0..7_200).map(|bin| f64::from(bin % 2) * 20.0).collect();
    let chart = TimeChart {
        title: "half",
        unit: Unit::Flows,
        shape: Shape::Lines,
        edges_ms: &edges,
        series: vec![Series { label: None, values }],
        size: Size::LARGE,
        offset_at: &|_| 0,
    };
    let shown = texts(&chart.draw().unwrap());
    assert!(shown.iter().any(|text| text == "10") && !shown.iter().any(|text| text == "20"), "{shown:?}");
}

#[test]
fn more_than_anybody_can_see_is_refused() {
    let names = vec![String::new(); Matrix::MOST + 1];
    let (title, unit, size) = ("", Unit::Bytes, Size::LARGE);
    let matrix = Matrix { title, unit, rows: names, columns: Vec::new(), values: Vec::new(), size };
    assert_eq!(matrix.draw().unwrap_err().to_string(), "a picture has at most 1000 rows");
    let bars = vec![Bar { label: None, value: 1.0 }; 10_001];
    let chart = BarChart { title, unit, bars, size };
    assert_eq!(chart.draw().unwrap_err().to_string(), "a picture has at most 10000 bars");
}
