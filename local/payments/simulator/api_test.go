package simulator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v83"

	"larder.dev/local/payments/simulator"
)

func TestAuthoriseCaptureRefund(t *testing.T) {
	p := start(t, simulator.Config{})
	in := p.create(t, 1250, "")
	if in.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || in.Amount != 1250 || in.Currency != "gbp" ||
		in.Metadata["order"] != "o-1" || in.ClientSecret == "" || in.CaptureMethod != "manual" {
		t.Fatalf("created %+v", in)
	}
	in, err := p.confirm(in.ID, "pm_card_visa", "")
	if err != nil {
		t.Fatal(err)
	}
	if in.Status != stripe.PaymentIntentStatusRequiresCapture || in.AmountCapturable != 1250 || in.AmountReceived != 0 {
		t.Fatalf("confirmed: %s, capturable %d, received %d", in.Status, in.AmountCapturable, in.AmountReceived)
	}
	in, err = p.capture(in.ID, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if in.Status != stripe.PaymentIntentStatusSucceeded || in.AmountReceived != 1000 || in.AmountCapturable != 0 {
		t.Fatalf("captured: %s, received %d, capturable %d", in.Status, in.AmountReceived, in.AmountCapturable)
	}
	for _, amount := range []int64{400, 600} {
		r, err := p.refund(in.ID, amount)
		if err != nil {
			t.Fatal(err)
		}
		if r.Amount != amount || r.Status != stripe.RefundStatusSucceeded || r.BalanceTransaction == nil || r.PaymentIntent.ID != in.ID {
			t.Fatalf("refund %+v", r)
		}
	}
	charge := p.get(t, in.ID).LatestCharge
	if charge.AmountRefunded != 1000 || !charge.Refunded || len(charge.Refunds.Data) != 2 {
		t.Fatalf("charge: refunded %d (%t), %d refunds", charge.AmountRefunded, charge.Refunded, len(charge.Refunds.Data))
	}
	var listed []int64
	for r, err := range p.V1Refunds.List(context.Background(), &stripe.RefundListParams{PaymentIntent: stripe.String(in.ID)}) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, r.Amount)
	}
	if fmt.Sprint(listed) != "[600 400]" {
		t.Errorf("listed refunds %v, want newest first", listed)
	}
}

func TestDeclines(t *testing.T) {
	p := start(t, simulator.Config{})
	for _, c := range []struct{ method, code, decline string }{
		{"pm_card_chargeDeclined", "card_declined", "generic_decline"},
		{"pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"},
		{"pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"},
		{"pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"},
		{"pm_card_chargeDeclinedExpiredCard", "expired_card", ""},
		{"pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", ""},
		{"pm_card_chargeDeclinedProcessingError", "processing_error", ""},
	} {
		t.Run(c.method, func(t *testing.T) {
			in := p.create(t, 500, "")
			_, err := p.confirm(in.ID, c.method, "")
			e := refusal(t, err)
			if e.HTTPStatusCode != http.StatusPaymentRequired || e.Type != stripe.ErrorTypeCard ||
				string(e.Code) != c.code || string(e.DeclineCode) != c.decline {
				t.Fatalf("got %d %s %s %s", e.HTTPStatusCode, e.Type, e.Code, e.DeclineCode)
			}
			if e.PaymentIntent == nil || e.PaymentIntent.Status != stripe.PaymentIntentStatusRequiresPaymentMethod {
				t.Fatalf("the error's intent: %+v", e.PaymentIntent)
			}
			now := p.get(t, in.ID)
			if now.LastPaymentError == nil || string(now.LastPaymentError.Code) != c.code || now.PaymentMethod != nil {
				t.Fatalf("after the decline: %+v", now.LastPaymentError)
			}
			again, err := p.confirm(in.ID, "pm_card_visa", "")
			if err != nil || again.Status != stripe.PaymentIntentStatusRequiresCapture || again.LastPaymentError != nil {
				t.Fatalf("second confirmation: %v %v", again.Status, err)
			}
		})
	}
}

