package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	checkoutpb "larder.dev/api/checkout/v1"
	paymentpb "larder.dev/api/payment/v1"
	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/fault"
)

type answer = func(ctx context.Context, request proto.Message) (proto.Message, error)

// inTurn answers one after the other, the last one for ever.
func inTurn(answers ...proto.Message) answer {
	var n atomic.Int64
	return func(context.Context, proto.Message) (proto.Message, error) {
		return answers[min(int(n.Add(1)), len(answers))-1], nil
	}
}

// run calls a scheduled function as Cloud Scheduler does.
func (r *rig) run() (status int, report map[string]any) {
	r.t.Helper()
	status, text := r.post(r.t.Context(), r.issuer.IDToken(r.t, "scheduler", r.audience, time.Hour), nil)
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		r.t.Fatalf("%d %s: %v", status, text, err)
	}
	return status, report
}

// scheduling is a rig with a scheduled function and two stores.
func scheduling(t *testing.T, function string) *rig {
	t.Helper()
	r := newRig(t)
	r.start(function)
	r.services.answers("ListStockedStores", inTurn(&stockpb.ListStockedStoresResponse{StoreIds: []string{"camden", "soho"}}))
	return r
}

// methods are the calls that services got, in their order, with what tells them apart.
func (r *rig) methods() (all []string) {
	for _, c := range r.services.got("") {
		text := c.method
		if store, ok := c.request.(interface{ GetStoreId() string }); ok {
			text += " " + store.GetStoreId()
		}
		if page, ok := c.request.(interface{ GetPageToken() string }); ok {
			text += " " + page.GetPageToken()
		}
		if page, ok := c.request.(interface{ GetAfterUserId() string }); ok {
			text += " " + page.GetAfterUserId()
		}
		if kept, ok := c.request.(*productpb.RecordIndexAuditRequest); ok {
			text += fmt.Sprintf(" %d of %d", kept.GetAudit().GetChecked(), kept.GetAudit().GetDocuments())
			if kept.GetAudit().GetRunning() {
				text += " running"
			}
		}
		if c.caller == "" {
			text += " by nobody"
		}
		all = append(all, strings.TrimSpace(text))
	}
	return all
}

