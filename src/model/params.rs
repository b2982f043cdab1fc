//! The parameters of a model: one list of flat tensors, so that the optimizer, the gradient norm
//! and the checkpoint are each one loop.

use crate::error::{Error, Result};
use crate::ops::{Backend, Flat};
use crate::random;

/// One learnable tensor, stored flat and row-major.
#[derive(Debug, Clone)]
pub struct Param<D: Backend> {
    /// Its name in a checkpoint (TransformerLens).
    pub name: String,
    /// Its shape in a checkpoint.
    pub shape: Vec<usize>,
    /// Its values.
    pub value: Flat<D>,
}

impl<D: Backend> Param<D> {
    /// Whether weight decay applies: to matrices, whose names in the field begin with W, and not
    /// to gains, biases, smearing or positional biases.
    pub fn decays(&self) -> bool {
        self.name.rsplit('.').next().is_some_and(|last| last.starts_with('W'))
    }
}

/// A handle on a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamId(usize);

/// All parameters of a model, in the order they were made.
#[derive(Debug, Clone)]
pub struct Params<D: Backend>(Vec<Param<D>>);

impl<D: Backend> Default for Params<D> {
    fn default() -> Self {
        Params(Vec::new())
    }
}

impl<D: Backend> Params<D> {
    /// The values of a parameter, flat.
    pub fn get(&self, id: ParamId) -> &Flat<D> {
        &self.0[id.0].value
    }

    /// The parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = &Param<D>> {
        self.0.iter()
    }

    /// The same, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Param<D>> {
        self.0.iter_mut()
    }

    /// How many numbers they hold.
    pub fn count(&self) -> usize {
        self.iter().map(|p| p.shape.iter().product::<usize>()).sum()
    }
}

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// Independent normals of this standard deviation.
    Normal(f64),
    /// Every value this.
    Constant(f32),
}

/// Makes parameters: each from a random stream of its own name, so that none depends on another.
#[derive(Debug)]
pub struct Maker<D: Backend> {
    /// Where they live.
    pub device: D,
    /// What decides the random ones.
    pub seed: u64,
    /// Those made so far.
    pub params: Params<D>,
    /// The parts of the model, each with the number of parameters made before it.
    pub parts: Vec<(String, usize)>,
    /// Whether only names and shapes are wanted: no value is made.
    pub only_shapes: bool,
}

impl<D: Backend> Maker<D> {
    /// Has made nothing so far.
    pub fn new(device: D, seed: u64) -> Self {
        Maker { device, seed, params: Params::default(), parts: Vec::new(), only_shapes: false }
    }

    /// What is made from here on belongs to this part of the model.
    pub fn part(&mut self, name: &str) {
        self.parts.push((name.to_string(), self.params.0.len()));
    }

    /// A new parameter.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn make(&mut self, name: String, shape: &[usize], start: Start) -> Result<ParamId> {
        let count = if self.only_shapes { 0 } else { shape.iter().product() };
        let values = match start {
            Start::Constant(value) => vec![value; count],
            Start::Normal(std) => {
                let mut rng = random::stream(self.seed, &format!("init/{name}"), 0);
                let mut values = random::normals(&mut rng, count);
                values.iter_mut().for_each(|x| *x = (f64::from(*x) * std) as f32);
                values
            }
        };
        let value = self.device.try_tensor_from_vec(values, (count,)).map_err(Error::device)?;
        self.params.0.push(Param { name, shape: shape.to_vec(), value });
        Ok(ParamId(self.params.0.len() - 1))
    }
}
