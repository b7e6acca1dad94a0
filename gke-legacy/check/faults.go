package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// fault is a change of a file, and the finding that must come of it: at the changed line, unless at says another place.
type fault struct {
	file, old, new string
	says           string
	at             string // "file" or "file:words of the line"
	overlay        string // one that the file is of; the first if it says none
}

const (
	cart       = "gke-legacy/base/cart.yaml"
	checkout   = "gke-legacy/base/checkout.yaml"
	edge       = "gke-legacy/base/edge.yaml"
	autopilot  = "gke-legacy/overlays/autopilot/kustomization.yaml"
	chaos      = "gke-legacy/overlays/standard-chaos"
	injected   = "gke-legacy/overlays/autopilot-faults"
	inCluster  = "gke-legacy/overlays/autopilot-elasticsearch"
	gateway    = "gke-legacy/gateway/gateway.yaml"
	elastic    = "gke-legacy/components/elasticsearch/elasticsearch.yaml"
	rush       = "gke-legacy/rush"
	cartDigest = "digest: sha256:cfc7d16abc651d8e94289c06a2e824f82cb78506cb862dfb8d6c8065e1e52a98"
)

// ownFaults are found before any API server is asked.
var ownFaults = []fault{
	{file: autopilot, old: cartDigest, new: "newTag: latest", says: "Deployment cart runs by no digest", at: autopilot + ":name: larder/cart"},
	{file: autopilot, old: cartDigest, new: "digest: sha256:" + strings.Repeat("0", 64), says: "Deployment cart runs by no digest", at: autopilot + ":name: larder/cart"},
	{file: autopilot, old: "newName: europe-west1-docker.pkg.dev/larder-example/larder/cart", new: "newName: europe-west2-docker.pkg.dev/larder-example/larder/cart",
		says: "the image is in europe-west2", at: autopilot + ":name: larder/cart"},
	{file: autopilot, old: "newName: europe-west1-docker.pkg.dev/larder-example/larder/cart", new: "newName: europe-west1-b-docker.pkg.dev/larder-example/larder/cart",
		says: "europe-west1-b is no region", at: autopilot + ":name: larder/cart"},
	{file: autopilot, old: "newName: europe-west1-docker.pkg.dev/larder-example/larder/cart", new: "newName: europe-west1-docker.pkg.dev/another/larder/cart",
		says: "the image is in the project another", at: autopilot + ":name: larder/cart"},
	{file: envFile, old: "SQL_HOST=10.20.0.3\n", new: "", says: "there is no SQL_HOST", at: envFile + ":GOOGLE_CLOUD_PROJECT"},
	{file: envFile, old: "API_URL=https://larder.example", new: "API_URL=", says: "there is no API_URL"},
	{file: envFile, old: "SPANNER_DATABASE=projects/larder-example", new: "SPANNER_DATABASE=projects/another", says: "SPANNER_DATABASE is projects/another"},
	{file: autopilot, old: "index: 1", new: "index: 0", says: "want larder-cart@larder-example.iam.gserviceaccount.com", at: cart + ":iam.gke.io"},
	{file: "gke-legacy/base/kustomization.yaml", old: "- cart.yaml", new: "- basket.yaml", says: "basket.yaml"},
	{file: "gke-legacy/base/kustomization.yaml", old: "  - cart.yaml\n", new: "", says: "there is no Deployment cart", at: "gke-legacy/base/kustomization.yaml"},
	{file: cart, old: "serviceAccountName: cart", new: "serviceAccountName: basket", says: "names the ServiceAccount basket, which isn't there"},
	{file: cart, old: "selector: {app: cart}", new: "selector: {app: basket}", says: "Service cart selects no pod"},
	{file: gateway, old: "kind: Deployment, name: larder-gateway", new: "kind: Deployment, name: gateway", says: "names the Deployment gateway"},
	{file: "gke-legacy/base/mesh.yaml", old: "mtls: {mode: STRICT}", new: "mtls: {mode: STRICT", says: "yaml: line", at: "gke-legacy/base/mesh.yaml"},
	{file: injected + "/checkout.yaml", old: "value: checkout}", new: "value: cart}", says: "/spec/http/10/name", at: injected, overlay: injected},
	{file: rush + "/rush.yaml", old: "name: RATE,", new: "name: RATES,", says: "the script doesn't read RATES", overlay: rush},
	{file: cart, old: "destination: {host: cart,", new: "destination: {host: basket,", says: "names the Service basket, which isn't there"},
	{file: edge, old: "selector: {istio: larder-gateway}", new: "selector: {istio: gateway}", says: "Gateway edge selects no pod"},
	{file: edge, old: "credentialName: edge", new: "credentialName: rim", says: "wants the certificate rim"},
}