// Each scheduled function looks at everything there is, page by page and batch by batch, and reports it. What an audit finds is logged as
// an error, one line each.
func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		function string
		answers  map[string]answer
		calls    []string
		report   string
		logged   []string
	}{
		{
			function: "ReapCheckouts",
			answers: map[string]answer{"ReapCheckouts": inTurn(&checkoutpb.ReapCheckoutsResponse{Reaped: 100}, &checkoutpb.ReapCheckoutsResponse{Reaped: 7},
				&checkoutpb.ReapCheckoutsResponse{})},
			calls:  []string{"ListStockedStores", "ReapCheckouts camden", "ReapCheckouts camden", "ReapCheckouts soho"},
			report: `{"reaped":107,"stores":2}`,
		},
		{
			function: "ReconcilePayments",
			answers: map[string]answer{
				"ReconcileCheckouts": inTurn(&checkoutpb.ReconcileCheckoutsResponse{Reconciled: 100}, &checkoutpb.ReconcileCheckoutsResponse{Reconciled: 1}),
				"FinishRefunds":      inTurn(&paymentpb.FinishRefundsResponse{Attended: 100}, &paymentpb.FinishRefundsResponse{Attended: 2}),
				"AuditPayments": inTurn(
					&paymentpb.AuditPaymentsResponse{Checked: 100, NextPageToken: "2"},
					&paymentpb.AuditPaymentsResponse{Checked: 5, Findings: []*paymentpb.PaymentFinding{
						{Kind: paymentpb.PaymentFinding_ORPHANED, OrderId: orderID, IntentId: "pi_1", Detail: "958 GBP are held"},
						{Kind: paymentpb.PaymentFinding_DOUBLED, OrderId: orderID, IntentId: "pi_2"},
						{Kind: paymentpb.PaymentFinding_AMOUNT_DIFFERS, OrderId: orderID, IntentId: "pi_3", Mended: true},
					}}),
			},
			calls:  []string{"ReconcileCheckouts", "ReconcileCheckouts", "FinishRefunds", "FinishRefunds", "AuditPayments", "AuditPayments 2"},
			report: `{"checked":105,"findings":2,"mended":1,"reconciled":101,"refunds":102}`,
			logged: []string{`"kind":"ORPHANED","order":"` + orderID + `","intent":"pi_1","detail":"958 GBP are held"`, `"kind":"DOUBLED"`},
		},
		{
			function: "ReconcileStock",
			answers: map[string]answer{"ReconcileStock": inTurn(
				&stockpb.ReconcileStockResponse{Products: 20, Holds: 2},
				&stockpb.ReconcileStockResponse{Products: 30, Drifts: []*stockpb.StockDrift{{ProductId: "bananas", Ledger: 5, Available: 6, Held: 1}}})},
			calls:  []string{"ListStockedStores", "ReconcileStock camden", "ReconcileStock soho"},
			report: `{"drifts":1,"holds":2,"products":50,"stores":2}`,
			logged: []string{`"store":"soho","product":"bananas","ledger":5,"available":6,"held":1`},
		},
		{
			function: "FoldLedger",
			answers: map[string]answer{"FoldLedger": inTurn(&stockpb.FoldLedgerResponse{Products: 200, Entries: 900, More: true},
				&stockpb.FoldLedgerResponse{Products: 3, Entries: 4}, &stockpb.FoldLedgerResponse{})},
			calls:  []string{"ListStockedStores", "FoldLedger camden", "FoldLedger camden", "FoldLedger soho"},
			report: `{"entries":904,"products":203,"stores":2}`,
		},
		{
			function: "ActivatePrices",
			answers: map[string]answer{"ActivatePrices": inTurn(&productpb.ActivatePricesResponse{Products: 500, More: true},
				&productpb.ActivatePricesResponse{Products: 12})},
			calls:  []string{"ActivatePrices", "ActivatePrices"},
			report: `{"more":false,"products":512}`,
		},
		{
			function: "UpdatePopularity",
			answers: map[string]answer{
				"SummarizeSales": inTurn(
					&stockpb.SummarizeSalesResponse{Sales: []*stockpb.ProductSales{{ProductId: "bananas", Quantity: 600}, {ProductId: "slot:thu-10", Quantity: 9000}}},
					&stockpb.SummarizeSalesResponse{Sales: []*stockpb.ProductSales{{ProductId: "bananas", Quantity: 399}, {ProductId: "oat-milk", Quantity: 30}, {ProductId: "salt", Quantity: -2}}}),
				"UpdatePopularity": inTurn(&productpb.UpdatePopularityResponse{Changed: 1}),
			},
			calls:  []string{"ListStockedStores", "SummarizeSales camden", "SummarizeSales camden", "SummarizeSales soho", "SummarizeSales soho", "UpdatePopularity"},
			report: `{"changed":1,"products":3,"stores":2}`,
		},
		{
			function: "AuditIndex",
			answers: map[string]answer{"AuditIndex": inTurn(
				&productpb.AuditIndexResponse{Checked: 500, InFlight: 3, LagMs: 2500, Documents: 540, NextPageToken: "2"},
				&productpb.AuditIndexResponse{Checked: 40, Repaired: 1, Findings: []*productpb.IndexFinding{
					{Kind: productpb.IndexFinding_STALE, ProductId: "bananas", Revision: 9, IndexedRevision: 8},
				}})},
			calls:  []string{"AuditIndex", "RecordIndexAudit 500 of 540 running", "AuditIndex 2", "RecordIndexAudit 540 of 540"},
			report: `{"checked":540,"findings":1,"in_flight":3,"lag_ms":2500,"repaired":1}`,
			logged: []string{`"kind":"STALE","product":"bananas","revision":9,"indexed":8`},
		},
		{
			function: "ReapAccounts",
			answers: map[string]answer{"ReapAccounts": inTurn(&userpb.ReapAccountsResponse{Reaped: 3, LastUserId: ada},
				&userpb.ReapAccountsResponse{Reaped: 1})},
			calls:  []string{"ReapAccounts", "ReapAccounts " + ada},
			report: `{"reaped":4}`,
		},
	} {
		t.Run(c.function, func(t *testing.T) {
			r := scheduling(t, c.function)
			for method, answer := range c.answers {
				r.services.answers(method, answer)
			}
			status, report := r.run()
			if text, _ := json.Marshal(report); status != http.StatusOK || string(text) != c.report {
				t.Errorf("%d %s, want %s", status, text, c.report)
			}
			if got := r.methods(); !slices.Equal(got, c.calls) {
				t.Errorf("calls %q, want %q", got, c.calls)
			}
			for _, line := range c.logged {
				if !strings.Contains(r.logs(), line) {
					t.Errorf("%s isn't logged: %s", line, r.logs())
				}
			}
			if n := strings.Count(r.logs(), `"severity":"ERROR"`); n != len(c.logged) {
				t.Errorf("%d lines of errors, want %d", n, len(c.logged))
			}
		})
	}
}

