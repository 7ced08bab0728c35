//! The programs that serve doors, by the name of their controller: where their proxies are found.

/// A controller and the pods through which its requests go.
#[derive(Debug)]
pub struct Product {
    pub name: &'static str,
    /// Beginnings of `spec.controller` and `spec.controllerName`.
    pub controllers: &'static [&'static str],
    /// Old names of classes, by annotation.
    pub classes: &'static [&'static str],
    pub proxies: Proxies,
}

/// Where the requests of a door go through.
#[derive(Debug, Clone, Copy)]
pub enum Proxies {
    /// Pods with one of these labels, or of an image whose name holds one of these.
    Pods {
        labels: &'static [(&'static str, &'static str)],
        images: &'static [&'static str],
    },
    /// A load balancer of the cloud: nothing in the cluster.
    Cloud,
}

const fn pods(
    labels: &'static [(&'static str, &'static str)],
    images: &'static [&'static str],
) -> Proxies {
    Proxies::Pods { labels, images }
}

const NAME: &str = "app.kubernetes.io/name";

/// What is known, from the charts and manifests of each.
const PRODUCTS: [Product; 17] = [
    Product {
        name: "ingress-nginx",
        controllers: &["k8s.io/ingress-nginx"],
        classes: &["nginx"],
        proxies: pods(
            &[(NAME, "ingress-nginx"), ("app", "ingress-nginx")],
            &["ingress-nginx/controller", "ingress-nginx-controller"],
        ),
    },
    Product {
        name: "F5 NGINX Ingress Controller",
        controllers: &["nginx.org/ingress-controller"],
        classes: &[],
        proxies: pods(
            &[(NAME, "nginx-ingress"), ("app", "nginx-ingress")],
            &["nginx/nginx-ingress", "nginx-plus-ingress"],
        ),
    },
    Product {
        name: "NGINX Gateway Fabric",
        controllers: &["gateway.nginx.org/"],
        classes: &[],
        proxies: pods(
            &[(NAME, "nginx-gateway-fabric"), (NAME, "nginx-gateway")],
            &["nginx-gateway-fabric/nginx"],
        ),
    },
    Product {
        name: "Traefik",
        controllers: &["traefik.io/"],
        classes: &["traefik"],
        proxies: pods(
            &[(NAME, "traefik"), ("app", "traefik")],
            &[
                "library-traefik",
                "library/traefik",
                "rancher/mirrored-library-traefik",
                "traefik:",
            ],
        ),
    },
    Product {
        name: "HAProxy Kubernetes Ingress Controller",
        controllers: &["haproxy.org/ingress-controller"],
        classes: &["haproxy"],
        proxies: pods(
            &[(NAME, "kubernetes-ingress"), ("run", "haproxy-ingress")],
            &["haproxytech/kubernetes-ingress"],
        ),
    },
    Product {
        name: "HAProxy Ingress",
        controllers: &["haproxy-ingress.github.io/"],
        classes: &[],
        proxies: pods(
            &[(NAME, "haproxy-ingress")],
            &["jcmoraisjr/haproxy-ingress"],
        ),
    },
    Product {
        name: "Contour",
        controllers: &["projectcontour.io/"],
        classes: &["contour"],
        proxies: pods(
            &[("app.kubernetes.io/component", "envoy"), ("app", "envoy")],
            &[],
        ),
    },
    Product {
        name: "Envoy Gateway",
        controllers: &["gateway.envoyproxy.io/"],
        classes: &[],
        proxies: pods(&[("app.kubernetes.io/component", "proxy")], &[]),
    },
    Product {
        name: "Istio",
        controllers: &["istio.io/"],
        classes: &["istio"],
        proxies: pods(
            &[
                ("istio", "ingressgateway"),
                ("app", "istio-ingressgateway"),
                ("istio", "ingress"),
            ],
            &[],
        ),
    },
    Product {
        name: "Cilium",
        controllers: &[
            "io.cilium/gateway-controller",
            "cilium.io/ingress-controller",
        ],
        classes: &["cilium"],
        proxies: pods(&[("k8s-app", "cilium-envoy"), ("k8s-app", "cilium")], &[]),
    },
    Product {
        name: "Kong",
        controllers: &["ingress-controllers.konghq.com/kong", "konghq.com/"],
        classes: &["kong"],
        proxies: pods(
            &[
                (NAME, "kong"),
                (NAME, "gateway"),
                ("app", "ingress-kong"),
                ("app", "proxy-kong"),
            ],
            &["library/kong", "kong/kong-gateway", "kong:"],
        ),
    },
    Product {
        name: "kgateway",
        controllers: &["kgateway.dev/"],
        classes: &[],
        proxies: pods(&[], &["kgateway-dev/envoy-wrapper"]),
    },
    Product {
        name: "OpenShift router",
        controllers: &["openshift.io/ingress-to-route"],
        classes: &["openshift-default"],
        proxies: pods(
            &[(
                "ingresscontroller.operator.openshift.io/deployment-ingresscontroller",
                "default",
            )],
            &[],
        ),
    },
    Product {
        name: "AWS Load Balancer Controller",
        controllers: &["ingress.k8s.aws/alb", "gateway.k8s.aws/"],
        classes: &["alb"],
        proxies: Proxies::Cloud,
    },
    Product {
        name: "Google Cloud Load Balancing",
        controllers: &["k8s.io/ingress-gce", "networking.gke.io/"],
        classes: &["gce", "gce-internal"],
        proxies: Proxies::Cloud,
    },
    Product {
        name: "Azure Application Gateway",
        controllers: &["azure/application-gateway", "alb.networking.azure.io/"],
        classes: &["azure/application-gateway"],
        proxies: Proxies::Cloud,
    },
    Product {
        name: "Cloudflare Tunnel",
        controllers: &["strrl.dev/cloudflare-tunnel-ingress-controller"],
        classes: &["cloudflare-tunnel"],
        proxies: pods(&[], &["cloudflare/cloudflared"]),
    },
];

/// The product of a controller, or of a class where only that is known.
#[must_use]
pub fn product(controller: Option<&str>, class: Option<&str>) -> Option<&'static Product> {
    let by_controller = |product: &&Product| {
        let mut own = product.controllers.iter();
        own.any(|prefix| controller.is_some_and(|name| name.starts_with(prefix)))
    };
    let by_class = |product: &&Product| class.is_some_and(|name| product.classes.contains(&name));
    match controller {
        Some(_) => PRODUCTS.iter().find(by_controller),
        None => PRODUCTS.iter().find(by_class),
    }
}

// === impl Product ===

impl Product {
    /// Whether its proxies speak for an identity of their own and not for their node (Cilium's
    /// `reserved:ingress`).
    #[must_use]
    pub fn has_own_identity(&self) -> bool {
        self.name == "Cilium"
    }

    /// Whether its listeners name the ports of its pods and not those that clients ask.
    #[must_use]
    pub fn listens_on_pod_ports(&self) -> bool {
        self.name == "Traefik"
    }
}
