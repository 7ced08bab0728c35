//! One world per run: what was compiled or parsed once stays.

use netpath::cluster::{ClusterView, Facts, snapshot};
use netpath::diagnose::{Case, diagnose};
use netpath::observe::{Observations, Vantage};
use netpath::target::Request;
use netpath::world::World;

use crate::support::project;

/// A recording without its facts, and the facts as probes would bring them, one file at a time.
fn recording(name: &str) -> (ClusterView, Vec<(Vantage, &'static str, String)>) {
    let folder = project().join("tests/scenarios/recorded").join(name);
    let mut view = snapshot::load(&folder).expect("a recording");
    let Facts { nodes, pods } = std::mem::take(&mut view.facts);
    let of_nodes = nodes.into_iter().flat_map(|(name, facts)| {
        let files = netpath::cluster::NodeFacts::FILES.iter();
        let held = files.filter_map(move |file| Some((*file, facts.get(file)?.to_owned())));
        held.map(move |(file, text)| (Vantage::Node(name.clone()), file, text))
    });
    let of_pods = pods.into_iter().flat_map(|((namespace, name), facts)| {
        let files = netpath::cluster::PodFacts::FILES.iter();
        let held = files.filter_map(move |file| Some((*file, facts.get(file)?.to_owned())));
        held.map(move |(file, text)| {
            let (namespace, name) = (namespace.clone(), name.clone());
            (Vantage::Pod { namespace, name }, file, text)
        })
    });
    (view, of_nodes.chain(of_pods).collect())
}

fn request() -> Request {
    Request {
        source: "pod/client-1".parse().expect("a pod"),
        destination: "svc/api".parse().expect("a Service"),
        source_namespace: "shop".to_owned(),
        destination_namespace: "shop".to_owned(),
        protocol: None,
        http: netpath::target::HttpAsked::default(),
    }
}

/// `--deep` works in rounds: whatever they plan and whatever is reported in the end, a file that came is parsed
/// once.
#[test]
fn a_file_is_parsed_once_however_many_rounds_follow() {
    let (view, facts) = recording("ok-pod-to-service");
    let mut world = World::of(&view);
    let (observations, request) = (Observations::default(), request());
    for (vantage, file, text) in &facts {
        world.learn(vantage, file, text.clone());
    }
    let mut after_first = None;
    for _ in 0..4 {
        let case = Case::of(&world, &request, &observations).expect("both ends");
        let _ = diagnose(&case);
        let parsed = world.nodes().parsed();
        assert_eq!(*after_first.get_or_insert(parsed), parsed);
    }
    assert!((1..=facts.len()).contains(&world.nodes().parsed()));
}

/// What a later fact is about is parsed again, and nothing else.
#[test]
fn a_late_fact_leaves_other_places_alone() {
    let (view, facts) = recording("ok-pod-to-service");
    let mut world = World::of(&view);
    let (observations, request) = (Observations::default(), request());
    let (late, early): (Vec<_>, Vec<_>) = facts
        .into_iter()
        .partition(|(vantage, ..)| matches!(vantage, Vantage::Node(name) if name == "node2"));
    for (vantage, file, text) in early {
        world.learn(&vantage, file, text);
    }
    let _ = Case::of(&world, &request, &observations).expect("both ends");
    let before = world.nodes().parsed();
    let count = late.len();
    for (vantage, file, text) in late {
        world.learn(&vantage, file, text);
    }
    let _ = Case::of(&world, &request, &observations).expect("both ends");
    assert_eq!(world.nodes().parsed(), before + count);
}
