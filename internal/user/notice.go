package user

import (
	"context"
	"fmt"
	"time"
)

// A notice is a mail to a person about an event, sent once though its event may come several times, and several times at once. Who is
// to send it begins it, sends it, and ends it. Who dies between the first two leaves it to the next one who comes, after NoticeTurn;
// who dies between the last two is the reason that a mail may come twice, for a mail can't be part of a transaction.

const (
	// NoticeTurn is how long a notice that was begun is left to whom began it.
	NoticeTurn = time.Minute
	// NoticeLife is how long a notice is remembered. No event is published again after that.
	NoticeLife = 30 * 24 * time.Hour
)

// NoticeState is what there is to do about a notice.
type NoticeState int

// States of a notice.
const (
	// NoticeDue: send it, then end it.
	NoticeDue NoticeState = iota + 1
	// NoticeBusy: somebody else has begun it, less than NoticeTurn ago.
	NoticeBusy
	// NoticeSent: it was sent.
	NoticeSent
	// NoticeGone: there is no such account.
	NoticeGone
)

// Notice is where a notice goes; only one that is due says where.
type Notice struct {
	State              NoticeState
	Email, DisplayName string
}

// Notices is what the room needs of its store for notices.
type Notices interface {
	// BeginNotice begins an event's notice to an account, or takes over one that was begun at or before a time and not ended.
	BeginNotice(ctx context.Context, userID, eventID string, now, before time.Time) (Notice, error)
	// EndNotice ends one that was begun; any other is no error.
	EndNotice(ctx context.Context, eventID string, now time.Time) error
}

// BeginNotice begins an event's notice to a person. Of several at once, one gets it due.
func (s *Service) BeginNotice(ctx context.Context, userID, eventID string) (Notice, error) {
	now := s.now()
	notice, err := s.store.BeginNotice(ctx, userID, eventID, now, now.Add(-NoticeTurn))
	if err != nil {
		return Notice{}, fmt.Errorf("begin notice of event %s: %w", eventID, err)
	}
	return notice, nil
}

// EndNotice ends the notice of an event: it was sent. An event without one is no error.
func (s *Service) EndNotice(ctx context.Context, eventID string) error {
	if err := s.store.EndNotice(ctx, eventID, s.now()); err != nil {
		return fmt.Errorf("end notice of event %s: %w", eventID, err)
	}
	return nil
}
