package simulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-mock/embedded"

	"larder.dev/local/payments/simulator"
)

// schema is as much of a JSON schema as Stripe's OpenAPI description uses for what is answered here.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Nullable   bool               `json:"nullable"`
	Enum       []any              `json:"enum"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
}

type description struct {
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Schema *schema `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
}

// check returns what of a value does not fit, each fault with its place.
func (d *description) check(at string, s *schema, v any) []string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.check(at, d.Components.Schemas[name], v)
	}
	if v == nil {
		if s.Nullable || s.Type == "" && len(s.AnyOf) == 0 {
			return nil
		}
		return []string{at + " is null"}
	}
	if len(s.AnyOf) > 0 {
		var best []string
		for i, option := range s.AnyOf {
			faults := d.check(at, option, v)
			if len(faults) == 0 {
				return nil
			}
			if i == 0 || len(faults) < len(best) {
				best = faults
			}
		}
		return best
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		return []string{fmt.Sprintf("%s is %v, which is none of the values", at, v)}
	}
	return d.checkType(at, s, v)
}

func (d *description) checkType(at string, s *schema, v any) (faults []string) {
	fits := true
	switch s.Type {
	case "string":
		_, fits = v.(string)
	case "boolean":
		_, fits = v.(bool)
	case "integer":
		n, ok := v.(float64)
		fits = ok && n == float64(int64(n))
	case "number":
		_, fits = v.(float64)
	case "array":
		list, ok := v.([]any)
		fits = ok
		for i, item := range list {
			faults = append(faults, d.check(fmt.Sprintf("%s[%d]", at, i), s.Items, item)...)
		}
	case "object":
		fields, ok := v.(map[string]any)
		fits = ok
		for _, name := range s.Required {
			if _, ok := fields[name]; !ok {
				faults = append(faults, at+"."+name+" is missing")
			}
		}
		for name, field := range fields {
			switch p := s.Properties[name]; {
			case p != nil:
				faults = append(faults, d.check(at+"."+name, p, field)...)
			case len(s.Properties) > 0:
				faults = append(faults, at+"."+name+" is not Stripe's")
			}
		}
	}
	if !fits {
		faults = append(faults, fmt.Sprintf("%s is %T, not %s", at, v, s.Type))
	}
	return faults
}

// TestShapes compares every kind of answer with Stripe's own description of its API, which stripe-mock carries.
func TestShapes(t *testing.T) {
	var d description
	if err := json.Unmarshal(embedded.OpenAPISpec, &d); err != nil {
		t.Fatal(err)
	}
	p := start(t, simulator.Config{})
	send := func(method, path, template, body, status string) map[string]any {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(simulator.DefaultKey, "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if (resp.StatusCode == http.StatusOK) != (status == "200") {
			t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
		}
		responses := d.Paths[template][strings.ToLower(method)].Responses
		if responses[status].Content == nil {
			t.Fatalf("Stripe has no %s %s", method, template)
		}
		for _, fault := range d.check(path, responses[status].Content["application/json"].Schema, v) {
			t.Errorf("%s %s: %s", method, template, fault)
		}
		return v
	}
	const intents, one, manual = "/v1/payment_intents", "/v1/payment_intents/{intent}", "amount=500&currency=gbp&capture_method=manual"
	confirm := func(method, status string) string {
		id := send("POST", intents, intents, manual+"&metadata[a]=b", "200")["id"].(string)
		send("POST", intents+"/"+id+"/confirm", one+"/confirm", "payment_method="+method+"&return_url="+url.QueryEscape("https://shop.example/"), status)
		send("GET", intents+"/"+id+"?expand[]=latest_charge", one, "", "200")
		return id
	}
	paid := confirm("pm_card_visa", "200")
	send("POST", intents+"/"+paid+"/capture", one+"/capture", "amount_to_capture=400", "200")
	send("POST", "/v1/refunds", "/v1/refunds", "amount=100&payment_intent="+paid, "200")
	send("GET", "/v1/refunds?payment_intent="+paid, "/v1/refunds", "", "200")
	send("GET", intents+"/"+paid+"?expand[]=latest_charge.refunds", one, "", "200")
	canceled := confirm("pm_card_visa", "200")
	send("POST", intents+"/"+canceled+"/cancel", one+"/cancel", "cancellation_reason=abandoned", "200")
	send("POST", intents+"/"+canceled+"/cancel", one+"/cancel", "", "default")
	confirm("pm_card_threeDSecure2Required", "200")
	confirm("pm_card_processing", "200")
	confirm("pm_card_chargeDeclinedInsufficientFunds", "default")
	confirm("pm_card_none", "default")
	send("GET", intents+"?limit=100&expand[]=data.latest_charge.refunds", intents, "", "200")
}
