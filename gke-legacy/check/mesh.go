package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// analyze has istioctl read the overlay, with the one secret of it that a person makes (docs/gke.md).
func (v *validators) analyze(ctx context.Context, p *profile) ([]finding, error) {
	rendered, given := filepath.Join(v.work, "rendered.yaml"), filepath.Join(v.work, "given.yaml")
	if err := os.WriteFile(rendered, p.text, 0o600); err != nil {
		return nil, err
	}
	secret, err := edgeSecret()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(given, secret, 0o600); err != nil {
		return nil, err
	}
	arguments := []string{"analyze", "--use-kube=false", "--all-namespaces", "--output-threshold=Warning", "--output=json", "--color=false", "--istioNamespace=istio-system", rendered, given}
	command := exec.CommandContext(ctx, v.istioctl, arguments...)
	var failed bytes.Buffer
	command.Stderr = &failed
	said, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("istioctl analyze: %w\n%s", err, failed.String())
	}
	var messages []struct{ Code, Level, Message, Origin, Reference string }
	if err := json.Unmarshal(said, &messages); err != nil {
		return nil, fmt.Errorf("istioctl analyze says %q: %w\n%s", said, err, failed.String())
	}
	var found []finding
	for _, m := range messages {
		_, line, _ := strings.Cut(m.Reference, filepath.Base(rendered)+":")
		number, _ := strconv.Atoi(line) // 0: it names no line
		found = append(found, p.blameLine(number, m.Origin, "%s: %s (%s)", m.Origin, m.Message, m.Code))
	}
	return found, nil
}

// blameLine is a finding where the line of what kustomize made was written; or, without one, where the object "Kind namespace/name" was.
func (p *profile) blameLine(line int, origin, format string, arguments ...any) finding {
	var of *object
	var path []string
	for _, o := range p.objects {
		switch {
		case line > 0 && o.node.Content[0].Line <= line:
			of = o // the last that begins above
		case line == 0 && strings.HasPrefix(origin, o.kind()+" ") && strings.HasSuffix(origin, o.namespace()+"/"+o.name()):
			of = o
		}
	}
	if of == nil {
		return finding{p.overlay + "/kustomization.yaml", 1, fmt.Sprintf(format, arguments...)}
	}
	if line > 0 {
		walk(of.node, nil, func(at []string, n *yaml.Node) {
			if n.Line == line && len(at) > len(path) {
				path = at
			}
		})
	}
	return p.blameAt(of, path, format, arguments...)
}

// edgeSecret is the gateway's certificate, as a person puts it in.
func edgeSecret() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "larder.example"}, DNSNames: []string{"larder.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
		"metadata": map[string]any{"name": edgeCertificate, "namespace": "larder-edge"},
		"stringData": map[string]any{
			"tls.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
			"tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})),
		},
	})
}
