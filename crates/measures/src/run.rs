//! Running measures over a history.

use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::{Date32Array, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::error::DataFusionError;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use history::{DataSet, HistoryError, Table};

use crate::figures::Figures;
use crate::measure::Measure;
use crate::period::Period;

/// Why a measure could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A file of the history is not what it should be, or a query cannot be run.
    #[error("{what}: {reason}")]
    Query {
        /// The measure or the table.
        what: String,
        /// Why.
        reason: String,
    },
}

impl MeasureError {
    fn query(what: &str, reason: &impl ToString) -> MeasureError {
        MeasureError::Query { what: what.to_owned(), reason: reason.to_string() }
    }
}

/// A history whose measures can be taken.
pub struct Past {
    tables: SessionContext,
}

impl Past {
    /// Opens the tables of a history, for some periods.
    ///
    /// # Errors
    /// A file of it cannot be read, or has been cut off.
    pub async fn open(set: &DataSet, periods: &[Period]) -> Result<Past, MeasureError> {
        let tables = SessionContext::new();
        for table in Table::ALL {
            let wrong = |error: DataFusionError| MeasureError::query(table.name(), &error);
            let files = set.files(table)?;
            if files.is_empty() {
                let none = RecordBatch::new_empty(table.schema());
                tables.register_batch(table.name(), none).map_err(wrong)?;
                continue;
            }
            let files: Vec<String> =
                files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
            let rows = tables.read_parquet(files, ParquetReadOptions::default()).await;
            tables.register_table(table.name(), rows.map_err(wrong)?.into_view()).map_err(wrong)?;
        }
        let wrong = |error: DataFusionError| MeasureError::query("periods", &error);
        tables.register_batch("periods", table_of(periods).map_err(wrong)?).map_err(wrong)?;
        Ok(Past { tables })
    }

    /// Takes a measure.
    ///
    /// # Errors
    /// Its query cannot be run.
    pub async fn measure(&self, measure: &Measure) -> Result<Figures, MeasureError> {
        let wrong = |error: DataFusionError| MeasureError::query(measure.name, &error);
        let found = self.tables.sql(measure.sql).await.map_err(wrong)?;
        let columns = found.schema().fields().iter().map(|field| field.name().clone()).collect();
        let batches = found.collect().await.map_err(wrong)?;
        Figures::of(columns, &batches).map_err(|reason| MeasureError::query(measure.name, &reason))
    }
}

/// The periods as a table.
fn table_of(periods: &[Period]) -> Result<RecordBatch, DataFusionError> {
    let numbers = |day: fn(&Period) -> NaiveDate| {
        let days = periods.iter().map(|period| Date32Type::from_naive_date(day(period)));
        days.collect::<Vec<i32>>()
    };
    let firsts = numbers(|period| *period.days.start());
    let lasts = numbers(|period| *period.days.end());
    let names = StringArray::from_iter_values(periods.iter().map(|period| &period.name));
    Ok(RecordBatch::try_from_iter([
        ("period", Arc::new(names) as _),
        ("first_day", Arc::new(Date32Array::from(firsts.clone())) as _),
        ("last_day", Arc::new(Date32Array::from(lasts.clone())) as _),
        ("first_number", Arc::new(Int32Array::from(firsts)) as _),
        ("last_number", Arc::new(Int32Array::from(lasts)) as _),
    ])?)
}
