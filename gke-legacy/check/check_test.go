package main

import (
	"context"
	"testing"
)

// TestRules holds the overlays against what needs no API server, and sees each planted fault caught. `make check-gke` has the others.
func TestRules(t *testing.T) {
	t.Chdir("../..")
	kustomize, err := tool(t.Context(), "kustomize", "kustomize")
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		p, found := render(t.Context(), kustomize, ".", overlay)
		if p != nil {
			found = keepRules(p)
		}
		if len(found) > 0 {
			t.Error(list(found))
		}
	}
	for _, f := range ownFaults {
		if err := f.caught(t.Context(), kustomize, func(_ context.Context, p *profile) ([]finding, error) { return keepRules(p), nil }); err != nil {
			t.Error(err)
		}
	}
}

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		`spec.template.spec.containers[0].image`:         "spec/template/spec/containers/0/image",
		`.spec.ports[port=8080,protocol="TCP"].nodePort`: "spec/ports/port=8080/nodePort",
		`.spec.containers[name="cart"].foo`:              "spec/containers/name=cart/foo",
	} {
		got := ""
		for i, step := range parsePath(text) {
			if i > 0 {
				got += "/"
			}
			got += step
		}
		if got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