// What fails is told to Cloud Scheduler and logged, with how far the run came. A store that fails doesn't keep the others from their turn.
func TestFailingSchedules(t *testing.T) {
	for _, function := range scheduled {
		t.Run(function, func(t *testing.T) {
			r := scheduling(t, function)
			method := map[string]string{"ReconcilePayments": "ReconcileCheckouts", "UpdatePopularity": "SummarizeSales"}[function]
			if method == "" {
				method = function
			}
			r.services.answers(method, func(_ context.Context, request proto.Message) (proto.Message, error) {
				if store, ok := request.(interface{ GetStoreId() string }); ok && store.GetStoreId() != "camden" {
					return nil, nil
				}
				return nil, fault.Unavailable.New("away")
			})
			status, answer := r.run()
			if text, _ := answer["error"].(string); status != http.StatusInternalServerError || !strings.Contains(text, "away") && !strings.Contains(text, "unavailable") {
				t.Errorf("%d %v", status, answer)
			}
			if report, ok := answer["report"].(map[string]any); !ok || len(report) == 0 {
				t.Errorf("no report: %v", answer)
			}
			if !strings.Contains(r.logs(), `"severity":"ERROR","message":"run failed"`) {
				t.Errorf("not logged: %s", r.logs())
			}
			calls := r.methods()
			if slices.Contains(calls, "ListStockedStores") && !slices.Contains(calls, method+" soho") {
				t.Errorf("after camden failed: %q", calls)
			}
			if slices.Contains(calls, "UpdatePopularity") {
				t.Error("popularity was computed without a store")
			}
			if function == "ReconcilePayments" && !slices.Contains(calls, "AuditPayments") {
				t.Error("the audit was left out")
			}
			r.services.answers("ListStockedStores", func(context.Context, proto.Message) (proto.Message, error) {
				return nil, fault.Unavailable.New("away")
			})
			if status, _ := r.run(); status != http.StatusInternalServerError {
				t.Errorf("without the list of stores: %d", status)
			}
		})
	}
}

// A run ends, however much there is to do: the rest waits for the next.
func TestSchedulesEnd(t *testing.T) {
	for function, endless := range map[string]proto.Message{
		"ReapCheckouts": &checkoutpb.ReapCheckoutsResponse{Reaped: 100}, "FoldLedger": &stockpb.FoldLedgerResponse{More: true},
		"ActivatePrices": &productpb.ActivatePricesResponse{More: true},
	} {
		t.Run(function, func(t *testing.T) {
			r := scheduling(t, function)
			r.services.answers(function, inTurn(endless))
			if status, report := r.run(); status != http.StatusOK {
				t.Errorf("%d %v", status, report)
			}
			if n := len(r.services.got(function)); n != 100 {
				t.Errorf("%d calls", n)
			}
		})
	}
	t.Run("in time", func(t *testing.T) {
		t.Setenv("FUNCTION_TIMEOUT", "300ms")
		r := scheduling(t, "AuditIndex")
		r.services.answers("AuditIndex", inTurn(&productpb.AuditIndexResponse{Checked: 1, NextPageToken: "again"}))
		if status, answer := r.run(); status != http.StatusInternalServerError || answer["report"].(map[string]any)["checked"].(float64) < 1 {
			t.Errorf("%d %v", status, answer)
		}
	})
}

// Popularity is 0 to 1,000 by the logarithm of what all stores sold in 28 days, in batches of 1,000.
func TestPopularity(t *testing.T) {
	r := scheduling(t, "UpdatePopularity")
	many := &stockpb.SummarizeSalesResponse{Sales: []*stockpb.ProductSales{{ProductId: "bananas", Quantity: 999}, {ProductId: "oat-milk", Quantity: 9}}}
	for i := range 1500 {
		many.Sales = append(many.Sales, &stockpb.ProductSales{ProductId: fmt.Sprintf("rare-%04d", i), Quantity: 1})
	}
	earlier := &stockpb.SummarizeSalesResponse{Sales: []*stockpb.ProductSales{{ProductId: "bananas", Quantity: 1200}, {ProductId: "figs", Quantity: 5}}}
	r.services.answers("SummarizeSales", inTurn(many, earlier, &stockpb.SummarizeSalesResponse{}))
	if status, report := r.run(); status != http.StatusOK || report["products"].(float64) != 1503 {
		t.Fatalf("%d %v", status, report)
	}
	asked := r.services.got("SummarizeSales")[0].request.(*stockpb.SummarizeSalesRequest)
	if age := time.Since(asked.GetSince().AsTime()); age < 28*24*time.Hour || age > 28*24*time.Hour+time.Minute {
		t.Errorf("sales of %v", age)
	}
	before := r.services.got("SummarizeSales")[1].request.(*stockpb.SummarizeSalesRequest)
	if apart := asked.GetSince().AsTime().Sub(before.GetSince().AsTime()); apart != 28*24*time.Hour {
		t.Errorf("earlier sales since %v before", apart)
	}
	got := map[string]int32{}
	for _, c := range r.services.got("UpdatePopularity") {
		for _, p := range c.request.(*productpb.UpdatePopularityRequest).GetProducts() {
			got[p.GetProductId()] = p.GetPopularity()
		}
	}
	// log(1000) is the best; log(10) a third of it, log(2) a tenth.
	if figs, ok := got["figs"]; !ok || figs != 0 {
		t.Errorf("figs, which nobody buys any more, have %d", figs)
	}
	if len(got) != 1503 || got["bananas"] != 1000 || got["oat-milk"] != 333 || got["rare-0007"] != 100 {
		t.Errorf("of %d: bananas %d, oat-milk %d, a rare one %d", len(got), got["bananas"], got["oat-milk"], got["rare-0007"])
	}
}
