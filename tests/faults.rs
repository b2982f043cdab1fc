//! A disk that refuses from any moment on: what was saved stays whole, and the run ends with the bytes it would have
//! ended with. One test alone, as the disk is everybody's.

mod common;

use common::bench::{SPEC, tree};
use indhead::dataset::Dataset;
use indhead::error::Result;
use indhead::files::faults;
use indhead::model::Subject;
use indhead::record::{Metrics, RunDirectory};
use indhead::training::{Watch, train};
use std::path::Path;

struct Nobody;

impl Watch for Nobody {
    fn step(&mut self, _: &Metrics) {}

    fn checkpoint(&mut self, _: u64, _: u64, _: &dyn Subject) -> Result<()> {
        Ok(())
    }

    fn stop(&self) -> bool {
        false
    }

    fn save(&self) -> bool {
        false
    }
}

#[test]
fn a_disk_that_refuses_at_any_moment_costs_nothing_that_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let plan =
        common::good_plan(&SPEC.replace("steps = 12", "steps = 5").replace("steps = 4 }", "steps = 2 }"));
    let dataset = Dataset::open(&plan, &folder.path().join("cache"), &mut |_| {}).unwrap();
    let go_on = |path: &Path| {
        let run = RunDirectory::at(path);
        run.write("plan.toml", plan.to_toml(None).as_bytes())?;
        let from = run.resumption();
        assert!(from.damaged.is_empty(), "{:?}", from.damaged);
        train::<dfdx::prelude::Cpu>(&plan, &dataset, &run, from.step, &mut Nobody)?;
        run.seal("metrics.jsonl").map(|()| from.step)
    };
    let undisturbed = folder.path().join("undisturbed");
    go_on(&undisturbed).unwrap();
    let wanted = tree(&undisturbed);
    assert!(wanted.iter().any(|(name, _)| name == "checkpoints/00000005/optimizer.safetensors"));

    let (mut resumed_from, mut refusals) = (std::collections::BTreeSet::new(), 0);
    for operations in 0.. {
        let path = folder.path().join(format!("after-{operations}"));
        faults::refuse_after(operations);
        let ended = go_on(&path);
        let refused = faults::refused();
        faults::mend();
        match ended {
            Ok(_) if !refused => break,
            // The last operation that was let through was the last there was.
            Ok(_) => {}
            Err(error) => {
                assert!(error.to_string().contains("no space left"), "{error}");
                refusals += 1;
            }
        }
        let before: Vec<_> =
            tree(&path.join("checkpoints")).into_iter().filter(|f| !f.0.starts_with('.')).collect();
        resumed_from.insert(go_on(&path).unwrap());
        let after = tree(&path);
        assert_eq!(after, wanted, "refused after {operations} operations");
        for (name, bytes) in before {
            let kept = after.iter().find(|(other, _)| *other == format!("checkpoints/{name}"));
            assert_eq!(
                kept.map(|(_, kept)| kept),
                Some(&bytes),
                "{name}: a checkpoint that was there is as it was"
            );
        }
    }
    assert!(refusals > 40, "{refusals} operations can be refused");
    assert_eq!(resumed_from.into_iter().collect::<Vec<_>>(), [None, Some(0), Some(2), Some(4), Some(5)]);
}