// Each verb against each status: what is refused is refused with Stripe's code and changes nothing.
func TestVerbsByStatus(t *testing.T) {
	p := start(t, simulator.Config{})
	must := func(in *stripe.PaymentIntent, err error) *stripe.PaymentIntent {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	makers := map[stripe.PaymentIntentStatus]func() *stripe.PaymentIntent{
		stripe.PaymentIntentStatusRequiresPaymentMethod: func() *stripe.PaymentIntent { return p.create(t, 900, "") },
		stripe.PaymentIntentStatusRequiresConfirmation: func() *stripe.PaymentIntent {
			return must(p.V1PaymentIntents.Create(context.Background(), &stripe.PaymentIntentCreateParams{
				Amount: stripe.Int64(900), Currency: stripe.String("GBP"), CaptureMethod: stripe.String("manual"),
				PaymentMethod: stripe.String("pm_card_visa"),
			}))
		},
		stripe.PaymentIntentStatusRequiresAction: func() *stripe.PaymentIntent {
			return must(p.confirm(p.create(t, 900, "").ID, "pm_card_authenticationRequired", ""))
		},
		stripe.PaymentIntentStatusProcessing: func() *stripe.PaymentIntent {
			return must(p.confirm(p.create(t, 900, "").ID, "pm_card_processing", ""))
		},
		stripe.PaymentIntentStatusRequiresCapture: func() *stripe.PaymentIntent { return p.authorised(t, 900) },
		stripe.PaymentIntentStatusSucceeded:       func() *stripe.PaymentIntent { return must(p.capture(p.authorised(t, 900).ID, 900)) },
		stripe.PaymentIntentStatusCanceled:        func() *stripe.PaymentIntent { return must(p.cancel(p.authorised(t, 900).ID)) },
	}
	verbs := map[string]func(string) error{
		"confirm": func(id string) error { _, err := p.confirm(id, "pm_card_visa", ""); return err },
		"capture": func(id string) error { _, err := p.capture(id, 900); return err },
		"cancel":  func(id string) error { _, err := p.cancel(id); return err },
		"refund":  func(id string) error { _, err := p.refund(id, 900); return err },
	}
	allowed := map[string]string{
		"confirm": "requires_payment_method requires_confirmation requires_action",
		"capture": "requires_capture",
		"cancel":  "requires_payment_method requires_confirmation requires_action requires_capture",
		"refund":  "succeeded",
	}
	for status, make := range makers {
		for verb, call := range verbs {
			t.Run(string(status)+"/"+verb, func(t *testing.T) {
				in := make()
				if in.Status != status {
					t.Fatalf("prepared %s", in.Status)
				}
				err := call(in.ID)
				if strings.Contains(" "+allowed[verb]+" ", " "+string(status)+" ") {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				e := refusal(t, err)
				want := stripe.ErrorCodePaymentIntentUnexpectedState
				if verb == "refund" {
					want = stripe.ErrorCodeChargeNotRefundable
				}
				if e.Code != want || e.HTTPStatusCode != http.StatusBadRequest {
					t.Fatalf("got %d %s", e.HTTPStatusCode, e.Code)
				}
				if verb != "refund" && (e.PaymentIntent == nil || e.PaymentIntent.Status != status) {
					t.Errorf("the error's intent: %+v", e.PaymentIntent)
				}
				if now := p.get(t, in.ID).Status; now != status {
					t.Errorf("now %s", now)
				}
			})
		}
	}
}

func TestAmounts(t *testing.T) {
	p := start(t, simulator.Config{})
	over := p.authorised(t, 700)
	if _, err := p.capture(over.ID, 701); refusal(t, err).Code != stripe.ErrorCodeAmountTooLarge {
		t.Error(err)
	}
	if in, err := p.capture(over.ID, 700); err != nil || in.AmountReceived != 700 {
		t.Fatal(err)
	}
	if _, err := p.refund(over.ID, 701); refusal(t, err).Code != stripe.ErrorCodeAmountTooLarge {
		t.Error(err)
	}
	if _, err := p.V1Refunds.Create(context.Background(), &stripe.RefundCreateParams{PaymentIntent: stripe.String(over.ID)}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.refund(over.ID, 1); refusal(t, err).Code != stripe.ErrorCodeChargeAlreadyRefunded {
		t.Error(err)
	}
}

func TestActionPage(t *testing.T) {
	p := start(t, simulator.Config{})
	for _, c := range []struct {
		name, method, path, outcome string
		status                      stripe.PaymentIntentStatus
		code, redirect              string
	}{
		{"complete", "pm_card_threeDSecure2Required", "/complete", "", stripe.PaymentIntentStatusRequiresCapture, "", "succeeded"},
		{"fail", "pm_card_threeDSecure2Required", "/fail", "", stripe.PaymentIntentStatusRequiresPaymentMethod, "payment_intent_authentication_failure", "failed"},
		{"form", "pm_card_authenticationRequired", "", "complete", stripe.PaymentIntentStatusRequiresCapture, "", "succeeded"},
		{"declined afterwards", "pm_card_threeDSecureRequiredChargeDeclined", "/complete", "", stripe.PaymentIntentStatusRequiresPaymentMethod, "card_declined", "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := p.create(t, 800, "")
			in, err := p.V1PaymentIntents.Confirm(context.Background(), in.ID, &stripe.PaymentIntentConfirmParams{
				PaymentMethod: stripe.String(c.method), ReturnURL: stripe.String("https://shop.example/back?x=1"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if in.Status != stripe.PaymentIntentStatusRequiresAction || in.NextAction == nil || in.NextAction.RedirectToURL == nil {
				t.Fatalf("got %s %+v", in.Status, in.NextAction)
			}
			pageURL := in.NextAction.RedirectToURL.URL
			resp, err := http.Get(pageURL)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "<form") {
				t.Fatalf("page: %d %s", resp.StatusCode, text)
			}
			browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			resp, err = browser.PostForm(pageURL+c.path, url.Values{"outcome": {c.outcome}})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			back, err := resp.Location()
			if err != nil {
				t.Fatalf("status %d: %v", resp.StatusCode, err)
			}
			if q := back.Query(); back.Host != "shop.example" || q.Get("x") != "1" || q.Get("payment_intent") != in.ID || q.Get("redirect_status") != c.redirect {
				t.Errorf("redirected to %s", back)
			}
			now := p.get(t, in.ID)
			if now.Status != c.status {
				t.Fatalf("now %s", now.Status)
			}
			if c.code != "" && string(now.LastPaymentError.Code) != c.code {
				t.Errorf("last error %s", now.LastPaymentError.Code)
			}
			if resp, err = browser.PostForm(pageURL+"/complete", nil); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusConflict {
				t.Errorf("answering twice: %d, want 409", resp.StatusCode)
			}
		})
	}
}

func TestTimeMovesIntents(t *testing.T) {
	for _, c := range []struct {
		method string
		wait   time.Duration
		before stripe.PaymentIntentStatus
		after  stripe.PaymentIntentStatus
	}{
		{"pm_card_processing", time.Minute, stripe.PaymentIntentStatusProcessing, stripe.PaymentIntentStatusRequiresCapture},
		{"pm_card_processingDeclined", time.Minute, stripe.PaymentIntentStatusProcessing, stripe.PaymentIntentStatusRequiresPaymentMethod},
		{"pm_card_visa", 7 * 24 * time.Hour, stripe.PaymentIntentStatusRequiresCapture, stripe.PaymentIntentStatusCanceled},
	} {
		t.Run(c.method, func(t *testing.T) {
			p := start(t, simulator.Config{ProcessingTime: time.Minute})
			in, err := p.confirm(p.create(t, 640, "").ID, c.method, "")
			if err != nil {
				t.Fatal(err)
			}
			p.clock.advance(c.wait - time.Second)
			if now := p.get(t, in.ID).Status; now != c.before {
				t.Fatalf("a second early: %s", now)
			}
			p.clock.advance(time.Second)
			now := p.get(t, in.ID)
			if now.Status != c.after {
				t.Fatalf("in time: %s", now.Status)
			}
			if now.Status == stripe.PaymentIntentStatusCanceled && now.CancellationReason != stripe.PaymentIntentCancellationReasonExpired {
				t.Errorf("canceled because %s", now.CancellationReason)
			}
		})
	}
}

func TestList(t *testing.T) {
	p := start(t, simulator.Config{})
	var ids []string
	for i := range 25 {
		ids = append(ids, p.create(t, int64(100+i), "").ID)
		p.clock.advance(time.Second)
	}
	from := p.get(t, ids[5]).Created
	params := &stripe.PaymentIntentListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: from}}
	params.Limit = stripe.Int64(7)
	var got []string
	for in, err := range p.V1PaymentIntents.List(context.Background(), params) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, in.ID)
		if len(got) == 3 { // new ones while paging must not shift the pages
			p.create(t, 5000, "")
		}
	}
	if len(got) != 20 || got[0] != ids[24] || got[19] != ids[5] {
		t.Fatalf("listed %d, %v", len(got), got)
	}
	params = &stripe.PaymentIntentListParams{}
	params.Limit = stripe.Int64(101)
	for _, err := range p.V1PaymentIntents.List(context.Background(), params) {
		if refusal(t, err).Param != "limit" {
			t.Error(err)
		}
	}
}