// serverFaults are found by the kube-apiserver.
var serverFaults = []fault{
	{file: cart, old: "maxUnavailable: 0, maxSurge: 1", new: "maxUnavailble: 0, maxSurge: 1", says: "maxUnavailble"},
	{file: cart, old: "periodSeconds: 5", new: "periodSecond: 5", says: "periodSecond"},
	{file: cart, old: "maxReplicas: 40", new: "maxReplicas: many", says: "maxReplicas"},
	{file: cart, old: "minReplicas: 2", new: "minReplicas: 200", says: "maxReplicas", at: cart + ":maxReplicas"},
	{file: cart, old: "targetPort: http2, appProtocol", new: "targetPort: HTTP/2, appProtocol", says: "targetPort"},
	{file: cart, old: "runAsNonRoot: true", new: "runAsNonRoot: false", says: "would violate PodSecurity"},
	{file: gateway, old: "allowPrivilegeEscalation: false", new: "allowPrivilegeEscalation: true", says: "would violate PodSecurity"},
	{file: cart, old: "baseEjectionTime: 15s", new: "ejectionTime: 15s", says: "ejectionTime"},
	{file: cart, old: "action: ALLOW", new: "action: PERMIT", says: "PERMIT"},
	{file: edge, old: "minProtocolVersion: TLSV1_2", new: "minProtocolVersion: TLSV2", says: "TLSV2"},
	{file: chaos + "/loss.yaml", old: "direction: to\n  loss:", new: "directions: to\n  loss:", says: "directions", overlay: chaos},
	{file: chaos + "/redis.yaml", old: "action: delay", new: "action: wait", says: "wait", overlay: chaos},
	{file: chaos + "/kill.yaml", old: "        action: pod-kill", new: "        actions: pod-kill", says: "actions", overlay: chaos},
	{file: injected + "/depended-on.yaml", old: "fixedDelay: 2s", new: "fixedDelays: 2s", says: "fixedDelays", at: "gke-legacy/base/", overlay: injected},
	{file: elastic, old: "count: 3", new: "counts: 3", says: "counts", overlay: inCluster},
	{file: rush + "/rush.yaml", old: "parallelism: 4", new: "parallel: 4", says: "parallel", overlay: rush},
	{file: rush + "/rush.yaml", old: `requests: {cpu: "1", memory: 1Gi}`, new: `requests: {cpu: "1", memory: 1 GB}`, says: "memory", overlay: rush},
	{file: cart, old: "kind: PodDisruptionBudget", new: "kind: DisruptionBudget", says: "there is no kind DisruptionBudget in policy/v1"},
}

// meshFaults are found by istioctl: each is good YAML with fields that there are.
var meshFaults = []fault{
	{file: cart, old: "destination: {host: cart, port: {number: 8080}}", new: "destination: {host: cart, subset: blue, port: {number: 8080}}", says: "IST0101"},
	{file: edge, old: "gateways: [edge]", new: "gateways: [rim]", says: "IST0101"},
	{file: checkout, old: "attempts: 2, retryOn: \"connect-failure", new: "attempts: 2, retryOn: \"connection-failure", says: "retryOn policy", at: checkout},
}

// checkFaults sees each of them found.
func checkFaults(ctx context.Context) (string, error) {
	v, err := newValidators(ctx)
	if err != nil {
		return "", err
	}
	defer v.close()
	var missed []error
	planted := 0
	for _, kind := range []struct {
		faults []fault
		ask    func(context.Context, *profile) ([]finding, error)
	}{
		{ownFaults, func(_ context.Context, p *profile) ([]finding, error) { return keepRules(p), nil }},
		{serverFaults, v.server.dryRun},
		{meshFaults, v.analyze},
	} {
		for _, f := range kind.faults {
			planted++
			if err := f.caught(ctx, v.kustomize, kind.ask); err != nil {
				missed = append(missed, err)
			}
		}
	}
	return fmt.Sprintf("%d of %d planted faults caught", planted-len(missed), planted), errors.Join(missed...)
}

// copied is what overlays are built of.
var copied = []string{"gke-legacy", "load/rush"}

// caught plants the fault in a copy, and says what was found in the place of its finding.
func (f fault) caught(ctx context.Context, kustomize string, ask func(context.Context, *profile) ([]finding, error)) (err error) {
	root, err := os.MkdirTemp("", "gke-fault")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	for _, folder := range copied {
		if err := os.CopyFS(filepath.Join(root, folder), os.DirFS(folder)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(filepath.Join(root, f.file))
	if err != nil {
		return err
	}
	before, after, there := strings.Cut(string(text), f.old)
	if !there {
		return fmt.Errorf("%s has no %q to plant a fault in", f.file, f.old)
	}
	planted := before + f.new + after
	if err := os.WriteFile(filepath.Join(root, f.file), []byte(planted), 0o600); err != nil {
		return err
	}
	overlay := f.overlay
	if overlay == "" {
		overlay = overlays[0]
	}
	p, found := render(ctx, kustomize, root, overlay)
	if p != nil {
		if found, err = ask(ctx, p); err != nil {
			return err
		}
	}
	file, words, exact := strings.Cut(f.at, ":")
	line := 1 + strings.Count(before, "\n")
	switch {
	case f.at == "":
		file, exact = f.file, true
	case exact:
		other, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		above, _, there := strings.Cut(string(other), words)
		if !there {
			return fmt.Errorf("%s has no line with %q", file, words)
		}
		line = 1 + strings.Count(above, "\n")
	}
	for _, one := range found {
		if strings.Contains(one.says, f.says) && strings.HasPrefix(one.file, file) && (!exact || one.line == line) {
			return nil
		}
	}
	return fmt.Errorf("%s:%d: %q in the place of %q: nothing says %q at %s:\n%s", f.file, line, f.new, f.old, f.says, file, list(found))
}
