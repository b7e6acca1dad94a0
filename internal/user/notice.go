package user

import (
	"context"
	"errors"
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
	// NoticeSent: it was sent, or isn't needed any more.
	NoticeSent
	// NoticeGone: there is no such account.
	NoticeGone
)

// Recipient is whom a notice goes to: UserID, or who has asked for a new password by PasswordResetID.
type Recipient struct {
	UserID, PasswordResetID string
	// VerifyEmail: the notice brings a token to verify the address with.
	VerifyEmail bool
}

// Notice is where a notice goes; only one that is due says more than its state.
type Notice struct {
	State NoticeState
	Email string
	// DisplayName is empty where the address isn't known to be the person's: whoever claims a stranger's address has no words to say to
	// the stranger.
	DisplayName string
	// Token is for the person alone: it verifies the address, or sets a new password.
	Token string
	// AddressTaken instead of a token: somebody else has verified the address.
	AddressTaken bool
}

// Notices is what the room needs of its store for notices.
type Notices interface {
	// BeginNotice begins an event's notice to an account, or takes over one that was begun at or before a time and not ended.
	BeginNotice(ctx context.Context, userID, eventID string, now, before time.Time) (Notice, error)
	// EndNotice ends one that was begun; any other is no error.
	EndNotice(ctx context.Context, eventID string, now time.Time) error
}

// BeginNotice begins an event's notice to a person. Of several at once, one gets it due.
func (s *Service) BeginNotice(ctx context.Context, to Recipient, eventID string) (Notice, error) {
	notice, err := s.beginNotice(ctx, to, eventID)
	switch {
	case errors.Is(err, ErrNoAccount):
		return Notice{State: NoticeGone}, nil
	case err != nil:
		return Notice{}, fmt.Errorf("begin notice of event %s: %w", eventID, err)
	}
	return notice, nil
}

func (s *Service) beginNotice(ctx context.Context, to Recipient, eventID string) (Notice, error) {
	if to.PasswordResetID != "" {
		account, err := s.store.AccountOfPasswordReset(ctx, to.PasswordResetID)
		if err != nil {
			return Notice{}, err
		}
		return s.beginWithToken(ctx, account.ID, eventID, ResetPasswordToken)
	}
	account, err := s.store.Account(ctx, to.UserID)
	if err != nil {
		return Notice{}, err
	}
	if to.VerifyEmail {
		return s.beginVerification(ctx, account, eventID)
	}
	return s.beginPlain(ctx, account.ID, eventID)
}

func (s *Service) beginVerification(ctx context.Context, account Account, eventID string) (notice Notice, err error) {
	if account.Verified {
		return Notice{State: NoticeSent}, nil
	}
	switch _, err := s.store.AccountByEmail(ctx, account.Email); {
	case err == nil:
		notice, err = s.beginPlain(ctx, account.ID, eventID)
		notice.AddressTaken = notice.State == NoticeDue
		notice.DisplayName = ""
		return notice, err
	case !errors.Is(err, ErrNoAccount):
		return Notice{}, err
	}
	notice, err = s.beginWithToken(ctx, account.ID, eventID, VerifyEmailToken)
	notice.DisplayName = ""
	return notice, err
}

// beginPlain begins a notice without a token.
func (s *Service) beginPlain(ctx context.Context, userID, eventID string) (Notice, error) {
	now := s.now()
	return s.store.BeginNotice(ctx, userID, eventID, now, now.Add(-NoticeTurn))
}

func (s *Service) beginWithToken(ctx context.Context, userID, eventID string, purpose TokenPurpose) (Notice, error) {
	notice, err := s.beginPlain(ctx, userID, eventID)
	if err != nil || notice.State != NoticeDue {
		return notice, err
	}
	now := s.now()
	secret, hash := newSecret()
	kept := MailToken{Hash: hash, UserID: userID, Purpose: purpose, CreateTime: now, ExpireTime: now.Add(purpose.life())}
	if err := s.store.CreateMailToken(ctx, kept); err != nil {
		return Notice{}, err
	}
	notice.Token = secret
	return notice, nil
}

// EndNotice ends the notice of an event: it was sent. An event without one is no error.
func (s *Service) EndNotice(ctx context.Context, eventID string) error {
	if err := s.store.EndNotice(ctx, eventID, s.now()); err != nil {
		return fmt.Errorf("end notice of event %s: %w", eventID, err)
	}
	return nil
}
