//! The tables and their columns. SCHEMA.md explains them; a test compares both.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The version of the schema. It changes with every column.
pub const VERSION: u32 = 2;

/// The digits of an amount, and those after the point.
pub(crate) const AMOUNT: (u8, i8) = (38, 6);

/// A table of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The members as they enrolled.
    Members,
    /// What was told of members, and what the expiry run wrote: one row for each entry.
    Entries,
    /// What each rule gave with an entry.
    Effects,
    /// The movements of units of an entry.
    Movements,
    /// What the movements change about lots.
    Lots,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; 5] =
        [Table::Members, Table::Entries, Table::Effects, Table::Movements, Table::Lots];

    /// The name of the table, and of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Members => "members",
            Table::Entries => "entries",
            Table::Effects => "effects",
            Table::Movements => "movements",
            Table::Lots => "lots",
        }
    }

    /// Its columns.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        let all = match self {
            Table::Members => &MEMBERS,
            Table::Entries => &ENTRIES,
            Table::Effects => &EFFECTS,
            Table::Movements => &MOVEMENTS,
            Table::Lots => &LOTS,
        };
        Arc::clone(all)
    }
}

/// A moment, in microseconds since 1970, in UTC.
pub(crate) fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn amount() -> DataType {
    DataType::Decimal128(AMOUNT.0, AMOUNT.1)
}

fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

fn always(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn maybe(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

static MEMBERS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        always("member", DataType::Utf8),
        always("enrolled_at", moment()),
        always("day", DataType::Date32),
        always("day_number", DataType::Int32),
        maybe("referred_by", DataType::Utf8),
        always("tags", texts()),
        always("attributes", DataType::Utf8),
    ]))
});

static ENTRIES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        always("member", DataType::Utf8),
        always("entry", DataType::Int64),
        always("at", moment()),
        always("happened_at", moment()),
        always("day", DataType::Date32),
        always("day_number", DataType::Int32),
        always("verb", DataType::Utf8),
        always("origin", DataType::Utf8),
        always("rules", DataType::Utf8),
        maybe("activity", DataType::Utf8),
        maybe("id", DataType::Utf8),
        maybe("of", DataType::Utf8),
        maybe("undoes", DataType::Int64),
        maybe("total", amount()),
        maybe("refund", amount()),
        always("orders", DataType::Int64),
        always("revenue", amount()),
        maybe("store", DataType::Utf8),
        maybe("channel", DataType::Utf8),
        maybe("payment", DataType::Utf8),
        maybe("reward", DataType::Utf8),
        maybe("tier", DataType::Utf8),
        always("others", texts()),
        always("body", DataType::Utf8),
    ]))
});

static EFFECTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        always("member", DataType::Utf8),
        always("entry", DataType::Int64),
        always("at", moment()),
        always("day", DataType::Date32),
        always("day_number", DataType::Int32),
        always("of", DataType::Int64),
        always("rule", DataType::Utf8),
        always("effect", DataType::Utf8),
        maybe("name", DataType::Utf8),
        maybe("wallet", DataType::Utf8),
        maybe("units", DataType::Int64),
        maybe("worth", amount()),
        maybe("tier", DataType::Utf8),
        always("rules", DataType::Utf8),
    ]))
});

static MOVEMENTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        always("member", DataType::Utf8),
        always("entry", DataType::Int64),
        always("at", moment()),
        always("day", DataType::Date32),
        always("day_number", DataType::Int32),
        always("wallet", DataType::Utf8),
        always("why", DataType::Utf8),
        always("units", DataType::Int64),
        always("debt", DataType::Int64),
        always("shared", DataType::Boolean),
        maybe("available_at", moment()),
        maybe("expires_at", moment()),
        maybe("worth", amount()),
    ]))
});

static LOTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        always("member", DataType::Utf8),
        always("entry", DataType::Int64),
        always("at", moment()),
        always("day", DataType::Date32),
        always("day_number", DataType::Int32),
        always("wallet", DataType::Utf8),
        always("units", DataType::Int64),
        maybe("available_at", moment()),
        maybe("expires_at", moment()),
        maybe("expires_day", DataType::Date32),
        maybe("worth", amount()),
    ]))
});
