//! What a measure found.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, UInt64Type,
};
use datafusion::arrow::record_batch::RecordBatch;
use rust_decimal::Decimal;

/// What a measure found: rows of values, by column. The first column names the period, and the last is
/// the figure of the measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing can be said, such as a share of nothing.
    Nothing,
    /// A text, or a day.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// An amount of money.
    Amount(Decimal),
    /// A ratio.
    Ratio(f64),
}

impl Figures {
    pub(crate) fn of(columns: Vec<String>, batches: &[RecordBatch]) -> Result<Figures, String> {
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter().map(|column| value(column.as_ref(), row));
                rows.push(values.collect::<Result<_, _>>()?);
            }
        }
        Ok(Figures { columns, rows })
    }
}

fn value(column: &dyn Array, row: usize) -> Result<Value, String> {
    if column.is_null(row) {
        return Ok(Value::Nothing);
    }
    let value = match column.data_type() {
        DataType::Null => Value::Nothing,
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Value::Text(column.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Value::Text(column.as_string_view().value(row).to_owned()),
        DataType::Date32 => {
            let day = column.as_primitive::<Date32Type>().value_as_date(row);
            Value::Text(day.ok_or("a day is out of range")?.to_string())
        }
        DataType::Int32 => Value::Whole(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Whole(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => {
            let value = column.as_primitive::<UInt64Type>().value(row);
            Value::Whole(value.try_into().map_err(|_| "a number is too large")?)
        }
        DataType::Float64 => Value::Ratio(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let digits = column.as_primitive::<Decimal128Type>().value(row);
            let scale = u32::try_from(*scale).map_err(|error| error.to_string())?;
            let amount = Decimal::try_from_i128_with_scale(digits, scale);
            Value::Amount(amount.map_err(|error| error.to_string())?)
        }
        other => return Err(format!("a column has the type {other}")),
    };
    Ok(value)
}