func TestRefusals(t *testing.T) {
	p := start(t, simulator.Config{})
	id := p.create(t, 100, "").ID
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, param              string
	}{
		{"unknown intent", "GET", "/v1/payment_intents/pi_none", "", 404, "resource_missing", "intent"},
		{"unknown path", "GET", "/v1/customers", "", 404, "", ""},
		{"no amount", "POST", "/v1/payment_intents", "currency=gbp", 400, "parameter_missing", "amount"},
		{"amount not a number", "POST", "/v1/payment_intents", "currency=gbp&amount=1.5", 400, "parameter_invalid_integer", "amount"},
		{"amount negative", "POST", "/v1/payment_intents", "currency=gbp&amount=-1", 400, "parameter_invalid_integer", "amount"},
		{"amount too small", "POST", "/v1/payment_intents", "currency=gbp&amount=29", 400, "amount_too_small", "amount"},
		{"amount too large", "POST", "/v1/payment_intents", "currency=gbp&amount=100000000", 400, "amount_too_large", "amount"},
		{"unknown currency", "POST", "/v1/payment_intents", "currency=xxx&amount=100", 400, "", "currency"},
		{"unknown parameter", "POST", "/v1/payment_intents", "currency=gbp&amount=100&colour=red", 400, "parameter_unknown", "colour"},
		{"unknown method", "POST", "/v1/payment_intents/" + id + "/confirm", "payment_method=pm_none", 400, "resource_missing", "payment_method"},
		{"no method", "POST", "/v1/payment_intents/" + id + "/confirm", "", 400, "payment_intent_unexpected_state", ""},
		{"bad return_url", "POST", "/v1/payment_intents/" + id + "/confirm", "payment_method=pm_card_visa&return_url=ftp:x", 400, "url_invalid", "return_url"},
		{"bad cursor", "GET", "/v1/payment_intents?starting_after=pi_none", "", 404, "resource_missing", "starting_after"},
		{"huge body", "POST", "/v1/payment_intents", "amount=" + strings.Repeat("1", 70_000), 400, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := raw(t, p, c.method, c.path, c.body, simulator.DefaultKey)
			if e.HTTPStatusCode != c.status || string(e.Code) != c.code || e.Param != c.param || e.Msg == "" {
				t.Errorf("got %d %s %s %q", e.HTTPStatusCode, e.Code, e.Param, e.Msg)
			}
		})
	}
	if e := raw(t, p, "GET", "/v1/payment_intents", "", "sk_wrong"); e.HTTPStatusCode != http.StatusUnauthorized {
		t.Errorf("wrong key: %d", e.HTTPStatusCode)
	}
}

// raw sends what stripe-go would not.
func raw(t *testing.T, p *provider, method, path, body, key string) *stripe.Error {
	t.Helper()
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String(p.url), MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	_, err := backend.(stripe.RawRequestBackend).RawRequest(method, path, key, body, nil)
	return refusal(t, err)
}

func TestMemoryIsBounded(t *testing.T) {
	p := start(t, simulator.Config{MaxIntents: 3})
	first := p.create(t, 100, "first")
	if _, err := p.cancel(first.ID); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.create(t, 100, "")
	}
	if _, err := p.V1PaymentIntents.Retrieve(context.Background(), first.ID, nil); refusal(t, err).HTTPStatusCode != http.StatusNotFound {
		t.Error("the finished intent was not forgotten")
	}
	if _, err := p.tryCreate(100, ""); refusal(t, err).HTTPStatusCode != http.StatusTooManyRequests {
		t.Error(err)
	}
}
