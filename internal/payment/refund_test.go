package payment_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/fault"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/pricing"
)

// back asks for some units; none: for all that is left.
func back(id string, lines ...payment.RefundLine) payment.Refund {
	return payment.Refund{ID: id, Lines: lines, Reason: "mouldy", Actor: "op"}
}

func units(product string, quantity int64) payment.RefundLine {
	return payment.RefundLine{ProductID: product, Quantity: quantity}
}

// An order is given back in parts: a unit, two lines, the rest with the fee. Each is told once, and repeated it changes nothing.
func TestRefund(t *testing.T) {
	b := open(t, nil)
	id, intent := b.take()
	var refunds []int64
	for _, c := range []struct {
		name   string
		wanted payment.Refund
		amount int64
		sum    int64
		state  payment.State
	}{
		{"one of two", back(uuid.NewString(), units("apples", 1)), 100, 100, payment.PartiallyRefunded},
		{"two products, one in two parts", back(uuid.NewString(), units("pears", 1), units("apples", 1)), 250, 350, payment.PartiallyRefunded},
		{"all that is left", back(uuid.NewString()), whole - 350, whole, payment.Refunded},
	} {
		refunds = append([]int64{c.amount}, refunds...)
		for range 2 {
			got, err := b.Refund(t.Context(), id, c.wanted)
			if err != nil || got.State != payment.RefundDone || got.Amount != gbp(c.amount) || got.ID != c.wanted.ID || got.CreateTime.IsZero() {
				t.Fatalf("%s: %+v, %v", c.name, got, err)
			}
			b.want(id, c.state, whole, c.sum)
			b.wantRefunds(intent, refunds...)
		}
	}
	told := b.told(id)
	if len(told) != 3 {
		t.Errorf("%d events of 3 refunds", len(told))
	}
	for _, e := range told {
		if e.OrderId != id || e.UserId != user || e.Reason != "mouldy" || e.Amount.MinorUnits == 250 && len(e.Lines) != 2 || e.Amount.MinorUnits == whole-350 && len(e.Lines) != 0 {
			t.Errorf("told %v", e)
		}
	}
}

func TestRefundRefused(t *testing.T) {
	b := open(t, nil)
	first := uuid.NewString()
	captured := func() string { return b.refunded() }
	for _, c := range []struct {
		name   string
		make   func() string
		wanted payment.Refund
		reason fault.Reason
	}{
		{"not captured", func() string { id, _ := b.sell(); return id }, back(uuid.NewString()), fault.NothingToRefund},
		{"no order", uuid.NewString, back(uuid.NewString()), fault.OrderNotFound},
		{"cancelled", func() string {
			id, _ := b.take()
			b.cancel(id, payment.Captured)
			return id
		}, back(uuid.NewString()), fault.NothingToRefund},
		{"all of it back", func() string { return b.refunded(back(uuid.NewString())) }, back(uuid.NewString(), units("pears", 1)), fault.NothingToRefund},
		{"more units than bought", captured, back(uuid.NewString(), units("apples", 3)), fault.RefundTooLarge},
		{"more in two lines", captured, back(uuid.NewString(), units("apples", 1), units("apples", 2)), fault.RefundTooLarge},
		{"more than are left", func() string { return b.refunded(back(first, units("apples", 1))) },
			back(uuid.NewString(), units("apples", 2)), fault.RefundTooLarge},
		{"another product", captured, back(uuid.NewString(), units("plums", 1)), fault.InvalidArgument},
		{"the key of another refund", func() string { return b.refunded(back(first, units("apples", 1))) },
			back(first, units("apples", 2)), fault.IdempotencyKeyReused},
		{"the key with another reason", func() string { return b.refunded(back(first, units("apples", 1))) },
			payment.Refund{ID: first, Lines: []payment.RefundLine{units("apples", 1)}, Reason: "late"}, fault.IdempotencyKeyReused},
		{"more money than is left", func() string {
			id, intent := b.take()
			b.byHand(intent, whole-149)
			if err := b.store.Refunded(t.Context(), id, gbp(whole-149)); err != nil {
				t.Fatal(err)
			}
			return id
		}, back(uuid.NewString(), units("pears", 1)), fault.RefundTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := c.make()
			before, err := b.Account(t.Context(), id)
			if err != nil && !fault.Is(err, fault.OrderNotFound) {
				t.Fatal(err)
			}
			_, err = b.Refund(t.Context(), id, c.wanted)
			wantReason(t, err, c.reason)
			after, err := b.Account(t.Context(), id)
			if err != nil && !fault.Is(err, fault.OrderNotFound) {
				t.Fatal(err)
			}
			if len(after.Refunds) != len(before.Refunds) || after.Refunded != before.Refunded {
				t.Errorf("the refusal left %+v", after)
			}
		})
	}
}

