//! The context of a forward pass: buffers, threads, tables of the step, and what is recorded.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::device::{Device, Precision};
use crate::error::{Error, Result};
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::threads::Threads;

/// Which intermediate results a context keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    /// None.
    #[default]
    Nothing,
    /// Those given to [`Context::probe_one`].
    Outputs,
    /// All.
    Everything,
}

/// What tells one table of a step from another.
pub type TableKey = [u64; 10];

struct Table {
    key: TableKey,
    step: u64,
    data: Option<Arc<Tensor>>,
}

/// Owns the buffers, threads and tables of forward passes. Every operator takes one.
pub struct Context {
    device: Arc<Device>,
    tables: RefCell<Vec<Table>>,
    record: Cell<Record>,
    probes: RefCell<Vec<(String, Tensor)>>,
    failure: RefCell<Option<Error>>,
}

impl Context {
    /// As many threads as the machine has, at the SIMD level of `FORMWORK_SIMD` or the best.
    ///
    /// # Errors
    /// If `FORMWORK_SIMD` names a level that is unknown or that this CPU lacks.
    pub fn new() -> Result<Self> {
        Self::open(None, Precision::default())
    }

    /// As [`new`](Self::new) with this many threads.
    pub fn with_threads(threads: usize) -> Result<Self> {
        Self::open(Some(threads), Precision::default())
    }

    /// This many threads, else as many as the machine has, and products as exact as asked.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn open(threads: Option<usize>, precision: Precision) -> Result<Self> {
        let threads = threads.unwrap_or_else(Threads::available);
        Ok(Self::of(Device::new(threads, Simd::from_env()?, precision)))
    }

    /// This many threads at this SIMD level.
    pub fn with(threads: usize, simd: Simd) -> Self {
        Self::of(Device::new(threads, simd, Precision::default()))
    }

    fn of(device: Device) -> Self {
        Self {
            device: Arc::new(device),
            tables: RefCell::default(),
            record: Cell::default(),
            probes: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// The pool, threads and SIMD level.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// A tensor whose contents are unspecified.
    pub fn tensor(&self, dims: &[usize]) -> Tensor {
        self.device.tensor(dims)
    }

    /// A tensor of zeros.
    pub fn zeros(&self, dims: &[usize]) -> Tensor {
        let mut zeros = self.tensor(dims);
        zeros.data_mut().fill(0.0);
        zeros
    }

    /// A tensor with these elements.
    pub fn from_slice(&self, dims: &[usize], data: &[f32]) -> Tensor {
        let mut tensor = self.tensor(dims);
        tensor.data_mut().copy_from_slice(data);
        tensor
    }

    /// How many buffers were ever allocated, those aside that stay with a thread: constant once a step has warmed the pool.
    pub fn allocations(&self) -> usize {
        self.device.pool.allocations()
    }

    /// A table that is computed once per step and shared by all layers: the one made earlier in
    /// this step under this key, else a new one.
    pub fn table(&self, step: u64, key: TableKey, make: impl FnOnce() -> Tensor) -> Arc<Tensor> {
        let mut tables = self.tables.borrow_mut();
        let at = tables.iter().position(|table| table.key == key).unwrap_or_else(|| {
            tables.push(Table { key, step, data: None });
            tables.len() - 1
        });
        let table = &mut tables[at];
        if table.step != step {
            table.data = None; // its buffer serves the new table
            table.step = step;
        }
        Arc::clone(table.data.get_or_insert_with(|| Arc::new(make())))
    }

    /// Chooses what is recorded from now on.
    pub fn record(&self, record: Record) {
        self.record.set(record);
    }

    /// Keeps a copy of `x` as `{name}.{index}` when everything is recorded.
    pub fn probe(&self, name: &str, index: usize, x: &Tensor) {
        if self.record.get() == Record::Everything {
            self.probes.borrow_mut().push((format!("{name}.{index}"), x.clone()));
        }
    }

    /// Keeps a copy of `x` as `name` when outputs are recorded.
    pub fn probe_one(&self, name: &str, x: &Tensor) {
        if self.record.get() != Record::Nothing {
            self.probes.borrow_mut().push((name.to_string(), x.clone()));
        }
    }

    /// Takes what was recorded, in order.
    pub fn take_probes(&self) -> Vec<(String, Tensor)> {
        self.probes.take()
    }

    /// Notes that the user's data are wrong. The first failure of a step counts; the step's
    /// result is then meaningless and whoever ran it asks [`take_failure`](Self::take_failure).
    pub fn fail(&self, error: impl FnOnce() -> Error) {
        self.failure.borrow_mut().get_or_insert_with(error);
    }

    /// The first failure noted since the last call.
    pub fn take_failure(&self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}
