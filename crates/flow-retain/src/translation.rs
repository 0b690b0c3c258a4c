//! Whether files hold records of address translation, which often have to be kept longer than others.

use std::path::Path;

use flow_file::{FileError, FlowFile};
use flow_model::{Field, FieldSet};

/// What only records of translation have: an address or port instead of another one, an event of NAT, a block of ports.
const TRANSLATION: FieldSet = FieldSet::of(&[
    Field::XlateSrcAddr,
    Field::XlateDstAddr,
    Field::XlateSrcPort,
    Field::XlateDstPort,
    Field::NatEvent,
    Field::NatPoolId,
    Field::PblockStart,
    Field::PblockEnd,
    Field::PblockStep,
    Field::PblockSize,
    Field::NokiaNatString,
]);

/// Whether a file may hold records of address translation, by what its blocks say of themselves. No record is read.
///
/// A file that does not say may: one of nfdump's layouts, one that is damaged or without its end, one that cannot be read.
pub(crate) fn may_hold_translations(path: &Path) -> bool {
    match FlowFile::open(path) {
        Ok(file) => {
            !file.is_finished()
                || !file.problems().is_empty()
                || (0..file.block_count())
                    .any(|block| !file.block_fields(block).intersect(TRANSLATION).is_empty())
        }
        Err(FileError::Empty { .. }) => false,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Ipv4Addr;

    use flow_file::{Compression, FileFormat, FileTail, FileWriter, WriteOptions};
    use flow_model::{BatchBuilder, CountRule};
    use tempfile::TempDir;

    use super::*;

    fn write(path: &Path, format: FileFormat, set: impl Fn(&mut BatchBuilder)) {
        let options = WriteOptions {
            ident: "nat".into(),
            format,
            rule: CountRule::Collected,
            created_ms: 1_700_000_000_000,
        };
        let mut writer = FileWriter::create(path, options).unwrap();
        for set_more in [false, true] {
            let mut builder = BatchBuilder::new();
            builder.set(Field::Proto, 6);
            if set_more {
                set(&mut builder);
            }
            builder.finish_row();
            writer.write(&builder.finish()).unwrap();
        }
        writer.finish(FileTail::default()).unwrap();
    }

    #[test]
    fn a_file_says_by_its_columns() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("nfcapd.202311142200");
        let ours = FileFormat::from(Compression::Lz4);
        write(&path, ours, |_| {});
        assert!(!may_hold_translations(&path));
        write(&path, ours, |builder| builder.set(Field::NatEvent, 4));
        assert!(may_hold_translations(&path));
        write(&path, ours, |builder| builder.set_ip(Field::XlateSrcAddr, Ipv4Addr::new(192, 0, 2, 1).into()));
        assert!(may_hold_translations(&path));
    }

    #[test]
    fn a_file_that_does_not_say_may() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("nfcapd.202311142200");
        assert!(may_hold_translations(&path));
        fs::write(&path, "").unwrap();
        assert!(!may_hold_translations(&path), "nothing is in there");
        fs::write(&path, [7; 1000]).unwrap();
        assert!(may_hold_translations(&path));
        write(&path, Compression::Lz4.into(), |_| {});
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(may_hold_translations(&path));
    }
}
