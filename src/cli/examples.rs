//! What stands first in every help: examples to copy, and where they end.

pub(super) const TRACE: &str = "\
Examples:
  kubectl netpath client-1 svc/api -n shop              why does this pod not reach that Service?
  kubectl netpath deploy/web data/sts/db:5432           every pod that matters
  kubectl netpath external https://shop.example/cart    from outside, through the Ingress
  kubectl netpath client-1 svc/api --no-probe           create nothing: predict from the API
  kubectl netpath client-1 svc/api --tap                where does the packet disappear?
  kubectl netpath client-1 svc/api --watch              keep asking: what breaks, what heals
  kubectl netpath check suite.yaml                      many paths, for CI
  kubectl netpath demo                                  no cluster needed";

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    Reachable
  1    Unreachable or Degraded; a check failed
  2    wrong usage, or the cluster could not be asked
  3    Undetermined: what could not be read or asked could change the answer
  130  interrupted, after tidying up

Environment:
  KUBECONFIG                           as for kubectl
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE   when to color the report, unless --color says so
  NETPATH_LOG                          a filter for what is logged, as netpath=debug";

pub(super) const SNAPSHOT: &str = "\
Examples:
  kubectl netpath snapshot ./capture client-1 svc/api -n shop   what a diagnosis of this path needs
  kubectl netpath snapshot ./capture                            the whole cluster, no Secrets";

pub(super) const DEMO: &str = "\
Examples:
  kubectl netpath demo
  kubectl netpath demo --list
  kubectl netpath demo selector-typo";

pub(super) const CHECK: &str = "\
Examples:
  kubectl netpath check suite.yaml                             ask the cluster
  kubectl netpath check suite.yaml --no-probe                  create nothing: predict from the API
  kubectl netpath check suite.yaml --snapshot ./manifests      before anything is applied
  kubectl netpath check suite.yaml -o junit > netpath.xml      for CI
  kubectl netpath check suite.yaml --only smoke                those with a tag
  kubectl netpath check --write -n shop > suite.yaml           propose one from what holds now
  kubectl netpath check suite.yaml --in-cluster -n shop        a Job that checks inside the cluster";

pub(super) const SUITE: &str = "\
Suite:
  apiVersion: netpath/v1
  kind: Suite
  name: the shop
  namespace: shop           # of names without one
  checks:
  - name: web reaches api   # without a name, its ends
    from: deploy/web        # any end that the command line takes, or a list of them
    to: [svc/api, svc/db]   # every pair is a check
    port: http              # also: protocol, namespace, toNamespace
    expect: Reachable       # or Degraded, Unreachable, Undetermined
    code: POL-02            # the deciding cause
    by: netpol/lock         # the object that must be the reason
    loss: 1%                # the most connects that may fail
    latency: 20ms           # what 95 of 100 connects must keep
    retries: 2              # ask again before it fails; what passes then is flaky
    timeout: 5s             # for one answer
    tags: [smoke]           # for --only

Exit codes:
  0    all as expected
  1    a check failed
  2    wrong usage, or a check could not be asked
  3    a check stayed undetermined";

pub(super) const EXPLAIN: &str = "\
Examples:
  kubectl netpath explain           the families of causes
  kubectl netpath explain SVC       a family
  kubectl netpath explain SVC-01    a cause: how it is told, and how it is fixed";

pub(super) const POLICY: &str = "\
Examples:
  kubectl netpath policy client-1 svc/api:http -n shop
  kubectl netpath policy --queries pairs.jsonl --snapshot ./capture";

pub(super) const SWEEP: &str = "\
Examples:
  kubectl netpath sweep -n shop
  kubectl netpath sweep -A -o json
  kubectl netpath sweep -A --snapshot ./capture";

pub(super) const SWEEP_CODES: &str = "\
Each Service is asked from a few pods that stand for its users: those that policies name, else a neighbor, and from
outside where it is offered there. What policies deny a stranger by design is no fault.

Exit codes:
  0  nothing is broken
  1  something is broken or degraded
  2  wrong usage, or the cluster could not be asked
  3  something could not be judged";

pub(super) const MATRIX: &str = "\
Examples:
  kubectl netpath matrix -n shop
  kubectl netpath matrix -A -o csv
  kubectl netpath matrix --snapshot ./before --diff ./after";

pub(super) const RULES: &str = "\
Examples:
  kubectl netpath rules --iptables iptables-save.txt --from 10.244.1.9 --to 10.96.6.170:8080
  kubectl netpath rules --nft ruleset.json --drift --objects services.yaml";

pub(super) const CLEANUP: &str = "\
Examples:
  kubectl netpath cleanup --dry-run
  kubectl netpath cleanup";

pub(super) const RBAC: &str = "\
Examples:
  kubectl netpath rbac --no-probe | kubectl apply -f -
  kubectl netpath rbac --serviceaccount ci:netpath -n shop | kubectl apply -f -
  kubectl netpath rbac --deep --user jane";

pub(super) const SCHEMA: &str = "\
Examples:
  kubectl netpath schema > suite.schema.json
  kubectl netpath schema report";

pub(super) const COMPLETION: &str = "\
Examples:
  source <(kubectl netpath completion bash)";
