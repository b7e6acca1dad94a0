package checkout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"larder.dev/internal/chaos"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	"larder.dev/internal/payment"
)

// abandon is the one way for a checkout to fail (rule 7): the tombstone first, then everything else is undone. The refusal is
// told only after the tombstone's transaction (rule 6): until then a twin of this request may still be on its way to
// success, and then that is the answer.
func (s *Service) abandon(ctx context.Context, id string, tombstone Order) (Outcome, error) {
	if chaos.Without(chaos.Tombstone) {
		return Outcome{}, errors.Join(s.stock.Release(ctx, tombstone.StoreID, id), decodeRefusal(tombstone.Refusal))
	}
	standing, err := s.books.Abandon(ctx, id, tombstone, s.now().Add(s.config.VoidRetry)) // a
	if err != nil {
		return s.tryAgain(ctx, id, "abandon the checkout", err)
	}
	if standing.Sold() {
		return s.sold(ctx, id, standing.Order)
	}
	chaos.At(chaos.CheckoutTombstoned)
	if err := s.stock.Release(ctx, standing.Order.StoreID, id); err != nil { // d, which may follow a at any time
		slog.WarnContext(ctx, "release later", "checkout", id, "error", err)
	}
	chaos.At(chaos.CheckoutReleased)
	if err := s.void(ctx, id, standing.Payment); err != nil { // b and c
		slog.WarnContext(ctx, "void later", "checkout", id, "error", err)
	}
	chaos.At(chaos.CheckoutVoided)
	return Outcome{}, decodeRefusal(standing.Order.Refusal)
}

// void ends the payment of an order that is not, or no more (rule 7b, 7c). An intent that the provider is still
// at work on stays VOIDING, and the reconciler comes back.
func (s *Service) void(ctx context.Context, id string, row *payment.Record) error {
	if row == nil || row.State != payment.Voiding || chaos.Without(chaos.Voiding) {
		return nil
	}
	if err := s.payments.Void(ctx, id); err != nil {
		return fmt.Errorf("void the payment: %w", err)
	}
	return nil
}

// expired passes on what went wrong; a refusal is what an abandoned checkout comes to.
func expired(_ Outcome, err error) error {
	if err != nil && refusal(err) == nil {
		return err
	}
	return nil
}

// refusal is the final answer that an error of a checkout is: the tombstone's. Nil: it may yet come to something else.
func refusal(err error) *fault.Error {
	var coded *fault.Error
	if !errors.As(err, &coded) || coded.Reason().Internal || coded.Reason().Code == codes.Unavailable {
		return nil
	}
	return coded
}

// tombstone of a request that is refused; nil where another than its writer knows why.
func (r Request) tombstone(refusal []byte) Order {
	return Order{UserID: r.UserID, StoreID: r.StoreID, State: order.Abandoned, Fingerprint: r.Fingerprint, Refusal: refusal}
}

// tombstone of a frozen checkout; a nil refusal is told as CHECKOUT_EXPIRED.
func (f Frozen) tombstone(row *payment.Record, refusal []byte) Order {
	return Order{UserID: f.UserID, StoreID: f.StoreID, State: order.Abandoned, Fingerprint: row.Fingerprint, Refusal: refusal}
}

// tombstoneOf what stands: the tombstone that is there, or that of the frozen checkout.
func tombstoneOf(s Standing) Order {
	if s.Order != nil {
		return *s.Order
	}
	if s.Payment != nil {
		if frozen, err := Thaw(s.Payment); err == nil {
			return frozen.tombstone(s.Payment, nil)
		}
	}
	return Order{State: order.Abandoned}
}

// encodeRefusal keeps a refusal as the google.rpc.Status that it is told as; nil for none.
func encodeRefusal(refusal *fault.Error) []byte {
	if refusal == nil {
		return nil
	}
	text, err := proto.Marshal(refusal.Status().Proto())
	if err != nil { // a text that is no UTF-8; told as CHECKOUT_EXPIRED
		slog.Error("encode a refusal", "reason", refusal.Reason().Name, "error", err)
		return nil
	}
	return text
}

func decodeRefusal(text []byte) error {
	expired := fault.CheckoutExpired.New("the checkout was given up; nothing is charged")
	if len(text) == 0 {
		return expired
	}
	var refusal spb.Status
	if err := proto.Unmarshal(text, &refusal); err != nil {
		return fmt.Errorf("decode refusal: %w", err)
	}
	return fault.FromStatus(status.FromProto(&refusal), expired)
}