// refunded makes a captured order of which something was given back.
func (b *till) refunded(refunds ...payment.Refund) string {
	b.t.Helper()
	id, _ := b.take()
	for _, r := range refunds {
		if _, err := b.Refund(b.t.Context(), id, r); err != nil {
			b.t.Fatal(err)
		}
	}
	return id
}

// Wherever a refund breaks off, the same one again, or an event of the provider's, ends it, and it is paid once.
func TestRefundBreaksOff(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after func(string) error
	}{
		{"before the provider is asked", fails("refund"), nil},
		{"before its answer is recorded", nil, fails("refund")},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, nil)
			id, intent := b.take()
			wanted := back(uuid.NewString(), units("apples", 2))
			b.provider.breaks(c.before, c.after)
			for range 2 {
				if _, err := b.Refund(t.Context(), id, wanted); !errors.Is(err, errBroken) {
					t.Fatalf("broken: %v", err)
				}
			}
			b.want(id, payment.Captured, whole, 0)
			// What is requested counts as given away.
			_, _, err := b.store.Request(t.Context(), id, back(uuid.NewString(), units("apples", 1)), b.now)
			wantReason(t, err, fault.RefundTooLarge)
			b.provider.breaks(nil, nil)

			// Its key was lost: a refund with another one ends it first.
			_, err = b.Refund(t.Context(), id, back(uuid.NewString(), units("apples", 1)))
			wantReason(t, err, fault.RefundTooLarge)
			b.want(id, payment.PartiallyRefunded, whole, 200)
			got, err := b.Refund(t.Context(), id, wanted)
			if err != nil || got.State != payment.RefundDone {
				t.Fatalf("again: %+v, %v", got, err)
			}
			b.wantRefunds(intent, 200)
			b.want(id, payment.PartiallyRefunded, whole, 200)
			if told := b.told(id); len(told) != 1 {
				t.Errorf("told %d times", len(told))
			}
			if n, err := b.FinishRefunds(t.Context(), id); n != 0 || err != nil {
				t.Errorf("%d are left to be finished, %v", n, err)
			}
		})
	}
}

// The provider has given the money back already, past our books: the refund fails for good, says so again, and its units are free.
func TestRefundRefusedByProvider(t *testing.T) {
	b := open(t, nil)
	id, intent := b.take()
	b.byHand(intent, whole)
	wanted := back(uuid.NewString(), units("apples", 2))
	for range 2 {
		_, err := b.Refund(t.Context(), id, wanted)
		wantReason(t, err, fault.RefundRefused)
	}
	b.want(id, payment.Captured, whole, 0)
	account, err := b.Account(t.Context(), id)
	if err != nil || len(account.Refunds) != 1 || account.Refunds[0].State != payment.RefundFailed || len(b.told(id)) != 0 {
		t.Errorf("%+v, %v", account.Refunds, err)
	}
	_, err = b.Refund(t.Context(), id, back(uuid.NewString(), units("apples", 2)))
	wantReason(t, err, fault.RefundRefused) // not REFUND_TOO_LARGE
}

