package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestMethods(t *testing.T) {
	operations, err := os.ReadFile("../../api/operations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../api/client/methods.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	code, err := Methods(operations)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(code, committed) {
		t.Error("api/client/methods.gen.go is not the contract's: make generate")
	}
	// What operations.yaml says of a method decides how it is called.
	for about, want := range map[string]string{
		"{}":                                   `return call(ctx, c, "larder.cart.v1.CartService.GetCart"`,
		"{idempotency_key: true}":              `return callWithKey(ctx, c, "larder.cart.v1.CartService.GetCart"`,
		"{bodies: [application/octet-stream]}": "",
	} {
		code, err := Methods([]byte("CartService_GetCart: " + about))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && strings.Contains(string(code), ".GetCart") || !strings.Contains(string(code), want) {
			t.Errorf("%s: no %q", about, want)
		}
	}
	if _, err := Methods([]byte("[")); err == nil {
		t.Error("operations that can't be read are no error")
	}
}
