package console

import (
	"net/http"

	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
)

// unsettled are the lists of payments whose money is still to move, those first that somebody has to look at.
var unsettled = []orderpb.OrderPayment_State{
	orderpb.OrderPayment_CAPTURE_FAILED, orderpb.OrderPayment_VOIDING, orderpb.OrderPayment_INITIATED, orderpb.OrderPayment_REQUIRES_ACTION,
	orderpb.OrderPayment_AUTHORIZED,
}

type paymentsPage struct {
	State    orderpb.OrderPayment_State
	States   []orderpb.OrderPayment_State
	Payments []*paymentpb.Payment
	Next     string
	// Provider is nil if it can't be read.
	Provider *paymentpb.Provider
	// Audit is what an audit that was asked for found; nil: none was.
	Audit *auditFound
}

type auditFound struct {
	Checked  int32
	Findings []*paymentpb.PaymentFinding
	Mended   bool
	// Cut: there was more than a page's patience.
	Cut bool
}

func (c *Console) payments(r *http.Request) (paymentsPage, error) {
	page := paymentsPage{State: unsettled[0], States: unsettled}
	if state, ok := orderpb.OrderPayment_State_value[r.URL.Query().Get("state")]; ok && state != 0 {
		page.State = orderpb.OrderPayment_State(state)
	}
	answer, err := c.API.ListPayments(r.Context(), &paymentpb.ListPaymentsRequest{State: page.State, PageSize: 25, PageToken: r.URL.Query().Get("page_token")})
	if err != nil {
		return page, err
	}
	page.Payments = answer.GetPayments()
	if answer.GetNextPageToken() != "" {
		page.Next = link("/payments", "state", page.State.String(), "page_token", answer.GetNextPageToken())
	}
	if provider, err := c.API.GetProvider(r.Context(), &paymentpb.GetProviderRequest{}); err == nil {
		page.Provider = provider
	}
	return page, nil
}

func (c *Console) listPayments(w http.ResponseWriter, r *http.Request) error {
	page, err := c.payments(r)
	if err != nil {
		return err
	}
	return c.Show(w, r, http.StatusOK, "payments", "live", page)
}

// auditPages bounds an audit from a page: 100 intents each. The scheduled one goes through all.
const auditPages = 20

// auditPayments compares our books with the provider's list. To mend, it asks; mended again, it finds nothing to mend.
func (c *Console) auditPayments(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	mend := r.PostForm.Get("mend") != ""
	if mend {
		yes, err := c.confirm(w, r, question{
			Title: "Audit the payments, and mend?", Button: "Audit and mend", Back: link("/payments"),
			Says: []string{
				"Our books take over what the provider says of captures, refunds and ended authorisations; a second authorisation of an order is let go; a packed order whose authorisation is about to expire is captured.",
				"Nobody is charged or paid anew. Each step is kept in the payment's history.",
			},
		})
		if err != nil || !yes {
			return err
		}
	}
	found := &auditFound{Mended: mend}
	token := ""
	for range auditPages {
		answer, err := c.API.AuditPayments(r.Context(), &paymentpb.AuditPaymentsRequest{Mend: mend, PageToken: token})
		if err != nil {
			return err
		}
		found.Checked += answer.GetChecked()
		found.Findings = append(found.Findings, answer.GetFindings()...)
		if token = answer.GetNextPageToken(); token == "" {
			break
		}
	}
	found.Cut = token != ""
	page, err := c.payments(r)
	if err != nil {
		return err
	}
	page.Audit = found
	return c.Render(w, r, http.StatusOK, "payments", page)
}