// Refunds that meet: the same one is paid once, and others never give back more than there is.
func TestRefundsAtOnce(t *testing.T) {
	b := open(t, nil)
	for _, c := range []struct {
		name   string
		wanted func() payment.Refund
		paid   int64
		works  int // how many are answered with a refund
	}{
		{"the same", func() func() payment.Refund {
			r := back(uuid.NewString(), units("apples", 2))
			return func() payment.Refund { return r }
		}(), 200, 4},
		{"others", func() payment.Refund { return back(uuid.NewString(), units("apples", 2)) }, 200, 1},
		{"all that is left", func() payment.Refund { return back(uuid.NewString()) }, whole, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, intent := b.take()
			var wg sync.WaitGroup
			var mu sync.Mutex
			works := 0
			for range 4 {
				wg.Go(func() {
					_, err := b.Refund(t.Context(), id, c.wanted())
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						works++
					} else if !fault.Is(err, fault.RefundTooLarge) && !fault.Is(err, fault.NothingToRefund) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if works != c.works {
				t.Errorf("%d refunds, want %d", works, c.works)
			}
			b.wantRefunds(intent, c.paid)
			account, err := b.Account(t.Context(), id)
			if err != nil || account.Refunded != gbp(c.paid) || len(b.told(id)) != 1 {
				t.Errorf("%s refunded, %v, told %d times", account.Refunded, err, len(b.told(id)))
			}
		})
	}
}

// What is requested is on its way: it is no part of all that is left, nor of what was given back by hand.
func TestRefundRequested(t *testing.T) {
	b := open(t, nil)
	id, intent := b.take()
	wanted := back(uuid.NewString(), units("apples", 2))
	b.provider.breaks(nil, fails("refund"))
	if _, err := b.Refund(t.Context(), id, wanted); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	b.provider.breaks(nil, nil)
	if err := b.store.Refunded(t.Context(), id, gbp(200)); err != nil { // what the provider says now
		t.Fatal(err)
	}
	b.want(id, payment.Captured, whole, 0)
	others := back(uuid.NewString())
	others.Fingerprint = make([]byte, 32)
	_, rest, err := b.store.Request(t.Context(), id, others, b.now)
	if err != nil || rest.State != payment.RefundRequested || rest.Amount != gbp(whole-200) {
		t.Fatalf("%+v, %v", rest, err)
	}
	if n, err := b.FinishRefunds(t.Context(), id); n != 2 || err != nil {
		t.Fatalf("%d finished, %v", n, err)
	}
	b.want(id, payment.Refunded, whole, whole)
	b.wantRefunds(intent, whole-200, 200)
}

// More refunds than the provider lists with a payment: their sum is right.
func TestManyRefunds(t *testing.T) {
	b := open(t, nil)
	_, intent := b.take()
	for range 12 {
		b.byHand(intent, 10)
	}
	if got, err := b.Get(t.Context(), intent); err != nil || got.Refunded != gbp(120) {
		t.Errorf("%s refunded, %v", got.Refunded, err)
	}
}

// Refunds whose asker has died are gone on with from their time on, each once, and one that can't be finished stands behind the others.
func TestRefundsLeftBehind(t *testing.T) {
	b := open(t, nil)
	var left []string
	for range 3 {
		id, _ := b.take()
		wanted := back(uuid.NewString(), units("apples", 1))
		wanted.Fingerprint = make([]byte, 32)
		if _, _, err := b.store.Request(t.Context(), id, wanted, b.now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		left = append(left, id)
	}
	attend := func(want int) {
		t.Helper()
		if n, err := b.AttendRefunds(t.Context(), 10); err != nil || n != want {
			t.Fatalf("%d orders were looked after, %v, want %d", n, err, want)
		}
	}
	attend(0) // not yet
	b.now = b.now.Add(2 * time.Minute)
	b.provider.breaks(fails("refund"), nil)
	attend(3)
	attend(0) // put off
	b.provider.breaks(nil, nil)
	b.now = b.now.Add(2 * time.Minute)
	attend(3)
	for _, id := range left {
		b.want(id, payment.PartiallyRefunded, whole, 100)
	}
	b.now = b.now.Add(time.Hour)
	attend(0)
}

// What was picked is what is captured, and what can be refunded: by weight, and less its discount, to the last penny.
func TestRefundOfWhatWasPicked(t *testing.T) {
	b := open(t, nil)
	id, intent := b.sell()
	lines := []pricing.Line{
		{ProductID: "apples", Name: "Apples", Quantity: 3, UnitPrice: gbp(50), PieceGrams: 150, Grams: 301},
		{ProductID: "quinces", Name: "Quinces", Quantity: 2, UnitPrice: gbp(60), Discount: 21, SubstituteFor: "pears"},
	}
	totals, err := pricing.Total("GBP", lines, pricing.Delivery{})
	if err != nil || totals.Total.Minor != 100+99 {
		t.Fatal(totals, err)
	}
	b.apply(paymentspanner.SetReceipt(id, pricing.Receipt{Lines: lines, Totals: totals}))
	if state, err := b.Capture(t.Context(), id, payment.Step{By: payment.System}); err != nil || state != payment.Captured {
		t.Fatal(state, err)
	}
	b.want(id, payment.Captured, 199, 0)
	var sum int64
	for _, c := range []struct {
		product string
		amount  int64
	}{{"apples", 33}, {"apples", 34}, {"apples", 33}, {"quinces", 49}, {"quinces", 50}} {
		got, err := b.Refund(t.Context(), id, back(uuid.NewString(), units(c.product, 1)))
		if err != nil || got.Amount != gbp(c.amount) {
			t.Fatalf("%s: %s, %v, want %d", c.product, got.Amount, err, c.amount)
		}
		sum += c.amount
	}
	b.want(id, payment.Refunded, 199, sum)
	b.wantRefunds(intent, 50, 49, 33, 34, 33)
	if _, err := b.Refund(t.Context(), id, back(uuid.NewString(), units("pears", 1))); !fault.Is(err, fault.NothingToRefund) {
		t.Errorf("pears, which weren't there: %v", err)
	}
}
