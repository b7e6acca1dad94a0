package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// mergeGuestCart fills a guest cart and a shopper's, and merges them as one does at sign-in.
func mergeGuestCart(ctx context.Context, d *demo) (string, error) {
	opened, err := d.must(ctx, 200, "POST", "/v1/carts", "", map[string]any{"store_id": store})
	if err != nil {
		return "", err
	}
	guest := "/v1/carts/" + opened.text("cart_id")
	s, err := d.newShopper(ctx, "guest")
	if err != nil {
		return "", err
	}
	token := s.token
	for _, item := range []struct {
		cart, token, product string
		quantity             int
	}{
		{guest, "", d.lowMargin, 2},
		{guest, "", d.inStock, 3},
		{"/v1/carts/me", token, d.inStock, 1},
		{"/v1/carts/me", token, d.highMargin, 4},
	} {
		_, err := d.must(ctx, 200, "PUT", item.cart+"/items/"+item.product, item.token, map[string]any{"quantity": item.quantity})
		if err != nil {
			return "", err
		}
	}

	want := fmt.Sprintf("3 %s, 4 %s, 2 %s", d.inStock, d.highMargin, d.lowMargin)
	var etag string
	for range 2 { // the same merge again changes nothing
		merged, err := d.must(ctx, 200, "POST", guest+":merge", token, map[string]any{})
		if err != nil {
			return "", err
		}
		var lines []string
		for _, item := range merged.list("items") {
			lines = append(lines, fmt.Sprintf("%d %v", number(at(item, "quantity")), at(item, "product_id")))
		}
		if strings.Join(lines, ", ") != want || etag != "" && merged.text("etag") != etag {
			return "", fmt.Errorf("want %s: %s", want, merged)
		}
		etag = merged.text("etag")
	}
	// Nobody has the guest cart any more, and nobody is taken for a guest who has sent a token.
	var faults []error
	for _, probe := range []struct {
		method, path, token string
		status              int
		reason              string
	}{
		{"GET", guest, "", 404, "CART_NOT_FOUND"},
		{"POST", guest + ":merge", d.shopper, 404, "CART_NOT_FOUND"},
		{"POST", "/v1/carts", token + "x", 401, "UNAUTHENTICATED"},
	} {
		body := map[string]any{}
		if probe.path == "/v1/carts" {
			body["store_id"] = store
		}
		if probe.method == "GET" {
			body = nil
		}
		refused, err := d.call(ctx, probe.method, probe.path, probe.token, body)
		if err == nil {
			err = refused.refused(probe.status, probe.reason)
		}
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return "", err
	}
	return want + ": the larger quantity, the guest's other line behind; merged again, the same; the guest cart is gone", nil
}
