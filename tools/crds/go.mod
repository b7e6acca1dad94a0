// Whose CustomResourceDefinitions the GKE profile is checked against (gke-legacy/check). Nothing is built of these modules: only their YAML is read.
module larder.dev/tools/crds

go 1.26.8

require (
	github.com/chaos-mesh/chaos-mesh v0.9.1-0.20260902003049-47411975a8cb
	github.com/elastic/cloud-on-k8s/v3 v3.5.0
	istio.io/api v1.32.0
)
