//! A training step made of the operations: fused equals composed, and what it saves.

mod forms;
mod model;

use forms::{Composed, Fused};
use model::{Model, Size, TINY};

#[test]
fn a_hundred_steps_agree() {
    for conv in [false, true] {
        let (mut a, mut b) = (Model::new(TINY, conv), Model::new(TINY, conv));
        for _ in 0..100 {
            let (a, b) = (a.train::<Composed>().unwrap(), b.train::<Fused>().unwrap());
            assert!((a - b).abs() < 1e-4 * a, "{a} {b}");
        }
    }
}

#[test]
fn training_is_the_same_bits_on_any_number_of_threads() {
    let size = Size { n_ctx: 50, d_vocab: 300, batch: 17, ..TINY };
    for conv in [false, true] {
        let train = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut model = Model::new(size, conv);
                let losses: Vec<f32> = (0..5).map(|_| model.train::<Fused>().unwrap()).collect();
                (losses, model.values())
            })
        };
        let one = train(1);
        assert!(one.0[4] < one.0[0]);
        assert!(one == train(2) && one == train(3));
    }
}
