package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"larder.dev/internal/fault"
)

// Kind of a finding.
type Kind string

// Kinds of findings.
const (
	// Orphaned: the provider holds or has taken money, and no order stands for it.
	Orphaned Kind = "ORPHANED"
	// Unauthorized: an order stands, and the provider never held money for it, or no more.
	Unauthorized Kind = "UNAUTHORIZED"
	// AmountDiffers: what was authorised, captured or refunded differs from our books.
	AmountDiffers Kind = "AMOUNT_DIFFERS"
	// Doubled: another intent than the order's own holds money for it.
	Doubled Kind = "DOUBLED"
)

// Finding is a place where the provider's list and our books don't agree.
type Finding struct {
	Kind              Kind
	OrderID, IntentID string
	// Detail is for people.
	Detail string
}

// Position is what our books say of an order's money.
type Position struct {
	// Payment without fingerprint and request; nil: none.
	Payment *Record
	// Open tells that the order is sold and not cancelled.
	Open bool
	// Requested refunds, of which the provider may or may not know.
	Requested []Refund
}

// underWay is how long a payment may be INITIATED or VOIDING, and a refund REQUESTED, before the audit reports it. A checkout that was left
// behind is ended after HOLD_FOR, 10 minutes, and its payment is voided from then on; whoever asked for a refund has tried again.
const underWay = 15 * time.Minute

// AuditPage asks for a page of the audit.
type AuditPage struct {
	// Back is how old the oldest intents are, Settled how old the youngest: what is younger may be under way.
	Back, Settled time.Duration
	// Size is 1 to 100 intents.
	Size int
	// Token is of the page before; empty for the first.
	Token string
}

// Audit compares a page of the provider's own list, newest first, with our books, and changes nothing. Intents that aren't of orders of
// ours are left out. What it finds, it looks at again: list and books are read one after the other, and money moves in between. It returns
// how many intents were compared, and the token of the next page, empty behind the last. Errors: INVALID_PAGE_TOKEN.
func (s *Service) Audit(ctx context.Context, page AuditPage) (checked int, findings []Finding, next string, err error) {
	now := s.now()
	listed, next, err := s.provider.List(ctx, now.Add(-page.Back), page.Token, page.Size)
	if errors.Is(err, ErrNotFound) && page.Token != "" { // a token is the provider's own place in its list
		return 0, nil, "", fault.InvalidPageToken.New("the page token is not of this list").
			WithViolation("page_token", "not a token of this list").WithCause(err)
	}
	if err != nil {
		return 0, nil, "", fmt.Errorf("list the provider's intents: %w", err)
	}
	var settled []Intent
	for _, intent := range listed {
		if intent.Order != "" && now.Sub(intent.Created) >= page.Settled {
			settled = append(settled, intent)
		}
	}
	suspects, _, err := s.compare(ctx, settled, now)
	if err != nil {
		return 0, nil, "", err
	}
	if err := s.reread(ctx, suspects); err != nil {
		return 0, nil, "", err
	}
	if _, findings, err = s.compare(ctx, suspects, now); err != nil {
		return 0, nil, "", err
	}
	return len(settled), findings, next, nil
}

// compare returns the intents that don't agree with our books, and why.
func (s *Service) compare(ctx context.Context, intents []Intent, now time.Time) (suspects []Intent, findings []Finding, err error) {
	if len(intents) == 0 {
		return nil, nil, nil
	}
	orders := make([]string, len(intents))
	for i, intent := range intents {
		orders[i] = intent.Order
	}
	positions, err := s.store.Positions(ctx, orders)
	if err != nil {
		return nil, nil, fmt.Errorf("read our books: %w", err)
	}
	for _, intent := range intents {
		if kind, detail := judge(intent, positions[intent.Order], now); kind != "" {
			suspects = append(suspects, intent)
			findings = append(findings, Finding{Kind: kind, OrderID: intent.Order, IntentID: intent.ID, Detail: detail})
		}
	}
	return suspects, findings, nil
}

// reread brings intents up to now, in place.
func (s *Service) reread(ctx context.Context, intents []Intent) error {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range intents {
		group.Go(func() error {
			intent, err := s.provider.Get(reading, intents[i].ID)
			if err != nil {
				return fmt.Errorf("read intent %s again: %w", intents[i].ID, err)
			}
			intents[i] = intent
			return nil
		})
	}
	return group.Wait()
}

// judge compares an intent with our books; no kind: they agree.
func judge(intent Intent, books Position, now time.Time) (Kind, string) {
	row := books.Payment
	holds := intent.Status == IntentAuthorized || intent.Captured.Minor > intent.Refunded.Minor
	switch {
	case row == nil || row.IntentID != intent.ID:
		return judgeOther(intent, books, holds)
	case !books.Open && !holds:
		return "", ""
	case !books.Open:
		if row.State.Open() && now.Sub(row.UpdateTime) < underWay {
			return "", ""
		}
		return Orphaned, fmt.Sprintf("no order stands, the payment is %s since %s; the provider has %s", row.State, row.UpdateTime.UTC().Format(time.RFC3339), amounts(intent))
	case intent.Status != IntentAuthorized && intent.Status != IntentCaptured:
		return Unauthorized, fmt.Sprintf("the order stands, the payment is %s; the provider's intent is %s", row.State, intent.Status)
	default:
		return judgeAmounts(intent, books, now)
	}
}

// judgeOther judges an intent that no payment row names: it was never to be confirmed, so it holds no money.
func judgeOther(intent Intent, books Position, holds bool) (Kind, string) {
	switch {
	case !holds:
		return "", ""
	case books.Open && books.Payment != nil:
		return Doubled, fmt.Sprintf("the order's own intent is %s; this one has %s", books.Payment.IntentID, amounts(intent))
	case books.Open:
		return AmountDiffers, fmt.Sprintf("the order stands, our books have no payment; the provider has %s", amounts(intent))
	default:
		return Orphaned, fmt.Sprintf("no order stands, and no payment names this intent; the provider has %s", amounts(intent))
	}
}

// judgeAmounts compares what happened to the money of an order that stands. A refund that is under way may or may not be in the provider's
// sum.
func judgeAmounts(intent Intent, books Position, now time.Time) (Kind, string) {
	row := books.Payment
	most := row.Refunded
	for _, refund := range books.Requested {
		if now.Sub(refund.CreateTime) >= underWay {
			return AmountDiffers, fmt.Sprintf("refund %s of %s is REQUESTED since %s; the provider has %s",
				refund.ID, refund.Amount, refund.CreateTime.UTC().Format(time.RFC3339), amounts(intent))
		}
		most.Minor += refund.Amount.Minor
	}
	if intent.Amount != row.Amount || intent.Captured != row.Captured || intent.Refunded.Minor < row.Refunded.Minor || intent.Refunded.Minor > most.Minor {
		return AmountDiffers, fmt.Sprintf("our books have %s as authorised, %s captured, %s refunded; the provider has %s",
			row.Amount, row.Captured, row.Refunded, amounts(intent))
	}
	return "", ""
}

func amounts(intent Intent) string {
	return fmt.Sprintf("%s as %s, %s captured, %s refunded", intent.Amount, intent.Status, intent.Captured, intent.Refunded)
}
