package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"larder.dev/internal/pagetoken"
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
	// Expiring: the authorisation of an order that isn't captured yet ends within a day.
	Expiring Kind = "EXPIRING"
)

// Finding is a place where the provider's list and our books don't agree.
type Finding struct {
	Kind              Kind
	OrderID, IntentID string
	// Detail is for people.
	Detail string
	// Mended: it was put right, and agrees now.
	Mended bool
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

// An authorisation lasts a week (https://docs.stripe.com/payments/place-a-hold-on-a-payment-method), and is reported a day before its end.
const (
	authorisationLasts = 7 * 24 * time.Hour
	expiryNotice       = 24 * time.Hour
)

// AuditPage asks for a page of the audit.
type AuditPage struct {
	// Back is how old the oldest intents are, Settled how old the youngest: what is younger may be under way.
	Back, Settled time.Duration
	// Size is 1 to 100 intents.
	Size int
	// Token is of the page before; empty for the first.
	Token string
	// Mend puts right what can be (mend.go); else the audit changes nothing.
	Mend bool
}

// auditToken is what a token of a page of the audit holds.
type auditToken struct {
	// Listed is the provider's own token.
	Listed string `json:"l,omitempty"`
	// Before is the time of our books down to which the pages before have compared them.
	Before time.Time `json:"b"`
	// Behind is a place among the authorisations that are about to expire, which come behind the provider's list; nil: in that list.
	Behind *Place `json:"p,omitempty"`
}

// Audit compares a page of the provider's own list, newest first, with our books, and what our books have as authorised in the time of that
// page with the list. Behind the list come the authorisations that are about to expire. Intents that aren't of orders of ours are left out. What
// it finds, it looks at again: list and books are read one after the other, and money moves in between. It returns how many intents were
// compared, and the token of the next page, empty behind the last. Errors: INVALID_PAGE_TOKEN.
func (s *Service) Audit(ctx context.Context, page AuditPage) (checked int, findings []Finding, next string, err error) {
	now := s.now()
	at := auditToken{Before: now.Add(-page.Settled)}
	if err := pagetoken.Decode(page.Token, &at); err != nil {
		return 0, nil, "", err
	}
	if at.Behind == nil {
		checked, findings, at, err = s.auditListed(ctx, page, at, now)
		if err != nil {
			return 0, nil, "", err
		}
		if at.Behind == nil {
			return checked, findings, pagetoken.Encode(at), nil
		}
	}
	expiring, found, behind, err := s.auditExpiring(ctx, page, *at.Behind, now)
	if err != nil {
		return 0, nil, "", err
	}
	if behind != nil {
		next = pagetoken.Encode(auditToken{Before: at.Before, Behind: behind})
	}
	return checked + expiring, append(findings, found...), next, nil
}

// auditListed audits a page of the provider's list, and the same time of our books.
func (s *Service) auditListed(ctx context.Context, page AuditPage, at auditToken, now time.Time) (int, []Finding, auditToken, error) {
	oldest := now.Add(-page.Back)
	listed, more, err := s.provider.List(ctx, oldest, at.Listed, page.Size)
	if errors.Is(err, ErrNotFound) && at.Listed != "" { // a token is the provider's own place in its list
		return 0, nil, at, pagetoken.Bad(err)
	}
	if err != nil {
		return 0, nil, at, fmt.Errorf("list the provider's intents: %w", err)
	}
	from := oldest
	if more != "" {
		from = listed[len(listed)-1].Created
	}
	unlisted, findings, err := s.unlisted(ctx, Span{State: Authorized, Behind: Place{CreateTime: from}, Before: at.Before, Limit: 2 * page.Size}, listed)
	if err != nil {
		return 0, nil, at, err
	}
	checked := unlisted
	for _, intent := range listed {
		if intent.Order != "" && now.Sub(intent.Created) >= page.Settled {
			checked = append(checked, intent)
		}
	}
	suspects, _, err := s.compare(ctx, checked, now)
	if err != nil {
		return 0, nil, at, err
	}
	if err := s.reread(ctx, suspects); err != nil {
		return 0, nil, at, err
	}
	suspects, found, err := s.compare(ctx, suspects, now)
	if err == nil && page.Mend {
		err = s.mendAll(ctx, suspects, found, now)
	}
	if err != nil {
		return 0, nil, at, err
	}
	next := auditToken{Listed: more, Before: earlier(at.Before, from)}
	if more == "" {
		next.Behind = &Place{}
	}
	return len(checked) + len(findings), append(findings, found...), next, nil
}

// unlisted looks for payments that our books have as authorised and the provider's page hasn't. Their times are a little behind their
// intents', so those at the ends of the page are in the page before, or in the next one: the provider is asked for each. There are few of
// them, unless the provider has lost its list; then the first ones are enough to tell. One that it doesn't know is a finding.
func (s *Service) unlisted(ctx context.Context, span Span, listed []Intent) (found []Intent, findings []Finding, err error) {
	payments, err := s.store.Unsettled(ctx, span)
	if err != nil {
		return nil, nil, fmt.Errorf("read our books: %w", err)
	}
	known := make(map[string]bool, len(listed))
	for _, intent := range listed {
		known[intent.ID] = true
	}
	payments = slices.DeleteFunc(payments, func(r Record) bool { return known[r.IntentID] })
	return s.ask(ctx, payments)
}

// ask reads the intents of payments that are authorised by our books. One that the provider doesn't know is a finding: an intent never goes
// away.
func (s *Service) ask(ctx context.Context, payments []Record) (found []Intent, findings []Finding, err error) {
	intents := make([]*Intent, len(payments))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(reads)
	for i, payment := range payments {
		group.Go(func() error {
			intent, err := s.provider.Get(reading, payment.IntentID)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read intent %s: %w", payment.IntentID, err)
			}
			intent.Order = payment.OrderID // as our books have it, which name the intent
			intents[i] = &intent
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for i, payment := range payments {
		if intents[i] != nil {
			found = append(found, *intents[i])
			continue
		}
		findings = append(findings, Finding{
			Kind: Unauthorized, OrderID: payment.OrderID, IntentID: payment.IntentID,
			Detail: fmt.Sprintf("our books have %s as AUTHORIZED; the provider knows no such intent", payment.Amount),
		})
	}
	return found, findings, nil
}

// auditExpiring audits a page of the authorisations that are about to expire, oldest first; behind is nil behind the last.
func (s *Service) auditExpiring(ctx context.Context, page AuditPage, from Place, now time.Time) (checked int, findings []Finding, behind *Place, err error) {
	span := Span{State: Authorized, Behind: from, Before: now.Add(expiryNotice - authorisationLasts), Limit: page.Size}
	payments, err := s.store.Unsettled(ctx, span)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read our books: %w", err)
	}
	intents, findings, err := s.ask(ctx, payments)
	if err != nil {
		return 0, nil, nil, err
	}
	// Those that don't agree in another way are told as that.
	suspects, found, err := s.compare(ctx, intents, now)
	if err != nil {
		return 0, nil, nil, err
	}
	for _, intent := range intents {
		if intent.Status == IntentAuthorized && !slices.ContainsFunc(suspects, func(i Intent) bool { return i.ID == intent.ID }) {
			suspects = append(suspects, intent)
			found = append(found, Finding{
				Kind: Expiring, OrderID: intent.Order, IntentID: intent.ID,
				Detail: fmt.Sprintf("authorised on %s and not captured yet; the provider has %s", intent.Created.Format(time.RFC3339), amounts(intent)),
			})
		}
	}
	if page.Mend {
		if err := s.mendAll(ctx, suspects, found, now); err != nil {
			return 0, nil, nil, err
		}
	}
	if len(payments) == page.Size {
		last := payments[len(payments)-1].place()
		behind = &last
	}
	return len(payments), append(findings, found...), behind, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
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

// reads is how many intents are read at once.
const reads = 8

// reread brings intents up to now, in place.
func (s *Service) reread(ctx context.Context, intents []Intent) error {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(reads)
	for i := range intents {
		group.Go(func() error {
			intent, err := s.provider.Get(reading, intents[i].ID)
			if err != nil {
				return fmt.Errorf("read intent %s again: %w", intents[i].ID, err)
			}
			intent.Order = intents[i].Order
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
