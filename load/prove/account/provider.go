package account

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Intent is a payment as the provider lists it.
type Intent struct {
	ID, Order, Status string
	// Amount is what was asked for; Received was captured, and of that Refunded was given back. Minor units.
	Amount, Received, Refunded int64
}

// live tells that the provider holds, has, or may yet get the shopper's money.
func (i Intent) live() bool {
	switch i.Status {
	case "requires_capture", "processing", "requires_action":
		return true
	case "succeeded":
		return i.Received > i.Refunded
	default:
		return false
	}
}

// page is a page of the provider's list, as far as it is read.
type page struct {
	Data []struct {
		ID       string            `json:"id"`
		Status   string            `json:"status"`
		Amount   int64             `json:"amount"`
		Received int64             `json:"amount_received"`
		Metadata map[string]string `json:"metadata"`
		Charge   *struct {
			Refunded int64 `json:"amount_refunded"`
		} `json:"latest_charge"`
	} `json:"data"`
	More bool `json:"has_more"`
}

const (
	pageSize     = 100
	mostPages    = 2000
	providerWait = 20 * time.Second
	mostBytes    = 8 << 20
)

// intents reads the provider's whole list.
func (a *Account) intents(ctx context.Context) ([]Intent, error) {
	var intents []Intent
	query := url.Values{"limit": {fmt.Sprint(pageSize)}, "expand[]": {"data.latest_charge"}}
	for range mostPages {
		got, err := a.providerPage(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list the provider's payments: %w", err)
		}
		for _, d := range got.Data {
			i := Intent{ID: d.ID, Order: d.Metadata["larder_order"], Status: d.Status, Amount: d.Amount, Received: d.Received}
			if d.Charge != nil {
				i.Refunded = d.Charge.Refunded
			}
			intents = append(intents, i)
		}
		if !got.More || len(got.Data) == 0 {
			return intents, nil
		}
		query.Set("starting_after", got.Data[len(got.Data)-1].ID)
	}
	return nil, fmt.Errorf("list the provider's payments: more than %d", mostPages*pageSize)
}

func (a *Account) providerPage(ctx context.Context, query url.Values) (page, error) {
	var got page
	ctx, cancel := context.WithTimeout(ctx, providerWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.config.Provider+"/v1/payment_intents?"+query.Encode(), nil)
	if err != nil {
		return got, err
	}
	request.Header.Set("Authorization", "Bearer "+a.config.ProviderKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return got, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBytes))
	if err != nil {
		return got, err
	}
	if response.StatusCode != http.StatusOK {
		return got, fmt.Errorf("%d %.300s", response.StatusCode, body)
	}
	err = json.Unmarshal(body, &got)
	return got, err
}
