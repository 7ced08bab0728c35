//! Policies at the size of large clusters, on worlds of the generator beside the project.
//!
//! `cargo bench --bench policy`; worlds are made once, under `target/worlds`. Without the generator
//! there is nothing to measure, and that is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use divan::{Bencher, black_box};
use netpath::cluster::{ClusterView, snapshot};
use netpath::policy::{End, Ends, Matrix, Policies};

/// Namespaces, workloads in each, policies.
type Size = (u32, u32, u32);

const SIZES: [Size; 8] = [
    (10, 20, 200),
    (20, 20, 400),
    (50, 20, 1000),
    // How the time grows: with pods, with policies.
    (50, 50, 1000),
    (50, 100, 1000),
    (50, 200, 250),
    (50, 200, 500),
    (50, 200, 1000),
];

fn main() {
    divan::main();
}

/// All pairs with their port intervals, from the view: compiling, classes, rows, and visiting every
/// pair once.
#[divan::bench(args = SIZES.map(label), sample_count = 10, sample_size = 1)]
fn all_pairs(bencher: Bencher<'_, '_>, label: &str) {
    let Some(view) = world(label) else { return };
    let classes = classes(&view);
    eprintln!("{label}: {} pods in {classes} classes", view.pods.len());
    bencher.bench_local(|| {
        let policies = Policies::compile(&view);
        visit(&Matrix::new(&policies, &pods(&view)))
    });
}

/// All pairs where every pod is there so many times: more pods, no more classes.
#[divan::bench(args = [1, 5, 25], sample_count = 10, sample_size = 1)]
fn replicas(bencher: Bencher<'_, '_>, times: usize) {
    let Some(view) = world("20x20x400") else {
        return;
    };
    let policies = Policies::compile(&view);
    let pods = pods(&view).into_iter();
    let pods: Vec<End> = pods.flat_map(|pod| vec![pod; times]).collect();
    bencher.bench_local(|| visit(&Matrix::new(&policies, &pods)));
}

/// Looks at every pair of classes once.
fn visit(matrix: &Matrix) -> u64 {
    let mut sum = 0_u64;
    matrix.each_row(|_, ids| sum += ids.iter().map(|id| u64::from(*id)).sum::<u64>());
    black_box(sum)
}

fn classes(view: &ClusterView) -> usize {
    let matrix = Matrix::new(&Policies::compile(view), &pods(view));
    matrix.classes().len()
}

/// Compiling alone: what one question pays.
#[divan::bench(args = SIZES.map(label), sample_count = 10, sample_size = 1)]
fn compile(bencher: Bencher<'_, '_>, label: &str) {
    let Some(view) = world(label) else { return };
    bencher.bench_local(|| black_box(Policies::compile(&view)));
}

fn label((namespaces, workloads, policies): Size) -> String {
    format!("{namespaces}x{workloads}x{policies}")
}

fn pods(view: &ClusterView) -> Vec<End> {
    let ends = Ends::new(view);
    view.pods.iter().map(|pod| ends.pod(pod)).collect()
}

fn world(label: &str) -> Option<ClusterView> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generator = project.join("../shared/data/policy/gen_world.py");
    let folder: PathBuf = project.join("target/worlds").join(label);
    if !folder.exists() {
        let sizes: Vec<&str> = label.split('x').collect();
        let made = Command::new("python3")
            .args([generator.as_path(), folder.as_path()])
            .args([
                "--pods",
                "--seed",
                "7",
                "--ns",
                sizes[0],
                "--deploys",
                sizes[1],
            ])
            .args(["--policies", sizes[2], "--ipblocks"])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: {} cannot make a world", generator.display());
            return None;
        }
    }
    snapshot::load(&folder).ok()
}
