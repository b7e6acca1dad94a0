package checkouttest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"larder.dev/internal/money"
	"larder.dev/internal/payment"
)

// Provider is the payment provider's stand-in: intents that are authorised, captured, cancelled and refunded in memory, at once. Its cards are
// Stripe's test cards, as far as the tests use them; one that it doesn't know pays.
type Provider struct {
	mu      sync.Mutex
	intents map[string]*intent
	// made are the intents' ids in the order of their making.
	made []string
	// These are by idempotency key: the intent that a creation made, what a confirmation was answered, and refunds that were paid.
	created   map[string]string
	confirmed map[string]payment.Intent
	refunded  map[string]bool
}

type intent struct{ payment.Intent }

var _ payment.Provider = (*Provider)(nil)

// NewProvider makes one without intents.
func NewProvider() *Provider {
	return &Provider{intents: map[string]*intent{}, created: map[string]string{}, confirmed: map[string]payment.Intent{}, refunded: map[string]bool{}}
}

// actionURL is where a shopper confirms an intent; Act is what is done there.
const actionURL = "https://provider.example/act/"

// declineOf is why a card is declined, by its name; nil: it isn't.
func declineOf(card string) *payment.Decline {
	switch {
	case strings.HasSuffix(card, "InsufficientFunds"):
		return &payment.Decline{Class: "INSUFFICIENT_FUNDS", Code: "insufficient_funds"}
	case strings.HasSuffix(card, "ExpiredCard"):
		return &payment.Decline{Class: "EXPIRED_CARD", Code: "expired_card"}
	case strings.HasSuffix(card, "chargeDeclined"):
		return &payment.Decline{Class: "GENERIC", Code: "generic_decline"}
	default:
		return nil
	}
}

// Create implements payment.Provider.
func (p *Provider) Create(_ context.Context, r payment.CreateRequest) (payment.Intent, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id, ok := p.created[r.Key]; ok {
		return p.intents[id].Intent, nil
	}
	none := money.Of(0, r.Amount.Currency)
	made := &intent{payment.Intent{
		ID: "pi_" + strconv.Itoa(len(p.made)), Status: payment.IntentRequiresConfirmation, Order: r.Order,
		Amount: r.Amount, Captured: none, Refunded: none, Created: time.Now(),
	}}
	p.intents[made.ID], p.created[r.Key] = made, made.ID
	p.made = append(p.made, made.ID)
	return made.Intent, nil
}

// Confirm implements payment.Provider.
func (p *Provider) Confirm(_ context.Context, id, method, _, key string) (payment.Intent, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer, ok := p.confirmed[key]; ok {
		return answer, nil
	}
	found, err := p.find(id)
	switch {
	case err != nil:
		return payment.Intent{}, err
	case found.Status != payment.IntentRequiresConfirmation && found.Status != payment.IntentFailed:
		return payment.Intent{}, payment.ErrNotConfirmable
	}
	switch found.Decline = declineOf(method); {
	case found.Decline != nil:
		found.Status = payment.IntentFailed
	case strings.Contains(method, "threeDSecure"):
		found.Status, found.ActionURL = payment.IntentRequiresAction, actionURL+id
	case strings.Contains(method, "processing"):
		found.Status = payment.IntentProcessing
	default:
		found.Status = payment.IntentAuthorized
	}
	p.confirmed[key] = found.Intent
	return found.Intent, nil
}

// Act is what a shopper does where the intent's action is confirmed: "complete", or "fail".
func (p *Provider) Act(url, outcome string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.find(strings.TrimPrefix(url, actionURL))
	if err != nil {
		return err
	}
	if found.Status != payment.IntentRequiresAction {
		return fmt.Errorf("intent %s waits for nobody, it is %s", found.ID, found.Status)
	}
	found.Status, found.ActionURL = payment.IntentAuthorized, ""
	if outcome == "fail" {
		found.Status, found.Decline = payment.IntentFailed, &payment.Decline{Class: "AUTHENTICATION_FAILED", Code: "authentication_failure"}
	}
	return nil
}

func (p *Provider) find(id string) (*intent, error) {
	found := p.intents[id]
	if found == nil {
		return nil, payment.ErrNotFound
	}
	return found, nil
}

// Get implements payment.Provider.
func (p *Provider) Get(_ context.Context, id string) (payment.Intent, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.find(id)
	if err != nil {
		return payment.Intent{}, err
	}
	return found.Intent, nil
}

// Cancel implements payment.Provider.
func (p *Provider) Cancel(_ context.Context, id string) (payment.Intent, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.find(id)
	switch {
	case err != nil:
		return payment.Intent{}, err
	case found.Status == payment.IntentProcessing:
		return payment.Intent{}, payment.ErrProcessing
	case found.Status == payment.IntentCaptured:
		return payment.Intent{}, payment.ErrCaptured
	}
	found.Status, found.ActionURL = payment.IntentCancelled, ""
	return found.Intent, nil
}

// Capture implements payment.Provider. The same amount again is what was captured.
func (p *Provider) Capture(_ context.Context, id string, amount money.Money, _ string) (payment.Intent, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.find(id)
	switch {
	case err != nil:
		return payment.Intent{}, err
	case found.Status == payment.IntentCaptured && found.Captured == amount:
		return found.Intent, nil
	case found.Status != payment.IntentAuthorized || amount.Minor > found.Amount.Minor:
		return payment.Intent{}, payment.ErrNotCapturable
	}
	found.Status, found.Captured = payment.IntentCaptured, amount
	return found.Intent, nil
}

// Refund implements payment.Provider.
func (p *Provider) Refund(_ context.Context, id string, amount money.Money, key string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.find(id)
	switch {
	case err != nil:
		return err
	case p.refunded[key]:
		return nil
	case found.Status != payment.IntentCaptured || found.Refunded.Minor+amount.Minor > found.Captured.Minor:
		return payment.ErrNotRefundable
	}
	found.Refunded.Minor += amount.Minor
	p.refunded[key] = true
	return nil
}

// List implements payment.Provider. A page's token is the number of intents that are older.
func (p *Provider) List(_ context.Context, since time.Time, page string, limit int) (intents []payment.Intent, next string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	older := len(p.made)
	if page != "" {
		if older, err = strconv.Atoi(page); err != nil || older > len(p.made) {
			return nil, "", payment.ErrNotFound
		}
	}
	for ; older > 0 && len(intents) < limit; older-- {
		if found := p.intents[p.made[older-1]]; !found.Created.Before(since) {
			intents = append(intents, found.Intent)
		}
	}
	if older > 0 {
		next = strconv.Itoa(older)
	}
	return intents, next, nil
}
