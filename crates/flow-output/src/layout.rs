//! Layouts: the sequence of literal text and cells that makes a row.

use crate::cell::{Cell, Context, Form, Sources};
use crate::text::put;
use flow_model::{Column, Field, FieldSet, FlowBatch, Value, ValueRef};

/// What a row consists of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(Vec<u8>),
    Cell(Cell),
}

impl Layout {
    /// Appends text.
    pub(crate) fn literal(&mut self, text: impl AsRef<[u8]>) -> &mut Layout {
        match self.parts.last_mut() {
            Some(Part::Literal(literal)) => literal.extend_from_slice(text.as_ref()),
            _ => self.parts.push(Part::Literal(text.as_ref().to_vec())),
        }
        self
    }

    /// Appends a cell.
    pub(crate) fn cell<const N: usize>(
        &mut self,
        form: Form,
        sources: [Field; N],
        width: usize,
    ) -> &mut Layout {
        self.parts.push(Part::Cell(Cell::new(form, sources, width)));
        self
    }

    /// Whether a cell depends on more than its sources.
    pub(crate) fn depends_on_position(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Cell(cell) if cell.depends_on_position()))
    }

    /// The fields that the cells read.
    pub(crate) fn fields(&self) -> FieldSet {
        self.parts.iter().fold(FieldSet::EMPTY, |fields, part| match part {
            Part::Literal(_) => fields,
            Part::Cell(cell) => fields.union(cell.fields()),
        })
    }

    /// Whether a cell prints what exporters call something.
    pub(crate) fn shows_names(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Cell(cell) if cell.shows_names()))
    }

    /// The layout for `rows` rows of `batch`: cells that are the same in every row become literal text, and
    /// values of a dictionary that is worth it are printed once.
    pub(crate) fn bind<'a>(&self, batch: &'a FlowBatch, rows: usize, context: &mut Context<'_>) -> Bound<'a> {
        let mut bound = Bound { parts: Vec::new() };
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Literal(text) => bound.push_literal(text),
                Part::Cell(cell) => {
                    let columns =
                        cell.sources().map(|field| field.map_or(&NO_SOURCE, |field| batch.column(field)));
                    let behind = match parts.next_if(|next| matches!(next, Part::Literal(_))) {
                        Some(Part::Literal(text)) => text.as_slice(),
                        _ => &[],
                    };
                    bound.bind_cell(*cell, columns, behind, rows, context);
                }
            }
        }
        bound
    }
}

/// Stands where a cell has fewer than three sources.
static NO_SOURCE: Column = Column::Constant(Value::Num(0));

/// A layout with the columns of one batch.
pub(crate) struct Bound<'a> {
    parts: Vec<BoundPart<'a>>,
}

enum BoundPart<'a> {
    Literal(Vec<u8>),
    /// A literal that is a separator.
    Octet(u8),
    /// The text of each dictionary entry, and each row's code.
    Coded {
        codes: &'a [u16],
        texts: Texts,
    },
    Cell(Cell, Sources<'a>),
}

impl<'a> Bound<'a> {
    /// Appends `row`.
    #[inline]
    pub(crate) fn write(&self, row: usize, context: &mut Context<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                BoundPart::Literal(text) => out.extend_from_slice(text),
                BoundPart::Octet(octet) => out.push(*octet),
                BoundPart::Coded { codes, texts } => texts.put(codes[row], out),
                BoundPart::Cell(cell, columns) => cell.write(columns, row, context, out),
            }
        }
    }

    fn push_literal(&mut self, text: &[u8]) {
        match (self.parts.last_mut(), text) {
            (_, []) => {}
            (Some(BoundPart::Literal(literal)), text) => literal.extend_from_slice(text),
            (Some(BoundPart::Octet(first)), text) => {
                let literal = [&[*first], text].concat();
                self.parts.pop();
                self.parts.push(BoundPart::Literal(literal));
            }
            (_, &[octet]) => self.parts.push(BoundPart::Octet(octet)),
            (_, text) => self.parts.push(BoundPart::Literal(text.to_vec())),
        }
    }

    /// Binds a cell, and the text that stands behind it.
    fn bind_cell(
        &mut self,
        cell: Cell,
        columns: Sources<'a>,
        behind: &[u8],
        rows: usize,
        context: &mut Context<'_>,
    ) {
        let sources = cell.sources();
        let constant =
            |index: usize| sources[index].is_none() || matches!(columns[index], Column::Constant(_));
        if !cell.depends_on_position() && (0..3).all(constant) {
            let mut text = Vec::new();
            cell.write(&columns, 0, context, &mut text);
            self.push_literal(&text);
            return self.push_literal(behind);
        }
        if let (Column::Dictionary(dictionary), true, true) = (columns[0], constant(1), constant(2))
            && dictionary.values.len() <= rows / ENTRIES_PER_ROW
        {
            let mut texts = Texts::default();
            for entry in 0..dictionary.values.len() {
                let value = Column::Constant(ValueRef::to_owned(dictionary.values.get(entry)));
                texts.push(behind, |out| cell.write(&[&value, columns[1], columns[2]], 0, context, out));
            }
            self.parts.push(BoundPart::Coded { codes: &dictionary.codes, texts });
            return;
        }
        self.parts.push(BoundPart::Cell(cell, columns));
        self.push_literal(behind);
    }
}

/// A dictionary is printed beforehand when each entry will be used twice on average.
const ENTRIES_PER_ROW: usize = 2;

/// The text of each entry: in slots of one length, which are copied faster, up to the first that does not fit, and end to end.
#[derive(Default)]
struct Texts {
    text: Vec<u8>,
    ends: Vec<u32>,
    slots: Vec<[u8; SLOT]>,
    lens: Vec<u8>,
}

/// Room for a time or a MAC address with a separator; most texts are shorter.
const SLOT: usize = 32;

impl Texts {
    /// Adds what `write` appends, and `behind`.
    fn push(&mut self, behind: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        self.text.extend_from_slice(behind);
        let added = &self.text[start..];
        if self.slots.len() == self.ends.len() && added.len() <= SLOT {
            let mut slot = [0; SLOT];
            slot[..added.len()].copy_from_slice(added);
            self.slots.push(slot);
            self.lens.push(added.len() as u8);
        }
        self.ends.push(self.text.len() as u32);
    }

    #[inline]
    fn put(&self, code: u16, out: &mut Vec<u8>) {
        let code = usize::from(code);
        if let (Some(slot), Some(&len)) = (self.slots.get(code), self.lens.get(code)) {
            put(out, slot, len.into());
        } else {
            let start = if code == 0 { 0 } else { self.ends[code - 1] };
            out.extend_from_slice(&self.text[start as usize..self.ends[code] as usize]);
        }
    }
}
